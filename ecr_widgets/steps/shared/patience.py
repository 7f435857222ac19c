"""Reads that bear a short outage of a deploy target within a run, such as a load balancer's 503 while its server is restarted.

Queries of panels and commands go without: a person waits for their answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ecr_widgets.errors import DeployTargetError
from ecr_widgets.model.services import Dialect
from ecr_widgets.ports import Clock, ProgressSink
from ecr_widgets.steps.shared.polling import read_in_wait

T = TypeVar("T")

LONGEST_PAUSE_IN_A_RUN_S = 30.0
"""How long a deploy target that has answered before may fail to answer a read of a step, in seconds."""


class PatientTarget:
    """A deploy target whose reads are repeated for a while; its changes are not.

    A target that has not answered yet is not waited for: its address may be wrong.

    Args:
        answered: The targets that have answered in this run; shared by its steps.
    """

    def __init__(
        self, target: Any, protocol: type, clock: Clock, progress: ProgressSink, answered: set[Dialect]
    ) -> None:
        self._target = target
        self._protocol = protocol
        self._clock = clock
        self._progress = progress
        self._answered = answered

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._target, name)
        marked = getattr(self._protocol, name, None)
        if not getattr(marked, "reads", False) or getattr(marked, "is_local", False):
            return call

        def read(*args: Any, **more: Any) -> Any:
            return self._read(lambda: call(*args, **more))

        return read

    def _read(self, read: Callable[[], T]) -> T:
        dialect = self._target.dialect()
        if dialect in self._answered:
            deadline_s = self._clock.monotonic_s() + LONGEST_PAUSE_IN_A_RUN_S
            return read_in_wait(
                self._clock, read, deadline_s=deadline_s, bears=_is_passing, progress=self._progress
            )
        answer = read()
        self._answered.add(dialect)
        return answer


def _is_passing(error: DeployTargetError) -> bool:
    # Unlike a wait, which knows that the same read has succeeded: a server may answer 500 to one read for good.
    return error.retryable
