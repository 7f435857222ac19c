"""Change and delete what Layer0 keeps by its id: each looks first, so that a second time changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.ports import Layer0
from ecr_widgets.steps.deploy_service import find_environment
from ecr_widgets.steps.find_task import find_task
from ecr_widgets.steps.layer0_entities import DeletionOutcome


@dataclass(frozen=True, slots=True)
class MinCountOutcome:
    """The environment and its least number of instances."""

    environment_id: str
    environment: str
    previous_count: int
    min_count: int
    changed: bool


@dataclass(frozen=True, slots=True)
class TagsOutcome:
    """The tags of Layer0's own entities are written; the server does not tell whether any was missing."""

    version: str
    changed: bool = True


def set_min_count(layer0: Layer0, environment: str, min_count: int) -> MinCountOutcome:
    """Bring an environment to a least number of instances.

    Raises:
        EntityNotFound: No such environment.

        InputError: The number makes no sense.
    """
    if min_count < 0:
        raise InputError(f"{min_count} instances refused", hint="give 0 or more")
    where = layer0.read_environment(find_environment(layer0, environment).environment_id)
    changed = where.min_count != min_count
    if changed:
        layer0.update_environment(where.environment_id, min_count=min_count)
    return MinCountOutcome(where.environment_id, environment, where.min_count, min_count, changed)


def restore_own_tags(layer0: Layer0) -> TagsOutcome:
    """Have Layer0 write the tags of its own entities, called `api`, anew."""
    version = layer0.version()
    layer0.restore_own_tags()
    return TagsOutcome(version)


def delete_deploy(layer0: Layer0, deploy_id: str) -> DeletionOutcome:
    """Forget a stored deploy; services that run it go on, and one that is gone is no error."""
    try:
        name = layer0.read_deploy(deploy_id).name
    except EntityNotFound:
        return DeletionOutcome("deploy", deploy_id, None, None, changed=False)
    layer0.delete_deploy(deploy_id)
    return DeletionOutcome("deploy", name, deploy_id, None, changed=True)


def delete_task(layer0: Layer0, task: str) -> DeletionOutcome:
    """Stop a task and forget it; one that is gone is no error.

    Args:
        task: Its id, its name, or ENVIRONMENT:NAME.

    Raises:
        InputError: Several tasks have that name.
    """
    try:
        found = find_task(layer0, task)
        layer0.delete_task(found.task_id)
    except EntityNotFound:
        return DeletionOutcome("task", task, None, None, changed=False)
    return DeletionOutcome("task", found.name, found.task_id, None, changed=True)


def delete_job(layer0: Layer0, job_id: str) -> DeletionOutcome:
    """Forget a job and stop what runs it; one that is gone is no error."""
    try:
        layer0.read_job(job_id)
    except EntityNotFound:
        return DeletionOutcome("job", job_id, None, None, changed=False)
    layer0.delete_job(job_id)
    return DeletionOutcome("job", job_id, job_id, None, changed=True)
