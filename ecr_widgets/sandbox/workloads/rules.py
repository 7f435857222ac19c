"""What fronts may want done differently; by default nothing is recorded, and a copy is ready as soon as it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecr_widgets.sandbox.workloads.records import Copy, Deployment, Service, Task
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition


class Rules:
    """A front's own rules, called by the scheduler, in its event loop unless stated otherwise."""

    settle_s = 0.0
    """How long a copy has to run before it counts as ready, in seconds."""
    kept_stopped = 5
    """How many of a service's stopped copies keep their logs."""

    def is_served(self, service: Service, copy: Copy) -> bool:
        """Whether a copy's load balancer has put it in service; old copies stay until enough new ones are."""
        return True

    def has_room(self, service: Service, deployment: Deployment) -> bool:
        """Whether there is room to start one more copy of a deployment."""
        return True

    def verdict(self, service: Service, copy: Copy) -> str:
        """Why a running copy has to be replaced; empty if it does not."""
        return ""

    def grace_s(self, definition: ContainerDefinition) -> int:
        """How long a container may take to end when asked to, in seconds."""
        return 0

    def prepare(self, owner: Service | Task, copy: Copy) -> Mapping[str, Mapping[str, str]]:
        """Fetch what containers need before they start: environment variables, by container. Called in a thread.

        Raises:
            CannotStart: It is not available.
        """
        return {}

    async def before_stop(self, copy: Copy) -> None:
        """Wait until a copy may be stopped."""

    def copies_started(self, service: Service, copies: Sequence[Copy]) -> None:
        """Record that copies were started."""

    def copies_stopped(self, service: Service, copies: Sequence[Copy]) -> None:
        """Record that copies are being stopped."""

    def stuck(self, service: Service) -> None:
        """Record that a deployment cannot continue within its least and most percent."""

    def copy_ended(self, service: Service, deployment: Deployment, copy: Copy) -> None:
        """Record that a wanted copy ended."""

    def review(self, service: Service, ready: Sequence[Copy]) -> bool:
        """Review a service after each round; returns whether anything was changed.

        Args:
            ready: Copies that run and are in service.
        """
        return False
