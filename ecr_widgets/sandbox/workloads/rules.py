"""What fronts may want done differently; as it is here, nothing is noted and a copy counts as soon as it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecr_widgets.sandbox.workloads.records import Copy, Deployment, Service, Task
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition


class Rules:
    """A front's own ways; the scheduler asks them, in its event loop where nothing else is said."""

    settle_s = 0.0
    """How long a copy has to run before it counts as ready."""
    kept_stopped = 5
    """Stopped copies of a service that keep their logs."""

    def is_served(self, service: Service, copy: Copy) -> bool:
        """Whether a copy gets what its load balancer has for it; the old ones stay until enough new ones do."""
        return True

    def has_room(self, service: Service, deployment: Deployment) -> bool:
        """Whether one more copy of a deployment can be started."""
        return True

    def verdict(self, service: Service, copy: Copy) -> str:
        """Why a copy that runs has to be replaced; empty where it has not."""
        return ""

    def grace_s(self, definition: ContainerDefinition) -> int:
        """How long a container may take to end once it is asked to."""
        return 0

    def prepare(self, owner: Service | Task, copy: Copy) -> Mapping[str, Mapping[str, str]]:
        """Get what containers need before they start: environment variables, by container. Called in a thread.

        Raises:
            CannotStart: It cannot be had.
        """
        return {}

    async def before_stop(self, copy: Copy) -> None:
        """Wait until a copy may be stopped."""

    def copies_started(self, service: Service, copies: Sequence[Copy]) -> None:
        """Note that copies were started."""

    def copies_stopped(self, service: Service, copies: Sequence[Copy]) -> None:
        """Note that copies are being stopped."""

    def stuck(self, service: Service) -> None:
        """Note that a deployment cannot continue within its least and most percent."""

    def copy_ended(self, service: Service, deployment: Deployment, copy: Copy) -> None:
        """Note that a copy ended that was wanted."""

    def review(self, service: Service, ready: Sequence[Copy]) -> bool:
        """Look at a service after each round; whether anything of it was changed.

        Args:
            ready: Copies that run and are served.
        """
        return False
