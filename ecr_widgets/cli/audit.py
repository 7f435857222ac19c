"""`ecr-widgets audit`: questions to a folder of saved runs; nothing outside is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecr_widgets.cli.outcome import OurErrors, print_json

if TYPE_CHECKING:
    from ecr_widgets.audit.query import Query

_Command = TypeVar("_Command", bound=Callable[..., Any])
_VERDICTS = ("proven", "unproven", "failed", "interrupted", "running", "tampered", "foreign", "unreadable")


@click.group(name="audit", cls=OurErrors)
def command() -> None:
    """Say what happened, proven from the saved notebooks alone."""


def _runs_option(function: _Command) -> _Command:
    return click.option(
        "--runs",
        type=click.Path(path_type=Path, file_okay=False),
        default=lambda: os.environ.get("ECR_WIDGETS_RUNS") or "runs",
        help="Folder of saved runs  [default: $ECR_WIDGETS_RUNS or ./runs]",
    )(function)


def _filters(function: _Command) -> _Command:
    for option in reversed((
        click.option("--state", help=f"A verdict ({', '.join(_VERDICTS)}) or a run's own state."),
        click.option("--since", metavar="TIME", help="2026-01-31, an RFC 3339 time, or an age: 12h, 7d, 2w."),
        click.option("--runbook", help="Name of a runbook."),
        click.option("--digest", help="Digest of an image, or its beginning."),
        click.option("--service", help="A service, or ENVIRONMENT/SERVICE."),
    )):  # fmt: skip
        function = option(function)
    return function


def _query(**given: str | None) -> Query:
    from ecr_widgets.audit.query import Query, parse_since

    since = given.pop("since")
    return Query(since=parse_since(since, now=datetime.now(UTC)) if since else None, **given)


@command.command(name="list")
@_runs_option
@_filters
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--rebuild", is_flag=True, help="Forget the index and read every notebook again.")
def list_(*, runs: Path, as_json: bool, rebuild: bool, **given: str | None) -> None:
    """List saved runs with their verdicts, newest first."""
    from ecr_widgets.audit.index import open_index

    query = _query(**given)
    with open_index(runs, rebuild=rebuild) as index:
        if as_json:
            print_json([row.to_json() for row in index.rows(query)])
            return
        for row in index.rows(query):
            took = "" if row.duration_s is None else f"{row.duration_s:.1f} s"
            told = f"{row.verdict:<11} {(row.started_at or '-'):<24} {took:>9}  {row.runbook or '-':<12}"
            about = ", ".join(row.services) or "-"
            click.echo(_line(f"{told} {about:<20} {row.path}" + (f"  ({row.why})" if row.why else "")))


@command.command()
@click.argument("run")
@_runs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def show(*, run: str, runs: Path, as_json: bool) -> None:
    """Show RUN, given by its id, the beginning of one, or its path below the runs folder."""
    from ecr_widgets.audit.index import open_index
    from ecr_widgets.audit.showing import show_run, to_text

    with open_index(runs) as index:
        row = index.find(run)
    told = show_run(runs, row)
    if as_json:
        print_json(told)
        return
    for line in to_text(told):
        click.echo(_line(line))


def _line(text: str) -> str:
    """One line in which nothing acts on the terminal."""
    from ecr_widgets.model.text import visible

    return visible(text).replace("\n", "\\n")
