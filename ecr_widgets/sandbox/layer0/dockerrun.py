"""The Dockerrun on its way in: which parts are read, and what Layer0 and ECS refuse."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.identifiers import family
from ecr_widgets.sandbox.layer0.members import camel_case
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

_MOST_BYTES = 64 * 1024
_MOST_CONTAINERS = 10


@dataclass(frozen=True)
class Document:
    """A Dockerrun's parts that Layer0 reads; it drops all others."""

    containers: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    network_mode: str
    task_role_arn: str = ""
    placement_constraints: list[dict[str, Any]] = field(default_factory=list)


def parse(coded: str, deploy_name: str) -> Document:
    """Read a Dockerrun from base64, and refuse what Layer0 or ECS would.

    Raises:
        ApiError: With the real server's code.
    """
    document = _decode(coded)
    containers, volumes, constraints = (
        _objects(document, name) for name in ("containerDefinitions", "volumes", "placementConstraints")
    )
    given_family, network_mode, task_role_arn = (
        _text(document, name) for name in ("family", "networkMode", "taskRoleArn")
    )
    if not containers:
        raise ApiError(Code.UNEXPECTED_ERROR, "Deploy must have at least one container definition")
    _check_limits(document, containers)
    if given_family not in ("", family(deploy_name)):
        raise ApiError(Code.UNEXPECTED_ERROR, "Custom family names are currently unsupported in Layer0")
    _check([container_definition(each) for each in containers])
    return Document(containers, volumes, network_mode or "bridge", task_role_arn, constraints)


def container_definition(container: Mapping[str, Any]) -> ContainerDefinition:
    """One container definition as a value.

    Raises:
        ApiError: A member has the wrong type.
    """
    try:
        return msgspec.convert(_without_nulls(container), ContainerDefinition)
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
    """What ECS takes in one task definition."""
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


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = document.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _undecodable(
            f"json: cannot unmarshal into Go struct field Dockerrun.{name} of a list of objects"
        )
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise _undecodable(f"json: cannot unmarshal into Go struct field Dockerrun.{name} of type string")
    return value or ""


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
