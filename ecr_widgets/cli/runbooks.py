"""`ecr-widgets runbooks`."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import click

from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import GivenPath, json_option
from ecr_widgets.cli.tables import Column, print_table
from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import Runbook, copy_runbooks, find_runbook, list_runbooks


@click.group(name="runbooks", cls=OurErrors, invoke_without_command=True)
@click.option("--parameters", "with_parameters", is_flag=True, help="Each parameter with type and default.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, with_parameters: bool, as_json: bool) -> None:
    """List the shipped runbooks, one per line; `runbooks show NAME` describes one and its parameters."""
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
    if with_parameters:
        for book in runbooks:
            click.echo(f"{book.name}: {book.title}")
            _tell_parameters(book)
        return
    name = Column[Runbook]("RUNBOOK", lambda book: book.name)
    title = Column[Runbook]("DOES", lambda book: book.title, least=20)
    parameters = Column[Runbook]("PARAMETERS", lambda book: ", ".join(p.name for p in book.parameters))
    print_table(runbooks, (name, title, parameters), (name, title), wide=False)


@command.command(name="show")
@click.argument("name", metavar="RUNBOOK")
def show(name: str) -> None:
    """Show what RUNBOOK (a name or a path) does, and which parameters it takes."""
    tell_runbook(find_runbook(name), values="each is given to `ecr-widgets run` as -p NAME VALUE")


def tell_runbook(book: Runbook, *, values: str) -> None:
    """Print what a runbook does, and the parameters that it takes.

    Args:
        values: How to give a value, in words.
    """
    click.echo(book.title)
    if book.purpose:
        click.echo()
        click.echo(click.wrap_text(book.purpose, width=_width()))
    click.echo(f"\nParameters ({values}):" if book.parameters else "\nIt takes no parameters.")
    _tell_parameters(book)


def _tell_parameters(book: Runbook) -> None:
    if sys.stdout.isatty():
        formatter = click.HelpFormatter(width=_width() - 4, indent_increment=4)
        formatter.indent()
        formatter.write_dl(
            [
                (p.name, f"{p.comment}  [{p.type} = {p.computed or repr(p.default)}]".strip())
                for p in book.parameters
            ],
            col_max=20,
        )
        click.echo(formatter.getvalue(), nl=False)
        return
    longest = max((len(f"{p.name}: {p.type}") for p in book.parameters), default=0)
    for p in book.parameters:
        head = f"{f'{p.name}: {p.type}':<{longest}} = {p.computed or repr(p.default)}"
        line = f"{head}   {p.comment}" if p.comment else head
        click.echo(f"    {line}")


def _width() -> int:
    """The width to fill: the terminal's, up to a readable maximum; in a pipe each entry stays on one line."""
    return min(100, shutil.get_terminal_size().columns) if sys.stdout.isatty() else sys.maxsize


@command.command(name="copy")
@click.argument("folder", type=GivenPath(file_okay=False))
def copy(folder: Path) -> None:
    """Copy the shipped runbooks and their files to FOLDER for editing; existing files are kept."""
    for path in copy_runbooks(
        folder, left=lambda path: click.echo(f"already exists, kept: {path}", err=True)
    ):
        click.echo(path)


@command.command(name="new")
@click.argument("name")
@click.option(
    "--folder",
    type=GivenPath(file_okay=False),
    default=Path(),
    help="Folder to write it to  [default: the current one]",
)
def new(name: str, *, folder: Path) -> None:
    """Write NAME.ipynb: a short runbook to start from, which runs and passes `runbooks check`."""
    from ecr_widgets.runbooks.template import new_runbook

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name, re.ASCII):
        raise InputError(f"name {name!r} refused", hint="a letter, then letters, digits, _ and -")
    if any(book.name == name for book in list_runbooks()):
        raise InputError(
            f"name {name!r} refused: `ecr-widgets run {name}` would run the shipped runbook of that name",
            hint="choose another name, or change the shipped one with `ecr-widgets runbooks copy`",
        )
    path = folder / f"{name}.ipynb"
    text = json.dumps(new_runbook(name), indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(f"{str(path)!r} already exists", hint="choose another name") from error
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be written: {error.strerror}", hint="give --folder"
        ) from error
    click.echo(path)


@command.command(name="check")
@click.argument("paths", nargs=-1, required=True, type=GivenPath())
@click.pass_context
def check(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """List what is wrong with the form of the runbooks at PATHS; exit code 1 if anything is.

    It checks for a title, purpose and operation note; one parameters cell, typed and commented; a check of the target; one
    step a cell, with a sentence before it on what to expect; no logic and no calls around the kit; no undeclared names; no
    secrets, in text and code; and no saved outputs.
    """
    from ecr_widgets.runbooks.form import check_form

    bad = False
    for path in paths:
        for breach in check_form(path):
            click.echo(f"{path}: {breach}")
            bad = True
    ctx.exit(1 if bad else 0)
