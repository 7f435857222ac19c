"""Documents as no server should send them: one member of another type, or missing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

_ODD: tuple[Any, ...] = (None, [], {}, "x", "9" * 5000, -1, True, [None], {"a": []})


def with_odd_members(document: Any) -> Iterator[Any]:
    """The document once per member at any depth and per odd value, and once without the member."""
    for *way, last in _ways(document):
        for odd in _ODD:
            changed, parent = _copied(document, way)
            parent[last] = odd
            yield changed
        changed, parent = _copied(document, way)
        del parent[last]
        yield changed


def _copied(document: Any, way: list[Any]) -> tuple[Any, Any]:
    changed = parent = copy.deepcopy(document)
    for each in way:
        parent = parent[each]
    return changed, parent


def _ways(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield from _ways(value[name], *way, name)
