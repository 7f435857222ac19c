"""The canonical form of a Dockerrun: what ECS would run, however it is spelled.

Source: Layer0 hands a Dockerrun back with PascalCase inside, explicit nulls and a log configuration of its own, and
adds family and networkMode; ECS fills in defaults. None of that is a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.members import DOCUMENT, Kind, Listed, Members

OWN_KEYS = frozenset(("environment", "options", "dockerLabels", "labels", "driverOpts"))
"""Maps from names of people's own, whose case is theirs. (`environment` is one in the canonical form only.)"""
LAYER0_PREFIX = "l0-"

_CONTAINER_DEFAULTS: Mapping[str, Any] = {
    "essential": True,
    "cpu": 0,
    "privileged": False,
    "readonlyRootFilesystem": False,
    "disableNetworking": False,
    "interactive": False,
    "pseudoTerminal": False,
}
_INNER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "portMappings": {"hostPort": 0, "protocol": "tcp"},
    "mountPoints": {"readOnly": False},
    "volumesFrom": {"readOnly": False},
}
# ECS writes these into a stored health check that leaves them out.
_HEALTH_CHECK_DEFAULTS: Mapping[str, Any] = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}


def member(document: Mapping[str, Any], wanted: str) -> tuple[str, Any]:
    """The member's name as the document spells it, and its value; None where it is absent.

    Source: Go's JSON decoder, which Layer0 uses, takes member names in any case.
    """
    for key, value in document.items():
        if key.casefold() == wanted.casefold():
            return key, value
    return wanted, None


def canonical_form(document: Mapping[str, Any]) -> dict[str, Any]:
    """What ECS would run: documented spelling, nothing empty, no defaults, nothing that Layer0 adds or drops.

    The environment becomes one object by name, since its order means nothing.
    """
    form: dict[str, Any] = _fold(document, DOCUMENT)
    if str(form.get("family", "")).startswith(LAYER0_PREFIX):
        del form["family"]
    if form.get("networkMode") == "bridge":
        del form["networkMode"]
    form["containerDefinitions"] = [_container(each) for each in form["containerDefinitions"]]
    return form


def _fold(value: Any, kind: Kind) -> Any:
    if isinstance(kind, Members) and isinstance(value, Mapping):
        read = ((kind.find(key), item) for key, item in value.items())
        folded = {name: _fold(item, kind.kinds[name]) for name, item in read if name is not None}
        return {name: item for name, item in folded.items() if item not in (None, "", [], {})}
    if isinstance(kind, Listed) and isinstance(value, list):
        return [_fold(item, kind.item) for item in value]
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    form: dict[str, Any] = _without(container, _CONTAINER_DEFAULTS)
    if _is_layer0s_logging(form.get("logConfiguration")):
        del form["logConfiguration"]
    if "environment" in form:
        # An empty value counts, though the fold dropped it.
        form["environment"] = {item["name"]: item.get("value", "") for item in form["environment"]}
    for listed, defaults in _INNER_DEFAULTS.items():
        if listed in form:
            form[listed] = [_without(item, defaults) for item in form[listed]]
    if "healthCheck" in form:
        form["healthCheck"] = _without(form["healthCheck"], _HEALTH_CHECK_DEFAULTS)
    return form


def _without(item: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if not same(value, defaults.get(key))}


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
