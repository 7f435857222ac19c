"""Imports without what they look for and a run has no use for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def declared_absent(module: str) -> Iterator[None]:
    """Have an optional module looked for in vain within the block, unless somebody has loaded it already.

    For processes that are ours alone; whoever asks for it afterwards gets it.
    """
    ours = module not in sys.modules
    if ours:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if ours:
            del sys.modules[module]
