"""Reading a Dockerrun: which parts count, and what Layer0 and ECS refuse."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.identifiers import family
from ecr_widgets.sandbox.layer0.members import camel_case
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

Kind = TypeVar("Kind")
_MOST_BYTES = 64 * 1024
_MOST_CONTAINERS = 10


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
    _check_limits(members, document.containerDefinitions)
    if document.family not in ("", family(deploy_name)):
        raise ApiError(Code.UNEXPECTED_ERROR, "Custom family names are currently unsupported in Layer0")
    _check([container_definition(each) for each in document.containerDefinitions])
    return document


def container_definition(container: Mapping[str, Any]) -> ContainerDefinition:
    """One container definition as a value.

    Raises:
        ApiError: A member has the wrong type.
    """
    return _convert(_without_nulls(container), ContainerDefinition)


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


def _check_limits(document: Mapping[str, Any], containers: list[Any]) -> None:
    """Refuse more than ECS accepts in one task definition."""
    size_bytes = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
    if size_bytes > _MOST_BYTES:
        raise aws_error(f"Actual length: '{size_bytes}'. Max allowed length is '{_MOST_BYTES}' bytes.")
    if len(containers) > _MOST_CONTAINERS:
        raise aws_error(
            f"Too many container definitions. A task definition has {_MOST_CONTAINERS} at the most."
        )


def _check(definitions: list[ContainerDefinition]) -> None:
    names = [each.name for each in definitions]
    for each in definitions:
        if not each.name:
            raise aws_error("Container.name should not be null or empty.")
        if not each.image:
            raise aws_error("Container.image should not be null or empty.")
        if not each.memory and not each.memoryReservation:
            raise aws_error(
                f"Invalid setting for container '{each.name}'."
                " At least one of 'memory' or 'memoryReservation' must be specified."
            )
        if each.memory and each.memoryReservation and each.memory < each.memoryReservation:
            raise aws_error(
                f"Invalid setting for container '{each.name}'."
                " The hard limit must be greater than or equal to the soft limit."
            )
        if names.count(each.name) > 1:
            raise aws_error(f"Container names must be unique, '{each.name}' is given more than once.")
        if each.names_needed - set(names) or each.name in each.names_needed:
            raise aws_error(f"Container '{each.name}' refers to a container that does not exist.")
    if not any(each.essential for each in definitions):
        raise aws_error("A task definition must have at least one essential container.")


def _undecodable(why: str) -> ApiError:
    return ApiError(Code.INVALID_JSON, f"Failed to decode deploy: {why}")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
