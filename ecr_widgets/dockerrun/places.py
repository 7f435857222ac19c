"""Values of a document by paths such as `containerDefinitions/*/links`, and rules that fit in a table of paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.errors import InvalidDockerrun


def places(value: Any, path: str, at: str) -> Iterator[tuple[str, Any]]:
    """The values at a path, with their JSON pointers; an empty member counts as absent.

    Args:
        path: Names of members, which the document may spell in any case, and `*` for each item of a list.

        at: JSON pointer of the value.
    """
    name, _, rest = path.partition("/")
    inner: Iterable[tuple[str | int, Any]] = (
        enumerate(value) if name == "*" else _filled(*member(value, name))
    )
    for key, item in inner:
        if rest:
            yield from places(item, rest, step(at, key))
        else:
            yield step(at, key), item


def _filled(key: str, item: Any) -> tuple[tuple[str, Any], ...]:
    return () if item is None or item is False or item in ("", [], {}) else ((key, item),)


def refuse(document: Any, paths: Iterable[str], root: str, who: str, hint: str) -> None:
    """Refuse members that `who` does not have."""
    for path in paths:
        for at, _ in places(document, path, root):
            raise InvalidDockerrun(f"{who} has no {path.rpartition('/')[2]}", pointer=at, hint=hint)


def check_limits(document: Any, limits: Mapping[str, tuple[int, int]], root: str, who: str) -> None:
    """Refuse numbers outside their limits, and lists with fewer or more items than these."""
    for path, (smallest, largest) in limits.items():
        for at, value in places(document, path, root):
            size, of = (len(value), " items") if isinstance(value, list) else (value, "")
            if not smallest <= size <= largest:
                raise InvalidDockerrun(
                    f"{who} does not accept {size}{of} here", pointer=at, hint=f"{smallest} to {largest}"
                )


def check_forms(document: Any, forms: Mapping[str, tuple[re.Pattern[str], str, str]], root: str) -> None:
    """Refuse texts that do not match their pattern; each pattern comes with an error message and a hint.

    The text itself is not shown, since it may be a secret that was put where its name belongs.
    """
    for path, (pattern, wrong, hint) in forms.items():
        for at, value in places(document, path, root):
            if not pattern.fullmatch(value):
                raise InvalidDockerrun(wrong, pointer=at, hint=hint)


def check_words(document: Any, path: str, words: Iterable[str], root: str, who: str) -> None:
    """Refuse texts that are not one of the words."""
    for at, value in places(document, path, root):
        if value not in words:
            raise InvalidDockerrun(
                f"{who} does not accept {shorten(value)} here",
                pointer=at,
                hint=f"use one of: {', '.join(words)}",
            )
