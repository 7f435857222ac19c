"""What each of the two dialects has of its own; all that is not here is common to both.

Which members a dialect reads is said beside each member, in `members`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ecr_widgets.dockerrun.ecs_rules import check_for_ecs
from ecr_widgets.dockerrun.layer0_rules import check_for_layer0
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.services import Dialect


@dataclass(frozen=True, slots=True)
class Rules:
    """What one dialect has of its own."""

    document: str
    """What people call it."""
    check: Callable[..., None]
    """Refusals of its own, as `check_for_ecs` has."""
    task_memory_suffices: bool
    """Whether containers need no memory of their own where their task has some."""
    order_counts: bool
    """Whether the order of containers and volumes is a setting: Layer0 picks the first matching port for a load balancer,
    and ECS is told container and port.
    """
    not_sent: frozenset[str]
    """Top-level members that are no part of what is sent."""


RULES: Mapping[Dialect, Rules] = {
    Dialect.LAYER0: Rules(
        document="Dockerrun",
        check=check_for_layer0,
        task_memory_suffices=False,
        order_counts=True,
        not_sent=frozenset(),
    ),
    Dialect.ECS: Rules(
        document="Task definition",
        check=check_for_ecs,
        task_memory_suffices=True,
        order_counts=False,
        # Set by whoever registers it.
        not_sent=frozenset(("family",)),
    ),
}


@contextmanager
def called_by_its_name(dialect: Dialect) -> Iterator[None]:
    """Refusals that name the document as people do."""
    try:
        yield
    except InvalidDockerrun as error:
        raise error.called(RULES[dialect].document) from error
