"""Containers that stop again and again, recognised by the reasons that a service reports for a deploy's containers."""

from __future__ import annotations

from collections import Counter

from ecr_widgets.model.services import Service

CRASHES_UNTIL_FAILED = 3
"""How many containers may stop during a wait before further waiting makes no sense."""

_NO_RETRY_HELPS = (
    "CannotPull",
    "ResourceInitializationError",
    "exec format error",
    "executable file not found",
    "no such file or directory",
)


class CrashLoop:
    """Which of one deploy's containers stopped, from check to check."""

    def __init__(self, deploy_id: str) -> None:
        self._deploy_id = deploy_id
        self.deployment_id = ""
        """Id of the deployment that the containers belong to."""
        self.reasons: tuple[str, ...] = ()
        """Why containers stopped, oldest first."""
        self.has_grown = False
        """Whether another one has stopped since the previous check."""
        self._at_first: int | None = None

    def look(self, service: Service, *, is_young: bool = False) -> None:
        """Note what has stopped so far.

        Args:
            is_young: Whether its deployment has only just begun, so that everything that stopped counts.
        """
        ours = [each for each in service.deployments if each.deploy_id == self._deploy_id]
        if ours:
            self.deployment_id = ours[0].deployment_id
        reasons = tuple(stop_reason(reason) for each in ours for reason in each.stopped_reasons)
        if self._at_first is None:
            # Containers that stopped before the first check may have stopped for a reason that is over.
            self._at_first = 0 if is_young else len(reasons)
        else:
            self.has_grown = len(reasons) > len(self.reasons)
        self.reasons = reasons

    @property
    def is_hopeless(self) -> bool:
        """Whether the deploy's containers will never run, however long the wait."""
        stopped = len(self.reasons) - (self._at_first or 0)
        return stopped >= CRASHES_UNTIL_FAILED or bool(self.reasons and _cannot_start(self.reasons[-1]))

    @property
    def counted_reasons(self) -> tuple[str, ...]:
        """Each reason once, in order, with how often it occurred."""
        return tuple(
            reason if count == 1 else f"{reason} ({count} times)"
            for reason, count in Counter(self.reasons).items()
        )


def stop_reason(reason: str) -> str:
    """Why a container stopped, as a sentence: if ECS gives no reason, there are only exit codes, in brackets."""
    return f"container stopped {reason.strip()}" if reason.strip().startswith("(") else reason.strip()


def _cannot_start(reason: str) -> bool:
    """Whether no retry can fix it, judging by ECS's words."""
    if "429" in reason or "timeout" in reason.lower() or "throttl" in reason.lower():
        return False
    return any(each in reason for each in _NO_RETRY_HELPS)
