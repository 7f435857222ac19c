"""JupyterLab in a real browser, on the sandbox."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from ecr_widgets.sandbox import Sandbox
from tests.chromium import PROGRAM, launched
from tests.conftest import ONE_WINDOW, outside_of
from tests.faults import forked
from tests.ports import free_port
from tests.private_network import PrivateNetwork

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).parents[2]
SHOTS = CHECKOUT / "build" / "screenshots"
PREFIX = "/user/somebody"
KIT = "from ecr_widgets import connect\nkit = connect()"
TOKEN = "a-token-for-tests"
ONE_NOTEBOOK = "doc/tree"
"""JupyterLab with one notebook at a time."""
_OF_OTHERS = re.compile(
    # Notebook 7, of plugins and commands of JupyterLab's that it does not have.
    r"reading 'schema'|registered\.$"
    # JupyterLab, of a notebook that is closed while it still asks the kernel what it is, or for its subshell.
    r"|^Disposed$|Canceled future for create_subshell_request"
    # JupyterLab's page has a script in it, which a strict policy forbids, and does without.
    r"|Executing inline script violates"
    # ipywidgets, of what it answers to another page of the same kernel; our comms have other names.
    r"|^Comm not found for comm id [0-9a-f-]{36}$"
)
"""Complaints that we are not the cause of."""
_SETTLED = """
() => [...jupyterapp.shell.widgets("main")].every(({ context }) => {
	const at = context?.sessionContext, kernel = at?.session?.kernel;
	return !at || at.isReady && (!kernel || kernel.connectionStatus === "connected"
		&& ["idle", "busy", "dead"].includes(kernel.status));
})
"""
"""Whether each notebook has joined its kernel: to be closed meanwhile is an error in JupyterLab."""
_CLOSE = """
() => {
	for (const each of [...jupyterapp.shell.widgets("main")]) each.dispose();
	return !document.querySelector(".jp-Dialog, .lm-Menu");
}
"""
"""Close all notebooks, saved or not; whether nothing else is left of them."""
_OPEN_NEXT = "path => jupyterapp.commands.execute('docmanager:open', { path }).then(() => {})"
_MAKE_LIGHT = """
() => document.body.dataset.jpThemeLight === "false"
	&& jupyterapp.commands.execute("apputils:change-theme", { theme: "JupyterLab Light" }).then(() => {});
"""
_READY = """
() => {
	const at = window.jupyterapp?.shell.currentWidget?.context?.sessionContext, kernel = at?.session?.kernel;
	return at?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle"
		&& jupyterapp.commands.isEnabled("notebook:run-all-cells");
}
"""
"""Whether the page has joined the kernel. Its tool bar says idle before there is one, and running all would be lost."""
expect.set_options(timeout=60_000)  # a busy machine takes its time; what is there is not waited for


@dataclass(frozen=True)
class Window:
    """The system's Chromium in a network where it is alone, with a page that has JupyterLab's scripts once they are loaded."""

    network: PrivateNetwork
    browser: Browser
    page: Page


@dataclass
class Lab:
    """A running JupyterLab; `complaints` holds errors in the browser's console, and what dialogs said."""

    address: str
    folder: Path
    """Of this test alone."""
    window: Window
    complaints: list[str] = field(default_factory=list)

    def write(self, name: str, *sources: str) -> Path:
        """A notebook of those cells."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / name
        nbformat.write(book, path)
        return path

    def page(self, width: int = 1200) -> Page:
        """The window's page, so wide."""
        self.window.page.set_viewport_size({"width": width, "height": 900})
        return self.window.page

    @contextmanager
    def listening(self, page: Page) -> Iterator[Page]:
        """Keep the page's complaints until it is left."""
        heard: dict[Any, Any] = {"dialog": self._answer, "pageerror": self._fail, "console": self._hear}
        for event, hear in heard.items():
            page.on(event, hear)
        yield page
        self._leave(page)
        for event, hear in heard.items():
            page.remove_listener(event, hear)

    def _leave(self, page: Page) -> None:
        """Close what is open. JupyterLab stays, for the next test: to load it costs more than most tests."""
        if self._closed(page):
            page.evaluate(_MAKE_LIGHT)
        else:
            page.goto("about:blank")

    def _closed(self, page: Page) -> bool:
        """Close what is open; whether the page has a JupyterLab with nothing in it now."""
        if not page.url.startswith(f"{self.address}/{ONE_NOTEBOOK}/"):
            return False
        with suppress(PlaywrightTimeout):
            page.wait_for_function(_SETTLED, timeout=20_000)
            return bool(page.evaluate(_CLOSE))
        return False

    def _answer(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            # JupyterLab asks while it still saves a setting, such as a theme; a test that leaves a page means to.
            dialog.accept()
        else:
            self.complaints.append(dialog.message)
            dialog.dismiss()

    def open(
        self,
        name: str,
        *,
        kernel: bool = True,
        page: Page | None = None,
        app: str = ONE_NOTEBOOK,
        reload: bool = False,
    ) -> Page:
        """The notebook, its kernel ready; in the window's page or in another one, and no other notebook there.

        Args:
            app: `notebooks` for Notebook 7.

            reload: In a page that has shown nothing else, even where JupyterLab is loaded.
        """
        page = page or self.page()
        path = f"{self.folder.name}/{name}"
        if app == ONE_NOTEBOOK and not reload and self._closed(page):
            page.evaluate(_OPEN_NEXT, path)
        else:
            page.goto(f"{self.address}/{app}/{path}?reset&token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        if kernel:
            page.wait_for_function(_READY)
        return page

    def open_untrusted(self, path: Path) -> Page:
        """A copy that somebody else changed, in a page whose kernel has never run.

        A plain copy would be trusted: the server goes by what a notebook holds, not by its name.
        """
        book = json.loads(path.read_text())
        book["metadata"]["changed_by"] = "somebody else"
        name = f"untrusted-{path.name}"
        (self.folder / name).write_text(json.dumps(book))
        cells = self.ask(f"contents/{self.folder.name}/{name}")["content"]["cells"]
        trusted = [cell["metadata"]["trusted"] for cell in cells if cell["cell_type"] == "code"]
        assert trusted
        assert not any(trusted)
        return self.open(name, kernel=False, reload=True)

    def run_all(self, page: Page) -> None:
        """Run all cells."""
        page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")

    def save(self, page: Page, path: Path, expected: str) -> dict[str, Any]:
        """Save until the file has what is expected, and give back what it holds."""

        def saved_now() -> bool:
            page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => {})")
            return expected in path.read_text()

        self._until(saved_now)
        saved: dict[str, Any] = json.loads(path.read_text())
        return saved

    def _fail(self, error: Error) -> None:
        if not _OF_OTHERS.search(str(error)):
            self.complaints.append(str(error))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not _OF_OTHERS.search(said.text):
            self.complaints.append(said.text)

    def sessions(self, name: str) -> list[dict[str, Any]]:
        """Those of a notebook that a page is joined to."""
        found: list[dict[str, Any]] = self.ask("sessions")
        path = f"{self.folder.name}/{name}"
        return [each for each in found if each["path"] == path and each["kernel"]["connections"] > 0]

    def ask(self, what: str, method: str = "GET") -> Any:
        """The server's answer."""
        return ask(self.address, what, method)

    def _until(self, reached: Any) -> None:
        deadline_s = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < deadline_s
            time.sleep(0.1)


_OPEN = ExitStack()


@cache
def _publish(port: int) -> None:
    """Until the window closes."""
    _OPEN.enter_context(_window().network.published(port))


@cache
def _window() -> Window:
    network = PrivateNetwork()
    _OPEN.callback(network.close)
    browser = _OPEN.enter_context(launched(network))
    return Window(network, browser, new_page(browser))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order in which JupyterLab is loaded least often: those without a sandbox, in Notebook 7, on the sandbox."""
    places = [at for at, item in enumerate(items) if item.nodeid.startswith(ONE_WINDOW)]
    for at, item in zip(places, sorted((items[at] for at in places), key=_where), strict=True):
        items[at] = item


def _where(item: pytest.Item) -> tuple[bool, bool]:
    assert isinstance(item, pytest.Function)
    return "lab" in item.fixturenames, hasattr(item, "callspec") and item.callspec.params.get(
        "app"
    ) == "notebooks"


def pytest_exception_interact() -> None:
    """What a test that failed left in the window is not the next one's."""
    if _window.cache_info().currsize:
        with suppress(Error):
            _window().page.goto("about:blank")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The window closes after the last of these tests in a row: the browser's event loop stands in the way of other tests."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _window.cache_clear()
        _publish.cache_clear()
        _OPEN.close()


def new_page(browser: Browser, *, lax: bool = False) -> Page:
    """A page that shares nothing with others; a lax one minds no content security policy."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, bypass_csp=lax)
    context.set_default_timeout(60_000)  # clicks wait as long as `expect` does
    return context.new_page()


@pytest.fixture
def window() -> Window:
    """One for all tests of this folder; skips by name where there is no Chromium."""
    if PROGRAM is None:
        pytest.skip("chromium is not installed: apt-get install chromium-headless-shell")
    return _window()


@pytest.fixture
def browser(window: Window) -> Browser:
    """The window's."""
    return window.browser


def ask(address: str, what: str, method: str = "GET") -> Any:
    """The answer of a server's API."""
    headers = {"Authorization": f"token {TOKEN}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{address}/api/{what}", headers=headers, method=method)
    ) as answer:
        return json.loads(answer.read() or "null")


@contextmanager
def serving(
    root: Path,
    environ: Mapping[str, str],
    policy: str = "",
    *,
    command: Sequence[str] = (),
    prefix: str = "",
) -> Iterator[tuple[int, Path]]:
    """A JupyterLab with folders of its own, and the extension as this checkout has it: its port, and where notebooks go.

    Args:
        policy: The content security policy of its pages, where it is another than Jupyter's own.

        command: What starts it in `root`, where that is not JupyterLab itself; the port is added.

        prefix: Begins the path of each of its addresses, as a JupyterHub has it.
    """
    work = root / "work"
    work.mkdir()
    port = free_port()
    own = {
        name: str(root / name.lower())
        for name in (
            "HOME",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
        )
    }
    if not command:
        settings = Path(own["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    config = Path(own["JUPYTER_CONFIG_DIR"])
    if not command:
        # Kernels that are forked have no debugger, though their kind says so.
        (config / "labconfig").mkdir(parents=True)
        (config / "labconfig" / "page_config.json").write_text(
            json.dumps({"disabledExtensions": {"@jupyterlab/debugger-extension": True}})
        )
    if policy:
        config.mkdir(exist_ok=True)
        headers = {"Content-Security-Policy": policy}
        (config / "jupyter_server_config.json").write_text(
            json.dumps({"ServerApp": {"tornado_settings": {"headers": headers}}})
        )
    own["JUPYTER_PATH"] = str(install_extension(root / "share"))
    # A JupyterLab that is forked forks its kernels.
    process = forked.start(
        [*command, f"--ServerApp.port={port}"]
        if command
        else [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
            f"--ServerApp.root_dir={work}", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", f"--ServerApp.base_url={prefix}/",
            "--expose-app-in-browser", "--JupyterNotebookApp.expose_app_in_browser=True",
        ],
        env={**os.environ, **environ, **own, "JUPYTER_TOKEN": TOKEN},
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline_s = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
        yield port, work
    finally:
        # Asked to, it ends its kernels too, which a forked one has to: they watch another parent. Now and then it waits for
        # ever for one that was just being started.
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def install_extension(share: Path) -> Path:
    """Put the extension where a wheel would, below a folder for JUPYTER_PATH: an installed one may be older."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    for source, target in project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"].items():
        path = share / Path(target).relative_to("share/jupyter")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / source, path)
    return share


@pytest.fixture(scope="session")
def sandbox_server(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """One JupyterLab on the sandbox, for all tests of a worker."""
    root = tmp_path_factory.mktemp("lab")
    with serving(root, outside_of(sandbox, root)) as served:
        yield served


@pytest.fixture(scope="session")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """One JupyterLab whose notebooks have a world in memory, for all tests of a worker.

    It is where a JupyterHub would have it, below a user's prefix. Its pages run the server's own scripts and no other; JupyterLab cannot do with less than this policy.
    """
    policy = "script-src 'self' 'unsafe-eval'; object-src 'none'"
    with serving(tmp_path_factory.mktemp("quiet-lab"), {}, policy, prefix=PREFIX) as served:
        yield served


@pytest.fixture
def lab(window: Window, sandbox_server: tuple[int, Path]) -> Iterator[Lab]:
    """JupyterLab on the sandbox with a folder for this test; the browser reaches nothing but it."""
    with _visited(window, *sandbox_server) as made:
        yield made


@pytest.fixture
def quiet_lab(window: Window, quiet_server: tuple[int, Path]) -> Iterator[Lab]:
    """The same without a sandbox: notebooks say `from tests.panels.world import kit`."""
    with _visited(window, *quiet_server, prefix=PREFIX) as made:
        yield made


@contextmanager
def _visited(window: Window, port: int, work: Path, *, prefix: str = "") -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="t", dir=work))
    # A test that chose the dark theme chose it for itself.
    (
        work.parent / "jupyterlab_settings_dir" / "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    ).unlink(missing_ok=True)
    _publish(port)
    made = Lab(f"http://127.0.0.1:{port}{prefix}", folder, window)
    with made.listening(window.page):
        yield made
    for each in made.ask("sessions"):
        made.ask(f"sessions/{each['id']}", "DELETE")


def shoot(page: Page, name: str, *, cell: int | None = None) -> None:
    """Keep a screenshot of what people see: the page, or one of its cells, counted from 1."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    assert re.fullmatch(r"[a-z-]+", name)
    path = SHOTS / f"{name}.png"
    if cell is None:
        page.screenshot(path=path)
    else:
        shown = page.locator(".jp-CodeCell").nth(cell - 1)
        shown.evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(200)
        box, frame = shown.bounding_box(), page.locator(".jp-WindowedPanel-outer").first.bounding_box()
        assert box is not None
        assert frame is not None
        # As much of it as the window shows: what is longer goes on below.
        top, bottom = max(box["y"], frame["y"]), min(box["y"] + box["height"], frame["y"] + frame["height"])
        page.screenshot(
            path=path, clip={"x": box["x"], "y": top, "width": box["width"], "height": bottom - top}
        )
