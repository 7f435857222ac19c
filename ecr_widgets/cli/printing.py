"""How the commands print results: a table or a line for people, one JSON document for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.model.paths import path_of

Command = TypeVar("Command", bound=Callable[..., Any])


class GivenPath(click.Path):
    """A file or folder as a person gives it: not every `~` comes through a shell."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(path_of(value), param, ctx)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
"""If the command fails, its error is the document."""
service_file_option = click.option(
    "--service-file",
    type=GivenPath(dir_okay=False),
    help="How a service of ECS is created, in CreateService's form.",
)


class _Place(GivenPath):
    """A folder or a bucket."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and not isinstance(place := place_of(value), Path):
            return place
        return super().convert(value, param, ctx)


def runs_option(what: str) -> Callable[[Command], Command]:
    """`--runs DIR`.

    Args:
        what: What the folder or bucket is for.
    """
    return click.option(
        "--runs",
        type=_Place(file_okay=False),
        default=lambda: os.environ.get("ECR_WIDGETS_RUNS") or "runs",
        help=f"{what}  [default: $ECR_WIDGETS_RUNS or ./runs]",
    )


def tell(value: Any, line: str, *, as_json: bool) -> None:
    """Print the outcome of a step: one JSON document, or a line for people."""
    if as_json:
        print_json(plain(value))
    else:
        click.echo(line)


def plain(value: Any) -> Any:
    """Convert one of our values to JSON types as in records: images to references, times to RFC 3339."""
    from ecr_widgets.recording.recorder import as_json

    return as_json(value)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; control characters are shown as text."""
    from ecr_widgets.model.text import visible

    texts = [list(headers), *([visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headers))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
