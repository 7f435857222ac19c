"""`ecr-widgets admin`."""

from __future__ import annotations

from typing import Any

import click

from ecr_widgets.cli.layer0_client import client
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, tell


@click.group(name="admin", cls=OurErrors)
def command() -> None:
    """Look at a Layer0 as such, and after it."""


@command.command()
@json_option
def show(*, as_json: bool) -> None:
    """Say whether it is well, its version, and how it was set up."""
    layer0 = client()
    told: dict[str, Any] = {
        "healthy": layer0.is_healthy(),
        "version": layer0.version(),
        "config": dict(layer0.config()),
    }
    if as_json:
        print_json(told)
        return
    click.echo(f"Layer0 {told['version']} is {'well' if told['healthy'] else 'not well'}")
    for name, value in told["config"].items():
        click.echo(f"  {name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


@command.command()
@click.argument("environment")
@json_option
def scale(environment: str, *, as_json: bool) -> None:
    """Have the scaler look after an ENVIRONMENT's instances at once, and say what it found."""
    from ecr_widgets.connections import connect

    done = connect().layer0.scale_environment(environment)
    tell(
        done,
        f"{environment}: from {done.before} to {done.after} instances, {done.desired} wanted",
        as_json=as_json,
    )


@command.command(name="restore-tags")
@json_option
def restore_tags(*, as_json: bool) -> None:
    """Write the tags of Layer0's own entities anew, where somebody has taken them away."""
    from ecr_widgets.connections import connect

    done = connect().layer0.restore_own_tags()
    tell(done, "the tags of Layer0's own entities are written anew", as_json=as_json)
