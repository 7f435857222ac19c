"""Turns a task definition from a file or from ECS into the input of RegisterTaskDefinition.

Source: Amazon ECS API, DescribeTaskDefinition. ECS refuses what it added itself, and adds more every year.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.kinds import Kind, Listed, Members, OwnTexts
from ecr_widgets.dockerrun.members import DOCUMENT
from ecr_widgets.dockerrun.reading import step
from ecr_widgets.model.services import Dialect

_ANSWER = "taskDefinition"
_AWS_TAG = "aws:"


def unwrapped(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The definition in the output of `describe-task-definition`, with its tags, and its place; any other document
    unchanged.
    """
    inner = document.get(_ANSWER)
    if not isinstance(inner, dict) or member(document, "containerDefinitions")[1] is not None:
        return document, ""
    tags = {"tags": document["tags"]} if document.get("tags") else {}
    return {**inner, **tags}, step("", _ANSWER)


def ecs_input(definition: Mapping[str, Any], at: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The input that registers a definition that passed `check_members`, and the places of what was left out.

    Names are spelled as in ECS; nulls and comments are removed; unknown members are kept.
    """
    document: dict[str, Any] = _input(definition, DOCUMENT)
    tags = document.get("tags", ())
    reserved = [number for number, tag in enumerate(tags) if str(tag.get("key", "")).startswith(_AWS_TAG)]
    if reserved:
        document["tags"] = [tag for number, tag in enumerate(tags) if number not in reserved]
    foreign = (
        step(at, key) for key, item in definition.items() if item is not None and DOCUMENT.is_foreign(key)
    )
    return document, (*foreign, *(f"/tags/{number}" for number in reserved))


def _input(value: Any, kind: Kind) -> Any:
    if isinstance(kind, Members):
        read = ((kind.find(key, Dialect.ECS), key, item) for key, item in value.items())
        return {
            name or key: _input(item, kind.kinds[name]) if name else item
            for name, key, item in read
            if item is not None and not (name is None and kind.is_dropped(key))
        }
    if isinstance(kind, Listed):
        return [_input(item, kind.item) for item in value]
    if isinstance(kind, OwnTexts):
        return {key: item for key, item in value.items() if item is not None}
    return value
