"""`ecr-widgets deploys`."""

from __future__ import annotations

import base64

import click

import ecr_widgets
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, tell
from ecr_widgets.cli.tables import Column, print_table, wide_option
from ecr_widgets.cli.targets import client, find_deploy, services_of
from ecr_widgets.model.services import Dialect

_JOBS = "job"
"""The name under which Layer0 stores the deploys of its own background jobs."""


@click.group(name="deploys", cls=OurErrors)
def command() -> None:
    """List, show and delete the Dockerruns that Layer0 stores, or the task definitions of ECS.

    `ecr-widgets deploy` stores and runs one.
    """


@command.command(name="list")
@click.argument("name", required=False)
@click.option("--all", "with_all", is_flag=True, help="All versions of every name.")
@click.option("--environment", metavar="ecs:CLUSTER", help="Ask ECS; without it, Layer0.")
@wide_option
@json_option
def list_deploys(
    name: str | None, *, with_all: bool, environment: str | None, wide: bool, as_json: bool
) -> None:
    """List the latest deploy of each name, or all versions of one NAME."""
    services = services_of(environment)
    stored = services.list_deploys(name) if name else services.list_all_deploys()
    if not name and not with_all:
        stored = tuple({each.name: each for each in stored if each.name}.values())
    if as_json:
        print_json(plain(stored))
        return
    own = (
        []
        if name or with_all
        else [each for each in stored if each.name == _JOBS and services.dialect() is Dialect.LAYER0]
    )
    print_table(
        [each for each in stored if each not in own],
        (
            Column("DEPLOY", lambda each: each.name),
            Column("VERSION", lambda each: each.version),
            Column("ID", lambda each: each.deploy_id),
        ),
        (Column("DEPLOY", lambda each: each.deploy_id),),
        wide=wide,
    )
    if own:
        click.echo("not shown: Layer0's own jobs; --all lists them", err=True)


@command.command()
@click.argument("deploy")
@click.option("--environment", metavar="ecs:CLUSTER", help="Ask ECS; without it, Layer0.")
@json_option
def show(deploy: str, *, environment: str | None, as_json: bool) -> None:
    """Show the document of DEPLOY: a name for its latest version, NAME:VERSION or an id."""
    services = services_of(environment)
    stored = services.read_deploy(find_deploy(services, deploy))
    document = stored.dockerrun or b""
    if as_json:
        print_json(plain(stored) | {"dockerrun": base64.b64encode(document).decode()})
        return
    click.echo(document)


@command.command()
@click.argument("deploy")
@json_option
def delete(deploy: str, *, as_json: bool) -> None:
    """Delete DEPLOY, given as NAME:VERSION or an id; services that run it keep running."""
    from ecr_widgets.errors import EntityNotFound, InputError

    if ":" not in deploy and "." not in deploy:
        raise InputError(f"deploy {deploy!r} refused", hint="say which version: NAME:VERSION or an id")
    try:
        deploy_id = find_deploy(client(), deploy)
    except EntityNotFound:
        deploy_id = deploy
    done = ecr_widgets.connect().layer0.delete_deploy(deploy_id)
    tell(done, f"{deploy}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)
