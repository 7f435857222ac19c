"""`ecr-widgets environment`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import ecr_widgets
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import GivenPath, json_option, plain, table, tell
from ecr_widgets.cli.targets import client
from ecr_widgets.cli.waiting import timeout_option


@click.group(name="environment", cls=OurErrors)
def command() -> None:
    """Create, list, show, link, resize and delete Layer0's environments."""


@command.command(name="list")
@json_option
def list_environments(*, as_json: bool) -> None:
    """List all environments."""
    environments = client().list_environments()
    if as_json:
        print_json(plain(environments))
        return
    table(
        ("ENVIRONMENT", "OS", "ID"),
        [(each.name, each.operating_system, each.environment_id) for each in environments],
    )


@command.command()
@click.argument("environment")
@json_option
def show(environment: str, *, as_json: bool) -> None:
    """Show ENVIRONMENT: its instances and links."""
    from ecr_widgets.steps.shared.service_lookup import find_environment

    layer0 = client()
    details = layer0.read_environment(find_environment(layer0, environment).environment_id)
    if as_json:
        print_json(plain(details))
        return
    click.echo(
        f"{details.name} ({details.environment_id}), {details.operating_system}, {details.instance_size}"
    )
    click.echo(f"  {details.cluster_count} instances, {details.min_count} to {details.max_count}")
    names = {each.environment_id: each.name for each in layer0.list_environments()} if details.links else {}
    for each in details.links:
        click.echo(f"  linked with {names.get(each, each)}")


@command.command()
@click.argument("environment")
@click.option(
    "--size", "instance_size", default="m3.medium", show_default=True, help="Type of the instances."
)
@click.option("--min-count", default=0, show_default=True, help="Minimum number of instances.")
@click.option("--max-count", default=0, help="Maximum number of instances  [default: the minimum]")
@click.option(
    "--os", "operating_system", type=click.Choice(["linux", "windows"]), default="linux", show_default=True
)
@click.option("--ami", "ami_id", default="", help="AMI of the instances  [default: the server's]")
@click.option(
    "--user-data",
    type=GivenPath(dir_okay=False),
    help="Template of the script that an instance runs when it starts  [default: the server's]",
)
@json_option
def create(environment: str, *, user_data: Path | None, as_json: bool, **options: Any) -> None:
    """Create ENVIRONMENT if it does not exist; an existing one is not changed."""
    from ecr_widgets.steps.shared.runbook_files import RunbookFiles

    script = b"" if user_data is None else RunbookFiles().read(user_data)
    done = ecr_widgets.connect().layer0.create_environment(environment, user_data=script, **options)
    word = "created" if done.changed else "already exists"
    tell(done, f"{environment} ({done.environment_id}): {word}", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("count", type=int)
@json_option
def size(environment: str, count: int, *, as_json: bool) -> None:
    """Set the minimum number of ENVIRONMENT's instances to COUNT."""
    done = ecr_widgets.connect().layer0.set_min_count(environment, count)
    tell(done, f"{environment}: at least {done.min_count} instances", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("other")
@json_option
def link(environment: str, other: str, *, as_json: bool) -> None:
    """Link two environments, so that they can reach each other."""
    _link(environment, other, linked=True, as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("other")
@json_option
def unlink(environment: str, other: str, *, as_json: bool) -> None:
    """Remove the link between two environments."""
    _link(environment, other, linked=False, as_json=as_json)


@command.command()
@click.argument("environment")
@timeout_option(1800.0)
@json_option
def delete(environment: str, *, timeout_s: float, as_json: bool) -> None:
    """Delete ENVIRONMENT and everything in it; no error if it does not exist."""
    done = ecr_widgets.connect().layer0.delete_environment(environment, timeout_s=timeout_s)
    tell(done, f"{environment}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)


def _link(environment: str, other: str, *, linked: bool, as_json: bool) -> None:
    done = ecr_widgets.connect().layer0.link_environments(environment, other, linked=linked)
    word = "linked" if linked else "not linked"
    tell(done, f"{environment} and {other}: {word}", as_json=as_json)
