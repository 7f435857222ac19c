"""Start a task only once, even if the reply was lost: find this run's own request, also if an earlier attempt made it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown, WaitTimeout
from ecr_widgets.model.record import KNOWN_REQUESTS, START_ID
from ecr_widgets.ports import Clock
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.polling import SHOWS_AFTER_S, pauses, read_in_wait

EnvVars = Mapping[str, Mapping[str, str]]
"""Values of environment variables by container name."""
REQUESTS_ARE_KEPT = timedelta(hours=1)
"""After this, Layer0's janitor may drop the job of a task that was started, and ECS may no longer report a task that ended."""


@dataclass(frozen=True, slots=True)
class EarlierStart:
    """What is known about a task that an earlier attempt requested, without knowing what became of it."""

    asked_at: datetime
    known_requests: Collection[str]
    """Requests for the same task that existed before: its own is not among them."""
    later_requests: Collection[str] | None
    """Requests that existed when the next such task was requested: its own is among them. None if no other was requested."""
    start_id: str

    @classmethod
    def of(cls, call: Any) -> EarlierStart | None:
        """What to look for if a call's outcome is not known; None if it is known that nothing was started, or that it failed.

        Args:
            call: What is left of the call of an earlier attempt; None if there is none.
        """
        if call is None or (call.record.error or {}).get("type") == DeploymentFailed.__name__:
            return None
        known = call.record.inputs.get(KNOWN_REQUESTS, ())
        if known is None:
            return None  # it ended while it was still looking: nothing was started
        return cls(
            call.record.started_at,
            known,
            None if call.next_alike is None else call.next_alike.inputs.get(KNOWN_REQUESTS, ()),
            call.record.inputs.get(START_ID) or new_start_id(),
        )


def new_start_id() -> str:
    """An id by which a target can recognise a repeated request."""
    return secrets.token_hex(16)


def started_earlier(name: str, requests: frozenset[str], earlier: EarlierStart, now: datetime) -> str | None:
    """The request that an earlier attempt made; None if it made none.

    Raises:
        OutcomeUnknown: It may be one of several, or may no longer be reported.
    """
    candidates = requests - frozenset(earlier.known_requests)
    if earlier.later_requests is not None:
        candidates &= frozenset(earlier.later_requests)
    if len(candidates) > 1:
        raise OutcomeUnknown(
            f"{len(candidates)} requests ask for task {name!r} just as this run did: it cannot be determined which one is its own"
            f" ({', '.join(sorted(candidates))})",
            hint="look at each, with Layer0 by `ecr-widgets job show`; start a new run if the task should run again",
        )
    if not candidates and now - earlier.asked_at >= REQUESTS_ARE_KEPT:
        raise OutcomeUnknown(
            f"an earlier attempt of this run asked for task {name!r}, and what became of it is no longer reported",
            hint="check what the task was meant to do; start a new run if it should run again",
        )
    return next(iter(candidates), None)


def wait_for_start(
    services: Services, clock: Clock, request_id: str, name: str, deadline_s: float, timeout_s: float
) -> str:
    """Wait until a request has started its task, and return the task's id.

    Raises:
        DeploymentFailed: It ended without a task.

        WaitTimeout: The deadline came first.

        OutcomeUnknown: The request is no longer reported.
    """
    shows_at_s = clock.monotonic_s() + SHOWS_AFTER_S
    for pause_s in pauses():
        try:
            request = read_in_wait(
                clock,
                lambda: services.read_task_request(request_id),
                deadline_s=deadline_s,
                missing_until_s=shows_at_s,
            )
        except EntityNotFound as error:
            raise OutcomeUnknown(
                f"{services.dialect()} no longer reports {request_id}, which was to start task {name!r}",
                hint="list the tasks to see whether it runs",
            ) from error
        if request.task_id is not None:
            return request.task_id
        if request.is_over:
            raise DeploymentFailed(
                f"task {name!r} was not started: {request.label} ended as {request.state}"
                + (f": {request.reasons[-1]}" if request.reasons else ""),
                reasons=request.reasons,
                hint=request.hint,
            )
        if clock.monotonic_s() >= deadline_s:
            raise WaitTimeout(
                f"task {name!r} was not started within {timeout_s:.0f} s: {request.label} is {request.state}",
                waited_s=timeout_s,
                last_seen=request.state,
                hint="the environment may have no room, or the deploy is gone",
            )
        clock.sleep(pause_s)
    raise AssertionError  # the pauses never end
