"""Containers that stop again and again: seen from the reasons that a service reports of a deploy's containers."""

from __future__ import annotations

from collections import Counter

from ecr_widgets.model.services import Service

CRASHES_UNTIL_FAILED = 3
"""Containers that stopped during a wait after which waiting on makes no sense."""

_NO_RETRY_HELPS = (
    "CannotPull",
    "ResourceInitializationError",
    "exec format error",
    "executable file not found",
    "no such file or directory",
)


class CrashLoop:
    """What stopped of one deploy's containers, from look to look."""

    def __init__(self, deploy_id: str) -> None:
        self._deploy_id = deploy_id
        self.deployment_id = ""
        """Of the deployment whose containers those are."""
        self.reasons: tuple[str, ...] = ()
        """Why containers stopped, oldest first."""
        self.has_grown = False
        """Whether one more has stopped since the look before."""
        self._at_first: int | None = None

    def look(self, service: Service, *, is_young: bool = False) -> None:
        """Take note of what has stopped by now.

        Args:
            is_young: Whether its deployment has begun only just now, so that all that stopped is of this trouble.
        """
        ours = [each for each in service.deployments if each.deploy_id == self._deploy_id]
        if ours:
            self.deployment_id = ours[0].deployment_id
        reasons = tuple(stop_reason(reason) for each in ours for reason in each.stopped_reasons)
        if self._at_first is None:
            # Containers that stopped before the first look may be of an older trouble that is over.
            self._at_first = 0 if is_young else len(reasons)
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
    """Whether no retry fixes it, by ECS's words."""
    if "429" in reason or "timeout" in reason.lower() or "throttl" in reason.lower():
        return False
    return any(each in reason for each in _NO_RETRY_HELPS)
