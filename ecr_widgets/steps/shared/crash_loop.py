"""Containers that stop again and again: seen from the reasons that a service reports of a deploy's containers."""

from __future__ import annotations

from collections import Counter

from ecr_widgets.model.services import Service

CRASHES_UNTIL_FAILED = 3
"""Containers that stopped during a wait after which waiting on makes no sense."""


class CrashLoop:
    """What stopped of one deploy's containers, from look to look."""

    def __init__(self, deploy_id: str) -> None:
        self._deploy_id = deploy_id
        self.reasons: tuple[str, ...] = ()
        """Why containers stopped, oldest first."""
        self.has_grown = False
        """Whether one more has stopped since the look before."""
        self._at_first: int | None = None

    def look(self, service: Service) -> None:
        """Take note of what has stopped by now."""
        reasons = tuple(
            stop_reason(reason)
            for deployment in service.deployments
            if deployment.deploy_id == self._deploy_id
            for reason in deployment.stopped_reasons
        )
        if self._at_first is None:
            # Containers that stopped before the first look may be of an older trouble that is over.
            self._at_first = len(reasons)
        else:
            self.has_grown = len(reasons) > len(self.reasons)
        self.reasons = reasons

    @property
    def is_hopeless(self) -> bool:
        """Whether the deploy's containers will not run, however long one waits."""
        stopped = len(self.reasons) - (self._at_first or 0)
        return stopped >= CRASHES_UNTIL_FAILED or bool(self.reasons and _cannot_start(self.reasons[-1]))

    @property
    def counted_reasons(self) -> tuple[str, ...]:
        """Each reason once, in order, and how often it came."""
        return tuple(
            reason if count == 1 else f"{reason} ({count} times)"
            for reason, count in Counter(self.reasons).items()
        )


def stop_reason(reason: str) -> str:
    """Why a container stopped, as a sentence: where ECS gives no reason, only exit codes are left, in brackets."""
    return f"container stopped {reason.strip()}" if reason.strip().startswith("(") else reason.strip()


def _cannot_start(reason: str) -> bool:
    # ECS's words for what no retry fixes.
    return "CannotPullContainerError" in reason or "ResourceInitializationError" in reason
