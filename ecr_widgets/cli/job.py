"""`ecr-widgets job`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ecr_widgets.cli.layer0_client import client
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, table, tell

if TYPE_CHECKING:
    from ecr_widgets.model.layer0 import Job


@click.group(name="job", cls=OurErrors)
def command() -> None:
    """Look at what Layer0 does in the background, and forget it."""


@command.command(name="list")
@json_option
def list_jobs(*, as_json: bool) -> None:
    """List all jobs that are still told of."""
    found = client().list_jobs()
    if as_json:
        print_json([_plain(each) for each in found])
        return
    table(("JOB", "STATE", "TASK"), [(each.job_id, _state(each), each.task_id or "") for each in found])


@command.command()
@click.argument("job_id")
@json_option
def show(job_id: str, *, as_json: bool) -> None:
    """Show one job by its id."""
    found = client().read_job(job_id)
    if as_json:
        print_json(_plain(found))
        return
    click.echo(f"{found.job_id}: {_state(found)}" + f", task {found.task_id}" * bool(found.task_id))


@command.command()
@click.argument("job_id")
@click.option("--tail", default=0, metavar="N", help="Last lines; 0 for all.")
@json_option
def logs(job_id: str, *, tail: int, as_json: bool) -> None:
    """Say what a job did, by its id; there alone it is told why one failed."""
    from ecr_widgets.model.text import visible

    layer0 = client()
    found = layer0.task_logs(layer0.read_job(job_id).runner_task_id, tail=tail)
    if as_json:
        print_json(plain(found))
        return
    for log in found:
        for line in log.lines:
            click.echo(visible(line))


@command.command()
@click.argument("job_id")
@json_option
def delete(job_id: str, *, as_json: bool) -> None:
    """Forget a job by its id, and stop what runs it; one that is gone is no error."""
    from ecr_widgets.connections import connect

    done = connect().layer0.delete_job(job_id)
    tell(done, f"{job_id}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)


def _state(job: Job) -> str:
    return job.state.name.lower().replace("_", " ")


def _plain(job: Job) -> object:
    # A request may hold values of a task's variables, which may be secret.
    return plain(replace(job, request="")) | {"state": _state(job)}
