"""`ecr-widgets task`."""

from __future__ import annotations

from pathlib import Path

import click

import ecr_widgets
from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, service_file_option, table, tell
from ecr_widgets.cli.targets import OWN_ENVIRONMENT, find_deploy, services_of
from ecr_widgets.cli.waiting import timeout_option
from ecr_widgets.errors import InputError


@click.group(name="task", cls=OurErrors)
def command() -> None:
    """Run a deploy once; list, show and delete tasks."""


@command.command()
@click.argument("environment")
@click.argument("task")
@click.argument("deploy")
@click.option(
    "--env",
    "env_vars",
    multiple=True,
    metavar="CONTAINER:NAME=VALUE",
    help="Override a variable; repeatable.",
)
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until its containers have ended."
)
@service_file_option
@timeout_option(3600.0)
@override_option
@json_option
def run(
    environment: str,
    task: str,
    deploy: str,
    *,
    env_vars: tuple[str, ...],
    wait: bool,
    service_file: Path | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Run DEPLOY (a name for its latest version, NAME:VERSION or an id) once, as TASK.

    Exit code 0 if all of its essential containers end with exit code 0; otherwise 1, and their codes are shown.
    """
    overrides: dict[str, dict[str, str]] = {}
    for given in env_vars:
        container, colon, rest = given.partition(":")
        name, equals, value = rest.partition("=")
        if not (container and colon and name and equals):
            raise InputError(f"--env {given!r} refused", hint="write CONTAINER:NAME=VALUE")
        overrides.setdefault(container, {})[name] = value
    kit = ecr_widgets.connect()
    deploy_id = find_deploy(kit.look.target(environment), deploy)
    done = kit.create_task(
        environment,
        task,
        deploy_id,
        env_vars=overrides,
        wait=wait,
        service_file=service_file,
        timeout_s=timeout_s,
    )
    if not as_json:
        for line in done.log:
            click.echo(line)
    ended = ", ".join(f"{name} ended with {code}" for name, code in done.exit_codes.items()) or "started"
    tell(done, f"{task} ({done.task_id}): {ended}", as_json=as_json)


@command.command(name="list")
@click.argument("environment", required=False)
@click.option("--all", "with_jobs", is_flag=True, help="Include those that run Layer0's own jobs.")
@json_option
def list_tasks(environment: str | None, *, with_jobs: bool, as_json: bool) -> None:
    """List the tasks that have a name, of all environments or of ENVIRONMENT."""
    from ecr_widgets.steps.shared.service_lookup import find_environment

    services = services_of(environment)
    where = find_environment(services, environment).environment_id if environment else None
    tasks = [
        each
        for each in services.list_tasks(where)
        if where is not None or with_jobs or each.environment_id != OWN_ENVIRONMENT
    ]
    if as_json:
        print_json(plain(tasks))
        return
    table(("TASK", "ENVIRONMENT", "ID"), [(each.name, each.environment, each.entity_id) for each in tasks])


@command.command()
@click.argument("task")
@json_option
def show(task: str, *, as_json: bool) -> None:
    """Show TASK (a name, ENVIRONMENT:NAME or id): what its containers do, or how they ended."""
    from ecr_widgets.steps.shared.task_lookup import find_task

    details = find_task(services_of(task), task)
    if as_json:
        print_json(plain(details))
        return
    click.echo(
        f"{details.name} ({details.task_id}) of deploy {details.deploy_id}"
        + f": {details.reason}" * bool(details.reason)
    )
    for each in details.containers:
        never_ran = " and never ran" if each.last_status == "STOPPED" else ""
        ended = f" with exit code {each.exit_code}" if each.exit_code is not None else never_ran
        click.echo(
            f"  {each.name}: {each.last_status.lower()}{ended}" + f", {each.reason}" * bool(each.reason)
        )


@command.command()
@click.argument("task")
@json_option
def delete(task: str, *, as_json: bool) -> None:
    """Stop and delete TASK (a name, ENVIRONMENT:NAME or id); no error if it does not exist."""
    done = ecr_widgets.connect().layer0.delete_task(task)
    tell(done, f"{task}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)
