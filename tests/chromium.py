"""Chromium without its windows, the part that draws pages: for every test that looks at one."""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from playwright.sync_api import Browser, sync_playwright

from tests.private_network import PrivateNetwork

PROGRAM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]


@contextmanager
def launched(network: PrivateNetwork | None = None) -> Iterator[Browser]:
    """The browser, started in a network and closed."""
    with _started(network) as browser:
        yield browser
    del browser
    # Playwright does not always wait for the end of its driver: what is left of it goes here, and not in another test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def _started(network: PrivateNetwork | None) -> Iterator[Browser]:
    # What starts the browser is in the network, and so is the browser.
    with network.entered() if network else nullcontext():
        playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_FLAGS)
        yield browser
        browser.close()
    finally:
        playwright.stop()
