"""How the two dialects differ; everything that is not here is common to both.

Which members a dialect reads is stated with each member, in `members`.
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
    """What is specific to one dialect."""

    document: str
    """What people call the document."""
    check: Callable[..., None]
    """Its own checks, called like `check_for_ecs`."""
    task_memory_suffices: bool
    """Whether containers need no memory of their own if their task has some."""
    order_counts: bool
    """Whether the order of containers and volumes is a setting: Layer0 picks the first matching port for a load balancer,
    while ECS is given the container and port.
    """
    not_sent: frozenset[str]
    """Top-level members that are not sent."""


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
        # Set when the definition is registered.
        not_sent=frozenset(("family",)),
    ),
}


@contextmanager
def called_by_its_name(dialect: Dialect) -> Iterator[None]:
    """Have errors call the document by the name that people use."""
    try:
        yield
    except InvalidDockerrun as error:
        raise error.called(RULES[dialect].document) from error
