"""`ecr-widgets sandbox`: the one command that imports the sandbox."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecr_widgets.cli.outcome import OurErrors
from ecr_widgets.cli.printing import GivenPath
from ecr_widgets.errors import SettingsError

if TYPE_CHECKING:
    from ecr_widgets.sandbox import Sandbox


@click.group(name="sandbox", cls=OurErrors)
@click.option(
    "--folder",
    type=GivenPath(file_okay=False),
    help="Where the sandbox keeps its state  [default: below your XDG state folder]",
)
@click.option(
    "--layer0-version",
    help="Version that its Layer0 reports; the `l0` command refuses any version other than its own"
    "  [default: the one it reported before, or v0.12.6]",
)
@click.pass_context
def command(ctx: click.Context, *, folder: Path | None, layer0_version: str | None) -> None:
    """Start and stop the embedded stand-ins: ECR, ECS, a Docker Engine and Layer0, on loopback only."""
    try:
        from ecr_widgets.sandbox import Sandbox
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the sandbox is not installed: no module {error.name!r}",
            hint="pip install 'ecr-widgets[sandbox]'",
        ) from error
    ctx.obj = Sandbox(folder, layer0_version=layer0_version)


@command.command()
@click.pass_obj
def up(sandbox: Sandbox) -> None:
    """Start the sandbox; one that is up is left alone, and one that was killed is resumed."""
    sandbox.start(progress=lambda text: click.echo(text, err=True))
    _say(sandbox)


@command.command()
@click.pass_obj
def status(sandbox: Sandbox) -> None:
    """Show whether the sandbox is up, where it answers and which engine it uses."""
    _say(sandbox)


@command.command()
@click.pass_obj
def env(sandbox: Sandbox) -> None:
    """Print export lines: `eval "$(ecr-widgets sandbox env)"` points aws, docker and l0 at it."""
    for name, value in sandbox.env().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@command.command()
@click.pass_obj
def down(sandbox: Sandbox) -> None:
    """Stop the sandbox and remove everything that it made."""
    sandbox.stop(progress=lambda text: click.echo(text, err=True))
    click.echo("the sandbox is down")


@command.command(name="exec", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def execute(ctx: click.Context, *, words: tuple[str, ...]) -> None:
    """Run a command with the sandbox's variables set."""
    environ = ctx.obj.environ(os.environ)
    try:
        ctx.exit(subprocess.run(words, env=environ, check=False).returncode)
    except OSError as error:
        raise SettingsError(f"cannot run {words[0]!r}: {error.strerror}") from error


def _say(sandbox: Sandbox) -> None:
    click.echo(sandbox.status().describe())
