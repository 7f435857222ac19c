"""`ecr-widgets job`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

import ecr_widgets
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, table, tell
from ecr_widgets.cli.targets import client

if TYPE_CHECKING:
    from ecr_widgets.model.layer0 import Job


@click.group(name="job", cls=OurErrors)
def command() -> None:
    """List, show and delete Layer0's background jobs."""


@command.command(name="list")
@json_option
def list_jobs(*, as_json: bool) -> None:
    """List the jobs that Layer0 still knows."""
    jobs = client().list_jobs()
    if as_json:
        print_json([_plain(each) for each in jobs])
        return
    table(("JOB", "STATE", "TASK"), [(each.job_id, _state(each), each.task_id or "") for each in jobs])


@command.command()
@click.argument("job_id")
@json_option
def show(job_id: str, *, as_json: bool) -> None:
    """Show the job JOB_ID."""
    job = client().read_job(job_id)
    if as_json:
        print_json(_plain(job))
        return
    click.echo(f"{job.job_id}: {_state(job)}" + f", task {job.task_id}" * bool(job.task_id))


@command.command()
@click.argument("job_id")
@click.option("--tail", default=0, metavar="N", help="Last lines; 0 for all.")
@json_option
def logs(job_id: str, *, tail: int, as_json: bool) -> None:
    """Show the log of JOB_ID: the only place that says why a job failed."""
    from ecr_widgets.model.text import visible

    layer0 = client()
    container_logs = layer0.task_logs(layer0.read_job(job_id).runner_task_id, tail=tail)
    if as_json:
        print_json(plain(container_logs))
        return
    for log in container_logs:
        for line in log.lines:
            click.echo(visible(line))


@command.command()
@click.argument("job_id")
@json_option
def delete(job_id: str, *, as_json: bool) -> None:
    """Delete the job JOB_ID and stop its task; no error if it does not exist."""
    done = ecr_widgets.connect().layer0.delete_job(job_id)
    tell(done, f"{job_id}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)


def _state(job: Job) -> str:
    return job.state.name.lower().replace("_", " ")


def _plain(job: Job) -> object:
    # A request may contain values of a task's variables, which may be secret.
    return plain(replace(job, request="")) | {"state": _state(job)}
