"""Which calls of a port only read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Call = TypeVar("Call", bound=Callable[..., Any])


def reads(call: Call) -> Call:
    """Mark a port's call as one that changes nothing outside; a plan may make no others."""
    call.reads = True  # type: ignore[attr-defined]
    return call


def knows(call: Call) -> Call:
    """Mark a port's call as one that asks nobody: what it returns says nothing about whether the system can be reached."""
    call.is_local = True  # type: ignore[attr-defined]
    return reads(call)
