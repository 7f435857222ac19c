"""Which of Layer0's jobs is a task's own: a job tells what it asked for, but not who asked."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecr_widgets.errors import DeploymentFailed, OutcomeUnknown
from ecr_widgets.model.layer0 import Job, check_entity_name
from ecr_widgets.model.record import KNOWN_JOBS
from ecr_widgets.ports import Layer0
from ecr_widgets.steps.shared.service_lookup import find_environment

EnvVars = Mapping[str, Mapping[str, str]]
"""Values of environment variables by container name."""
JOBS_ARE_KEPT = timedelta(hours=1)
"""Then Layer0's janitor may drop the job of a task that was started."""


@dataclass(frozen=True, slots=True)
class EarlierTask:
    """What is known of a task that an earlier attempt asked for, without knowing what became of it."""

    asked_at: datetime
    known_jobs: Collection[str]
    """Jobs that had asked for the same before: none of them is its."""
    later_jobs: Collection[str] | None
    """Jobs that had asked for the same when the next such task was asked for: its is among them. None where none was."""

    @classmethod
    def of(cls, call: Any) -> EarlierTask | None:
        """What to look for where a call's end is not known: neither that nothing was started nor that all of it ended.

        Args:
            call: What is left of the call of an earlier attempt; None where there is none.
        """
        if call is None or (call.record.error or {}).get("type") == DeploymentFailed.__name__:
            return None
        known_jobs = call.record.inputs.get(KNOWN_JOBS, ())
        if known_jobs is None:
            return None  # it ended while it looked: nothing was started
        return cls(
            call.record.started_at,
            known_jobs,
            None if call.next_alike is None else call.next_alike.inputs.get(KNOWN_JOBS, ()),
        )


def jobs_alike(
    layer0: Layer0, environment: str, name: str, deploy_id: str, env_vars: EnvVars | None = None
) -> frozenset[str]:
    """Ids of the jobs that ask for just this task.

    Raises:
        EntityNotFound: No such environment.
    """
    check_entity_name(name, kind="task")
    found = find_environment(layer0, environment)
    wanted = (found.environment_id, name, deploy_id, _plain(env_vars or {}))
    return frozenset(job.job_id for job in layer0.list_jobs() if _asked(job) == wanted)


def started_earlier(name: str, jobs: frozenset[str], earlier: EarlierTask, now: datetime) -> str | None:
    """The job that an earlier attempt made; None where it made none."""
    found = jobs - frozenset(earlier.known_jobs)
    if earlier.later_jobs is not None:
        found &= frozenset(earlier.later_jobs)
    if len(found) > 1:
        raise OutcomeUnknown(
            f"{len(found)} jobs ask for task {name!r} just as this run did: which is its own cannot be told"
            f" ({', '.join(sorted(found))})",
            hint="look at each with `ecr-widgets job show`; start a new run where the task is to run once more",
        )
    if not found and now - earlier.asked_at >= JOBS_ARE_KEPT:
        raise OutcomeUnknown(
            f"an earlier attempt of this run asked for task {name!r}, and Layer0 has forgotten what became of it",
            hint="look at what the task was to do; start a new run where it is to run once more",
        )
    return next(iter(found), None)


def _asked(job: Job) -> tuple[str, str, str, EnvVars] | None:
    """What a task's job was asked for; None for other jobs."""
    try:
        request = json.loads(job.request)
        overrides = {
            each["container_name"]: dict(each["environment_overrides"])
            for each in request["container_overrides"] or ()
        }
        return request["environment_id"], request["task_name"], request["deploy_id"], overrides
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _plain(env_vars: EnvVars) -> EnvVars:
    return {container: dict(values) for container, values in env_vars.items()}
