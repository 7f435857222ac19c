"""`ecr-widgets task`."""

from __future__ import annotations

import click

from ecr_widgets.cli.layer0 import client
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, table, tell
from ecr_widgets.errors import EntityNotFound, InputError


@click.group(name="task", cls=OurErrors)
def command() -> None:
    """Run deploys once, look at tasks and delete them."""


@command.command()
@click.argument("environment")
@click.argument("task")
@click.argument("deploy")
@click.option(
    "--env",
    "env_vars",
    multiple=True,
    metavar="CONTAINER:NAME=VALUE",
    help="Overrides a variable; repeatable.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until its containers ended.")
@click.option("--timeout", "timeout_s", default=3600.0, show_default=True, help="Longest wait, in seconds.")
@json_option
def run(
    environment: str,
    task: str,
    deploy: str,
    *,
    env_vars: tuple[str, ...],
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Run a DEPLOY (its name for the latest, NAME:VERSION or an id) once; its exit codes are this command's."""
    from ecr_widgets.connections import connect

    overrides: dict[str, dict[str, str]] = {}
    for given in env_vars:
        container, colon, rest = given.partition(":")
        name, equals, value = rest.partition("=")
        if not (container and colon and name and equals):
            raise InputError(f"--env {given!r} refused", hint="write CONTAINER:NAME=VALUE")
        overrides.setdefault(container, {})[name] = value
    deploy_id = find_deploy(deploy)
    done = connect().create_task(
        environment, task, deploy_id, env_vars=overrides, wait=wait, timeout_s=timeout_s
    )
    if not as_json:
        for line in done.log:
            click.echo(line)
    ended = ", ".join(f"{name} ended with {code}" for name, code in done.exit_codes.items()) or "started"
    tell(done, f"{task} ({done.task_id}): {ended}", as_json=as_json)


@command.command(name="list")
@click.argument("environment", required=False)
@json_option
def list_tasks(environment: str | None, *, as_json: bool) -> None:
    """List tasks that have a name, of all environments or one."""
    from ecr_widgets.steps.deploy_service import find_environment

    layer0 = client()
    where = find_environment(layer0, environment).environment_id if environment else None
    found = layer0.list_tasks(where)
    if as_json:
        print_json(plain(found))
        return
    table(("TASK", "ENVIRONMENT", "ID"), [(each.name, each.environment, each.entity_id) for each in found])


@command.command()
@click.argument("task_id")
@json_option
def show(task_id: str, *, as_json: bool) -> None:
    """Show one task by its id: what its containers do, or how they ended."""
    found = client().read_task(task_id)
    if as_json:
        print_json(plain(found))
        return
    click.echo(
        f"{found.name} ({found.task_id}) of deploy {found.deploy_id}"
        + f": {found.reason}" * bool(found.reason)
    )
    for each in found.containers:
        never_ran = " and never ran" if each.last_status == "STOPPED" else ""
        ended = f" with exit code {each.exit_code}" if each.exit_code is not None else never_ran
        click.echo(
            f"  {each.name}: {each.last_status.lower()}{ended}" + f", {each.reason}" * bool(each.reason)
        )


@command.command()
@click.argument("task_id")
@json_option
def delete(task_id: str, *, as_json: bool) -> None:
    """Stop a task by its id, and forget it."""
    client().delete_task(task_id)
    if as_json:
        print_json({"task_id": task_id, "changed": True})
    else:
        click.echo(f"{task_id}: deleted")


def find_deploy(text: str) -> str:
    """Id of a deploy by name, NAME:VERSION or id.

    Raises:
        EntityNotFound: There is none.
    """
    layer0 = client()
    name, colon, version = text.partition(":")
    if colon and version != "latest":
        return layer0.read_deploy(f"{name}.{version}").deploy_id
    if not colon and "." in text:
        return layer0.read_deploy(text).deploy_id
    found = layer0.find_latest_deploy(name)
    if found is None:
        raise EntityNotFound(f"deploy {name!r} does not exist in this Layer0", hint="create it first")
    return found.deploy_id
