"""After a change whose reply was lost: look whether it was made. A change is never asked for again without that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ecr_widgets.errors import DeployTargetUnavailable, OutcomeUnknown
from ecr_widgets.ports import Clock

T = TypeVar("T")

_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""A change that was under way when its reply was lost may show up a little later."""


def reconcile(clock: Clock, change: Callable[[], T], look: Callable[[], T | None]) -> tuple[T, bool]:
    """Make a change; where its reply was lost, look for what it should have made.

    Args:
        look: Finds what the change makes, None where there is nothing of it.

    Returns:
        What the change made, and whether it was found rather than told.

    Raises:
        OutcomeUnknown: The reply was lost, and nothing was found: it may still come.
    """
    try:
        return change(), False
    except OutcomeUnknown as error:
        for pause_s in _PAUSES_S:
            clock.sleep(pause_s)
            try:
                found = look()
            except (DeployTargetUnavailable, OutcomeUnknown):
                continue
            if found is not None:
                return found, True
        raise OutcomeUnknown(
            f"{error.message}; looked for it {len(_PAUSES_S)} times and found nothing",
            hint="it may still come: `ecr-widgets run --resume RUN_ID` looks for it before it asks again",
        ) from error
