"""Reading a Dockerrun: which parts count, and what Layer0 and ECS refuse."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ecr_widgets.sandbox.ecs.definitions import checked
from ecr_widgets.sandbox.ecs.faults import EcsError
from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.identifiers import family
from ecr_widgets.sandbox.layer0.members import camel_case
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

Kind = TypeVar("Kind")
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Document:
    """The members of a Dockerrun that Layer0 reads; it drops all others."""

    containerDefinitions: list[dict[str, Any]] = field(default_factory=list)  # noqa: N815  # as in the file, like all here
    volumes: list[dict[str, Any]] = field(default_factory=list)
    family: str = ""
    networkMode: str = ""  # noqa: N815
    taskRoleArn: str = ""  # noqa: N815
    placementConstraints: list[dict[str, Any]] = field(default_factory=list)  # noqa: N815


def parse(coded: str, deploy_name: str) -> Document:
    """Parse a Dockerrun in base64, and refuse what Layer0 or ECS would.

    Raises:
        ApiError: Refused, with the real server's code.
    """
    members = _decode(coded)
    document = _convert({key: value for key, value in members.items() if value is not None}, Document)
    if not document.containerDefinitions:
        raise ApiError(Code.UNEXPECTED_ERROR, "Deploy must have at least one container definition")
    _check_size(members)
    if document.family not in ("", family(deploy_name)):
        raise ApiError(Code.UNEXPECTED_ERROR, "Custom family names are currently unsupported in Layer0")
    for each in document.containerDefinitions:
        container_definition(each)
    _check_as_ecs(document, family(deploy_name))
    return document


def container_definition(container: Mapping[str, Any]) -> ContainerDefinition:
    """One container definition as a value.

    Raises:
        ApiError: A member has the wrong type.
    """
    return _convert(without_nulls(container), ContainerDefinition)


def _convert(value: Any, kind: type[Kind]) -> Kind:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _undecodable(f"json: cannot unmarshal: {error}") from error


def _decode(coded: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(coded, validate=True).decode())
    except binascii.Error as error:
        raise ApiError(Code.INVALID_JSON, f"illegal base64 data: {error}") from error
    except (ValueError, RecursionError) as error:
        raise _undecodable(str(error) if coded else "unexpected end of JSON input") from error
    if not isinstance(document, dict):
        raise _undecodable("json: cannot unmarshal into Go value of type models.Dockerrun")
    folded: dict[str, Any] = camel_case(document)
    return folded


def _check_size(document: Mapping[str, Any]) -> None:
    """Refuse more than ECS accepts in one task definition."""
    size_bytes = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
    if size_bytes > _MOST_BYTES:
        raise aws_error(f"Actual length: '{size_bytes}'. Max allowed length is '{_MOST_BYTES}' bytes.")


def _check_as_ecs(document: Document, family: str) -> None:
    given = {"family": family, "containerDefinitions": without_nulls(document.containerDefinitions)}
    if document.networkMode:
        given["networkMode"] = document.networkMode
    try:
        checked(given)
    except EcsError as error:
        raise aws_error(error.message, error.code) from error


def _undecodable(why: str) -> ApiError:
    return ApiError(Code.INVALID_JSON, f"Failed to decode deploy: {why}")


def without_nulls(value: Any) -> Any:
    """A document without the members that are null, which Go's decoder reads as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
