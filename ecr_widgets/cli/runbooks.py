"""`ecr-widgets runbooks`."""

from __future__ import annotations

from pathlib import Path

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.runbooks import Runbook, copy_runbooks, list_runbooks


@click.group(name="runbooks", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the shipped runbooks with their parameters."""
    if ctx.invoked_subcommand is not None:
        return
    runbooks = list_runbooks()
    if as_json:
        print_json(
            [
                {
                    "name": book.name,
                    "title": book.title,
                    "parameters": [
                        {"name": p.name, "type": p.type, "default": p.default, "comment": p.comment}
                        for p in book.parameters
                    ],
                }
                for book in runbooks
            ]
        )
        return
    for book in runbooks:
        click.echo(f"{book.name}: {book.title}")
        _tell_parameters(book)


def tell_runbook(book: Runbook, *, values: str) -> None:
    """What a runbook does, and the parameters it takes.

    Args:
        values: How a value is given.
    """
    click.echo(book.title)
    if book.purpose:
        click.echo()
        click.echo(click.wrap_text(book.purpose, width=100))
    click.echo(f"\nParameters ({values}):" if book.parameters else "\nIt takes no parameters.")
    _tell_parameters(book)


def _tell_parameters(book: Runbook) -> None:
    width = max((len(f"{p.name}: {p.type}") for p in book.parameters), default=0)
    for p in book.parameters:
        head = f"{p.name}: {p.type}"
        click.echo(f"    {head:<{width}} = {p.default!r}" + (f"   {p.comment}" if p.comment else ""))


@command.command(name="copy")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def copy(folder: Path) -> None:
    """Copy the shipped runbooks and their files to FOLDER for editing; files that are there are left alone."""
    for path in copy_runbooks(folder):
        click.echo(path)
