"""What the Layer0 verbs share: the client, tables, our times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.errors import InputError, SettingsError
from ecr_widgets.settings import Settings

if TYPE_CHECKING:
    from ecr_widgets.adapters.layer0.client import Layer0Api

Command = TypeVar("Command", bound=Callable[..., Any])


def client() -> Layer0Api:
    """The client for what the environment names.

    Raises:
        SettingsError: It names no Layer0.
    """
    from ecr_widgets.adapters.layer0.client import Layer0Api

    settings = Settings.from_environment().layer0
    if settings is None:
        raise SettingsError(
            "LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are not set", hint="take both from `l0-setup endpoint`"
        )
    return Layer0Api(settings)


def json_option(command: Command) -> Command:
    """`--json`, as everywhere."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def tell(value: Any, line: str, *, as_json: bool) -> None:
    """Print what a step gave: one JSON document, or a line for people."""
    if as_json:
        print_json(plain(value))
    else:
        click.echo(line)


def plain(value: Any) -> Any:
    """A value of ours as JSON has it."""

    def written(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: written(item) for key, item in found.items()}
        if isinstance(found, (list, tuple)):
            return [written(item) for item in found]
        if isinstance(found, datetime):
            return found.isoformat().replace("+00:00", "Z")
        if isinstance(found, bytes):
            return found.decode(errors="replace")
        return found

    return written([asdict(each) for each in value] if isinstance(value, (list, tuple)) else asdict(value))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; what could move the cursor is shown as text."""
    from ecr_widgets.model.text import visible

    texts = [list(headers), *([visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headers))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(text: str | None) -> datetime | None:
    """A time as people write it: `2026-11-23 17:00`, `2026-11-23T17:00:00Z`, UTC where no zone is given.

    Raises:
        InputError: It is no time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"time {text!r} refused", hint="write 2026-11-23 17:00, which is UTC") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
