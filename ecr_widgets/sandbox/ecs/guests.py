"""What another front runs on the same machine and ECS shows too, as a Layer0 server's services are services of ECS."""

from __future__ import annotations

from typing import Protocol

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.world import World


class Guests(Protocol):
    """Another front's clusters, task definitions, services and tasks."""

    def seen(self, world: World) -> World:
        """The world with them in it, to read from."""

    def change(self, world: World, operation: str, given: Wire) -> Wire | None:
        """The answer to a request that changes something of theirs; None where it is about nothing of theirs.

        Raises:
            EcsError: It is refused.
        """


class NoGuests:
    """ECS alone."""

    def seen(self, world: World) -> World:
        """Nothing else."""
        return world

    def change(self, _world: World, _operation: str, _given: Wire) -> Wire | None:
        """Nothing of theirs."""
        return None
