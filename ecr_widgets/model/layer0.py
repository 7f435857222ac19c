"""Layer0's entities as the kit uses them; wire names are translated in the adapter only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Place

_DEPLOY_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class JobState(IntEnum):
    """State of a Layer0 job; the value is the wire's `job_status`."""

    PENDING = 1
    IN_PROGRESS = 2
    COMPLETED = 3
    ERROR = 4


@dataclass(frozen=True, slots=True)
class Environment(Place):
    """A Layer0 environment; only id and name are set unless it was read by id."""

    operating_system: str = ""
    cluster_count: int = 0
    min_count: int = 0
    max_count: int = 0
    instance_size: str = ""
    links: tuple[str, ...] = ()
    """Ids of environments; the real server reports only the last one."""


@dataclass(frozen=True, slots=True)
class Job:
    """Background work in Layer0."""

    job_id: str
    state: JobState
    meta: tuple[tuple[str, str], ...] = ()
    runner_task_id: str = ""
    """The task whose log says what the job did."""
    request: str = field(default="", repr=False)
    """What it works on: an entity's id, or a task's whole request as JSON, whose values may be secret."""

    @property
    def task_id(self) -> str | None:
        """Id of the task that the job created, once known."""
        return dict(self.meta).get("task_id") or dict(self.meta).get("task_0")


def check_deploy_name(name: str) -> str:
    """Return the name if Layer0 and ECS accept it for a deploy.

    Raises:
        InputError: Layer0 or ECS would refuse it.
    """
    if not _DEPLOY_NAME.fullmatch(name):
        raise InputError(
            f"deploy name {name!r} refused: Layer0 makes a task definition family of it",
            hint="use letters, digits, - and _ only",
        )
    return name


def check_entity_name(name: str, *, kind: str) -> str:
    """Return the name if it can be addressed later: not empty, no space around it, no colon, star, slash or control
    character.

    Raises:
        InputError: The name could be created but not addressed again, or is empty.
    """
    if (
        not name.strip()
        or name != name.strip()
        or any(mark in ":*/\\" or not mark.isprintable() for mark in name)
    ):
        raise InputError(
            f"{kind} name {name!r} refused: it could not be used as an argument later",
            hint="leave out : * / \\ and spaces around it",
        )
    return name
