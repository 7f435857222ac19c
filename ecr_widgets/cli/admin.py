"""`ecr-widgets admin`."""

from __future__ import annotations

from typing import Any

import click

import ecr_widgets
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, tell
from ecr_widgets.cli.targets import client


@click.group(name="admin", cls=OurErrors)
def command() -> None:
    """Check, show and maintain a Layer0 itself."""


@command.command()
@json_option
def show(*, as_json: bool) -> None:
    """Show whether Layer0 is healthy, its version and its configuration."""
    layer0 = client()
    answer: dict[str, Any] = {
        "healthy": layer0.is_healthy(),
        "version": layer0.version(),
        "config": dict(layer0.config()),
    }
    if as_json:
        print_json(answer)
        return
    click.echo(f"Layer0 {answer['version']} is {'healthy' if answer['healthy'] else 'not healthy'}")
    for name, value in answer["config"].items():
        click.echo(f"  {name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


@command.command()
@click.argument("environment")
@json_option
def scale(environment: str, *, as_json: bool) -> None:
    """Run the scaler for ENVIRONMENT now, and show what it decided."""
    done = ecr_widgets.connect().layer0.scale_environment(environment)
    tell(
        done,
        f"{environment}: from {done.before} to {done.after} instances, {done.desired} wanted",
        as_json=as_json,
    )


@command.command(name="restore-tags")
@json_option
def restore_tags(*, as_json: bool) -> None:
    """Restore the tags of Layer0's own entities, if someone removed them."""
    done = ecr_widgets.connect().layer0.restore_own_tags()
    tell(done, "restored the tags of Layer0's own entities", as_json=as_json)
