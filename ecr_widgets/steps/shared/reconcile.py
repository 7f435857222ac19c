"""After a change whose reply was lost: look whether it was made. A change is never requested again without that."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from ecr_widgets.errors import ConcurrentChange, DeployTargetError, DeployTargetUnavailable, OutcomeUnknown
from ecr_widgets.ports import Clock
from ecr_widgets.steps.shared.polling import LONGEST_OUTAGE_S, may_pass, read_in_wait

T = TypeVar("T")

_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""A change that was in progress when its reply was lost may show up a little later."""
_APART_S = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a change is requested again that conflicted with another one; each is varied a little, so that the two do not
conflict again."""


def reconcile(clock: Clock, change: Callable[[], T], look: Callable[[], T | None]) -> tuple[T, bool]:
    """Make a change; if its reply was lost, or another change came first, look for what it should have made.

    Args:
        look: Finds what the change makes; None if there is nothing.

    Returns:
        What the change made, and whether it was found by looking rather than reported.

    Raises:
        OutcomeUnknown: The reply was lost, and nothing was found: it may still come.

        ConcurrentChange: It conflicted with a different change each time.
    """
    for apart_s in (*_APART_S, None):
        try:
            return change(), False
        except OutcomeUnknown as error:
            return _find(clock, look, error), True
        except ConcurrentChange:
            if apart_s is None:
                raise
        clock.sleep(apart_s * random.uniform(0.5, 1.5))  # noqa: S311
        found = look()
        if found is not None:
            return found, True
    raise AssertionError  # the last one returns or raises


def _find(clock: Clock, look: Callable[[], T | None], error: OutcomeUnknown) -> T:
    deadline_s = clock.monotonic_s() + LONGEST_OUTAGE_S
    for pause_s in _PAUSES_S:
        clock.sleep(pause_s)
        try:
            # What lost the reply may last: a load balancer whose server is restarted loses the next ones, too.
            found = read_in_wait(clock, look, deadline_s=deadline_s)
        except (DeployTargetUnavailable, OutcomeUnknown):
            continue
        except DeployTargetError as failed:
            if not may_pass(failed):
                raise
            continue
        if found is not None:
            return found
    raise OutcomeUnknown(
        f"{error.message}; looked for it {len(_PAUSES_S)} times and found nothing",
        hint="it may still appear: `ecr-widgets run --resume RUN_ID` looks for it before it asks again",
    ) from error
