"""The canonical form of a Dockerrun: what ECS would run, however it is spelled.

Source: Layer0 returns a Dockerrun with PascalCase inside, explicit nulls and a log configuration of its own, and
adds family and networkMode; ECS fills in defaults and empty lists. None of that counts as a difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.kinds import Kind, Listed, Members
from ecr_widgets.dockerrun.members import DOCUMENT
from ecr_widgets.dockerrun.task_size import cpu_units, memory_mib
from ecr_widgets.model.ecs_names import LAYER0_PREFIX
from ecr_widgets.model.services import Dialect

OWN_KEYS = frozenset(("environment", "options", "dockerLabels", "labels", "driverOpts"))
"""Maps with user-defined names, whose case matters. (`environment` is one in the canonical form only.)"""
NAMED = ("containerDefinitions", "volumes")
"""Lists whose items are identified by name."""
_NO_CONTENT = frozenset(("family", "tags"))
SAME_PORTS = frozenset(("awsvpc", "host"))
"""Network modes in which a container's port is also the machine's or the task's, and ECS fills it in as hostPort."""


def member(document: Mapping[str, Any], wanted: str) -> tuple[str, Any]:
    """The member's name as the document spells it, and its value; None if it is absent.

    Source: Go's JSON decoder, which Layer0 uses, accepts member names in any case.
    """
    for key, value in document.items():
        if key.casefold() == wanted.casefold():
            return key, value
    return wanted, None


def canonical_form(document: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """What would run: documented spelling, nothing empty, no defaults, nothing that Layer0 or ECS adds or drops.

    The environment becomes an object keyed by name, since its order means nothing; for ECS all such lists do, and
    members that this version does not know are kept.
    """
    if dialect is Dialect.ECS:
        document = _task_content(document)
    form: dict[str, Any] = _fold(document, DOCUMENT, dialect)
    if str(form.get("family", "")).startswith(LAYER0_PREFIX):
        del form["family"]
    for container in form["containerDefinitions"]:
        if dialect is Dialect.LAYER0 and _is_layer0s_logging(container.get("logConfiguration")):
            del container["logConfiguration"]
        if "environment" in container:
            # An empty value counts, though the fold dropped it.
            container["environment"] = {
                item.get("name", ""): item.get("value", "") for item in container["environment"]
            }
    return form


def _fold(value: Any, kind: Kind, dialect: Dialect) -> Any:
    if isinstance(kind, Members) and isinstance(value, Mapping):
        folded = {}
        for key, item in value.items():
            name = kind.find(key, dialect)
            if name is not None:
                folded[name] = _fold(item, kind.kinds[name], dialect)
            elif dialect is Dialect.ECS:
                folded[key] = item
        return {
            name: item
            for name, item in folded.items()
            if item not in (None, "", [], {}) and not same(item, kind.default(name, dialect))
        }
    if isinstance(kind, Listed) and isinstance(value, list):
        items = [_fold(item, kind.item, dialect) for item in value]
        return items if kind.is_ordered or dialect is Dialect.LAYER0 else _unordered(items, kind.keys)
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def _unordered(items: Sequence[Any], keys: Sequence[str]) -> Any:
    """An object keyed by the members that identify an item, or the items sorted if these are not unique."""
    named = {
        " ".join(str(item[key]) for key in keys if key in item): {
            key: inner for key, inner in item.items() if key not in keys
        }
        for item in items
        if keys
    }
    if items and len(named) == len(items) and "" not in named:
        return named
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _task_content(document: Mapping[str, Any]) -> dict[str, Any]:
    """A task definition without name, tags and any hostPort that ECS fills in by itself, and with sizes as plain numbers."""
    content = {name: item for name, item in document.items() if name not in _NO_CONTENT}
    for name, read in (("cpu", cpu_units), ("memory", memory_mib)):
        if size := read(content.get(name, "")):
            content[name] = str(size)
    if content.get("networkMode") in SAME_PORTS:
        content["containerDefinitions"] = [
            {
                **each,
                "portMappings": [_without_same_port(mapping) for mapping in each.get("portMappings", ())],
            }
            for each in content["containerDefinitions"]
        ]
    return content


def _without_same_port(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    is_same = mapping.get("hostPort") == mapping.get("containerPort")
    return {name: item for name, item in mapping.items() if name != "hostPort" or not is_same}


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, 1 is neither true nor 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _is_layer0s_logging(logging: Any) -> bool:
    options = logging.get("options", {}) if isinstance(logging, dict) else {}
    return (
        isinstance(options, dict)
        and isinstance(logging, dict)
        and logging.get("logDriver") == "awslogs"
        and options.get("awslogs-stream-prefix") == "l0"
        and str(options.get("awslogs-group", "")).startswith(LAYER0_PREFIX)
    )
