"""Tasks: single runs of a deploy. Stopped ones are kept, whereas the real server forgets them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import CreateTask
from ecr_widgets.sandbox.layer0.entities import JobType, Task
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.logic.logs import Window, read_logs, tail_of
from ecr_widgets.sandbox.layer0.logic.world import Wire, World


def create(world: World, body: CreateTask) -> str:
    """`POST /task`: a job. Ids are checked immediately, whereas the real server keeps trying for a day."""
    for value, word in ((body.environment_id, "EnvironmentID"), (body.task_name, "TaskName")):
        if not value:
            raise ApiError(Code.MISSING_PARAMETER, f"{word} is required")
    world.environment(body.environment_id)
    world.deploy(body.deploy_id)
    world.used(body.environment_id)
    overrides = {each.container_name: each.environment_overrides for each in body.container_overrides}

    names = {each.get("name") for each in world.deploy(body.deploy_id).containers}

    async def work() -> dict[str, str]:
        if strange := sorted(set(overrides) - names):
            raise aws_error(
                f"Override for container named {strange[0]} is not a container in the TaskDefinition."
            )
        copy = world.scheduler.new_copy(body.deploy_id)
        task = Task(
            task_id=entity_id(body.task_name),
            name=body.task_name,
            environment_id=body.environment_id,
            copy=copy,
            overrides=overrides,
        )
        world.add_task(task)
        world.scheduler.launch_task(task)
        return {"task_id": task.task_id}

    request = {
        "container_overrides": [
            {"container_name": each.container_name, "environment_overrides": each.environment_overrides}
            for each in body.container_overrides
        ],
        "deploy_id": body.deploy_id,
        "environment_id": body.environment_id,
        "task_name": body.task_name,
    }
    return world.start_job(
        JobType.CREATE_TASK, json.dumps(request, separators=(",", ":")), body.task_name, work()
    )


async def delete(world: World, task_id: str) -> str:
    """`DELETE /task/{id}`."""
    await remove(world, world.task(task_id))
    return ""


async def remove(world: World, task: Task) -> None:
    """Stop a task and remove it."""
    await world.scheduler.stop(task.copy, "Task stopped by user")
    await world.scheduler.remove([task.copy])
    world.store.remove(task)


async def logs(world: World, task_id: str, query: Mapping[str, str]) -> list[Wire]:
    """`GET /task/{id}/logs`; for a job's task, what the job did."""
    tail_of(query)
    task = world.task(task_id)
    job = next((each for each in world.store.jobs.values() if each.task_id == task_id), None)
    if job is not None:
        return [{"lines": Window(query).cut(job.log), "name": "l0-job"}]
    return await read_logs(world, [task.copy], query)
