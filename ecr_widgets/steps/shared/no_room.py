"""Copies that find no place to run: the scheduler reports it in its events, and keeps trying."""

from __future__ import annotations

from collections.abc import Callable

from ecr_widgets.model.services import Service, Settings

PATIENCE_S = 30.0
"""How long the scheduler may report it if copies that are being replaced may still make room."""
SHORT_PATIENCE_S = 5.0
"""The same if they will not: only other services could."""
_SAYS = "unable to place a task"
_ON_INSTANCES = "no container instance met all of its requirements"
"""What it says about registered instances; about Fargate's capacity, which comes and goes, it says something else."""


class NoRoom:
    """What the scheduler says about one deployment, from check to check."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._patience_s = PATIENCE_S
        self.reason = ""
        """Why there is no room, in the scheduler's words."""

    def look(
        self,
        service: Service,
        now_s: float,
        settings: Callable[[], Settings | None],
        never_fits: Callable[[], str] = lambda: "",
    ) -> bool:
        """Note what it says, and return whether further waiting makes no sense.

        Args:
            settings: Reads how the service is run; only called if it matters.

            never_fits: Reads why no instance could ever run a copy; only called if that ends the wait.
        """
        said, was_before = _last_words(service)
        if _SAYS not in said:
            self._since_s = None
            return False
        self.reason = said
        if was_before:
            self.reason += " (It said so before this deployment, and repeats an event only after six hours.)"
        if self._since_s is None:
            self._since_s = now_s
            old = any(each.running_count for each in service.deployments if each is not service.primary)
            how = settings()
            may_change = was_before or (old and _may_go_first(how))
            self._patience_s = PATIENCE_S if may_change else SHORT_PATIENCE_S
            never = never_fits() if _ON_INSTANCES in said and _stay_as_they_are(how) else ""
            if never:
                self.reason += f" {never[0].upper()}{never[1:]}."
                return True
        return now_s - self._since_s >= self._patience_s


def _last_words(service: Service) -> tuple[str, bool]:
    """What the scheduler last said, and whether that was before the current deployment.

    ECS leaves out an event that is the same as its last one. So an earlier event counts if the deployment has started nothing
    so far.
    """
    primary = service.primary
    if primary is None:
        return "", False
    if primary.events:
        return primary.events[-1], False
    is_due = primary.desired_count > 0 and not primary.stage
    if not is_due or primary.running_count + primary.pending_count:
        return "", False
    before = (each.events[-1] for each in service.deployments if each is not primary and each.events)
    return next(before, ""), True


def _may_go_first(settings: Settings | None) -> bool:
    """Whether old copies may be stopped before the new ones run."""
    if settings is None:
        return True
    least = (settings.get("deploymentConfiguration") or {}).get("minimumHealthyPercent")
    return least is None or least < 100


def _stay_as_they_are(settings: Settings | None) -> bool:
    """Whether nothing adds instances when a copy finds no room, as a capacity provider with managed scaling does."""
    return settings is not None and not settings.get("capacityProviderStrategy")
