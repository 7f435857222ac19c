"""What another front runs on the same machine and ECS shows too: a Layer0 server's services are also ECS services."""

from __future__ import annotations

from typing import Protocol

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.world import World


class Guests(Protocol):
    """Another front's clusters, task definitions, services and tasks."""

    def seen(self, world: World) -> World:
        """The world including them, for reading."""

    def change(self, world: World, operation: str, given: Wire) -> Wire | None:
        """The answer to a request that changes something of theirs; None if it concerns nothing of theirs.

        Raises:
            EcsError: The request is refused.
        """


class NoGuests:
    """ECS without another front."""

    def seen(self, world: World) -> World:
        """The world unchanged."""
        return world

    def change(self, _world: World, _operation: str, _given: Wire) -> Wire | None:
        """None: the request concerns no guest."""
        return None
