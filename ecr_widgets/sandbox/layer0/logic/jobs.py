"""Jobs: work in the background."""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.logic.world import World


def delete(world: World, job_id: str) -> str:
    """`DELETE /job/{id}`: with the task that ran it."""
    job = world.job(job_id)
    runner = world.store.tasks.get(job.task_id)
    if runner is not None:
        world.store.remove(runner)
    world.store.remove(job)
    return ""
