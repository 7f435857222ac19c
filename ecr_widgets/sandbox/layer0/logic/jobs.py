"""Jobs: work in the background."""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code
from ecr_widgets.sandbox.layer0.entities import Job
from ecr_widgets.sandbox.layer0.logic.world import Wire, World


def list_all(world: World) -> list[Wire]:
    """`GET /job`."""
    return [world.shapes.job(each) for each in world.store.jobs.values()]


def read(world: World, job_id: str) -> Wire:
    """`GET /job/{id}`."""
    return world.shapes.job(_find(world, job_id))


def delete(world: World, job_id: str) -> str:
    """`DELETE /job/{id}`: with the task that ran it."""
    job = _find(world, job_id)
    runner = world.store.tasks.get(job.task_id)
    if runner is not None:
        world.store.remove(runner)
    world.store.remove(job)
    return ""


def _find(world: World, job_id: str) -> Job:
    job = world.store.jobs.get(job_id)
    if job is None:
        raise ApiError(Code.JOB_DOES_NOT_EXIST, f"Job {job_id} does not exist")
    return job
