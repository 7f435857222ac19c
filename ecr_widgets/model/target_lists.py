"""A fleet's targets as people write them: one set of parameters per line, as JSON or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from io import StringIO
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.fleet import Target, name_targets, spelled
from ecr_widgets.model.parameters import Parameter, default_values, read_parameters

MOST_TARGETS = 10_000
_FILES = (".jsonl", ".ndjson", ".json", ".csv")

Check = Callable[[Mapping[str, Any]], object]
"""Refuses a set of parameters by raising InputError."""


class Source(StrEnum):
    """Where targets come from."""

    TEXT = "text"
    FILE = "file"
    SERVICES = "services"


def source_of(targets: str) -> Source:
    """Guess what is meant: JSON objects are a list; a `/` and a `*` mean services, unless it ends like a list's file."""
    if targets.lstrip()[:1] in ("{", "["):
        return Source.TEXT
    if "/" in targets and "*" in targets and not targets.endswith(_FILES):
        return Source.SERVICES
    return Source.FILE


def read_targets(
    text: str,
    declared: Sequence[Parameter],
    *,
    common: Mapping[str, str],
    check: Check = lambda _: None,
    named: str = "targets",
) -> tuple[Target, ...]:
    """Parse targets: JSON lines or one JSON list of objects; anything else is CSV with the parameter names in the first line.

    Args:
        declared: What the runbook takes.

        common: Parameters of all targets, as a person typed them; a target's own override them.

        check: Checks each set before anything else does: other errors would show its values.

        named: What the list is called in messages, such as its file.

    Raises:
        InputError: There are no targets, a target occurs twice, a parameter is not declared, or a value is of the wrong type; the
            message names the line.
    """
    sets: list[Mapping[str, Any]] = []
    seen: dict[str, int] = {}
    defaults = default_values(declared)
    is_json = text.lstrip()[:1] in ("{", "[")
    for line, given in _from_json(text, named) if is_json else _from_csv(text, named):
        try:
            check(given)
            if is_json:
                others = {name: value for name, value in common.items() if name not in given}
                parameters = read_parameters(declared, values=given, texts=others)
            else:
                parameters = read_parameters(declared, values={}, texts={**common, **given})
        except InputError as error:
            raise InputError(f"{named}, line {line}: {error.message}", hint=error.hint) from error
        before = seen.setdefault(spelled(defaults | parameters), line)
        if before != line:
            raise InputError(
                f"{named}, line {line}: the same target as in line {before}", hint="leave one of them out"
            )
        if len(seen) > MOST_TARGETS:
            raise InputError(
                f"{named}: more than {MOST_TARGETS} targets", hint="split them into several fleets"
            )
        sets.append(parameters)
    if not sets:
        raise InputError(f"{named}: no target", hint="give one set of parameters per line")
    return name_targets(sets)


def _from_json(text: str, named: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if text.lstrip().startswith("["):
        each: Iterator[tuple[int, Any]] = enumerate(_decoded(text, named, 1), 1)
    else:
        each = (
            (number, _decoded(line, named, number))
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        )
    for number, value in each:
        if not isinstance(value, dict):
            raise InputError(f"{named}, line {number}: not a JSON object", hint='write {"service": "web"}')
        yield number, value


def _decoded(text: str, named: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{named}, line {line}: {error.message}") from error
        why = (
            f"{error.msg} at character {error.pos + 1}"
            if isinstance(error, json.JSONDecodeError)
            else "too deep"
        )
        raise InputError(
            f"{named}, line {line}: not JSON: {why}", hint="write one object per line, or one list of objects"
        ) from error


def _from_csv(text: str, named: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    rows = csv.reader(StringIO(text), strict=True)
    names: list[str] | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if names is None:
                names = [cell.strip() for cell in row]
                if len(set(names)) < len(names) or not all(names):
                    raise InputError(
                        f"{named}, line {rows.line_num}: a column without a name, or two of one name",
                        hint="write the parameters' names in the first line",
                    )
            elif len(row) != len(names):
                raise InputError(
                    f"{named}, line {rows.line_num}: {len(row)} values for {len(names)} parameters",
                    hint="put values with commas in double quotes",
                )
            else:
                yield rows.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{named}, line {rows.line_num}: not CSV: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InputError("an object gives a parameter twice")
    return members
