"""`GET /tag`: finds entities by name, which no other call does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code
from ecr_widgets.sandbox.layer0.store import Store, Tags

Wire = dict[str, Any]


def find(store: Store, query: Mapping[str, str]) -> list[Wire]:
    """Select by type and id, then by any key, then by prefix of id or name, then the latest version.

    The latest version is returned for each name; the real server returns one for all names, which is why
    `timeout:latest` fails there once `timeout-worker` has a higher version. The `l0` command accepts both.

    Raises:
        ApiError: No type is given.
    """
    given = dict(query)
    kind = given.pop("type", "")
    if not kind:
        raise ApiError(Code.MISSING_PARAMETER, "Parameter 'type' is required")
    exact, fuzz = given.pop("id", None) or None, given.pop("fuzz", None)
    latest = given.get("version") == "latest" and bool(given.pop("version"))
    matching = {
        each: tags
        for each, tags in store.tags.get(kind, {}).items()
        if exact in (None, each)
        # Key and value may belong to different tags, as in the real server's filter. No tag's value is empty.
        and all(key in tags and value in tags.values() for key, value in given.items())
        and (fuzz is None or each.startswith(fuzz) or tags.get("name", "").startswith(fuzz))
    }
    if latest:
        matching = _latest(matching)
    return [
        {
            "entity_id": each,
            "entity_type": kind,
            "tags": [
                {"entity_id": each, "entity_type": kind, "key": key, "value": value}
                for key, value in tags.items()
            ],
        }
        for each, tags in matching.items()
    ]


def _latest(matching: Mapping[str, Tags]) -> dict[str, Tags]:
    newest: dict[str, str] = {}
    for each, tags in matching.items():
        if "version" not in tags:
            continue
        name = tags.get("name", "")
        if name not in newest or _version(tags) > _version(matching[newest[name]]):
            newest[name] = each
    return {each: matching[each] for each in newest.values()}


def _version(tags: Tags) -> int:
    text = tags.get("version", "")
    return int(text) if text.isascii() and text.isdigit() else 0
