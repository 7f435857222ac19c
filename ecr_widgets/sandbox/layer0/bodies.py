"""Request bodies as values: names in any case, unknown members ignored, null as absent, wrong types refused.

This is how Go's decoder, which the real server uses, reads them.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code
from ecr_widgets.sandbox.workloads.records import HealthCheck, Port
from ecr_widgets.sandbox.workloads.task_definition import Int64

Body = TypeVar("Body")


class CreateDeploy(msgspec.Struct, frozen=True):
    """`POST /deploy`; the Dockerrun in base64."""

    deploy_name: str = ""
    dockerrun: str = ""


class CreateEnvironment(msgspec.Struct, frozen=True):
    """`POST /environment`."""

    environment_name: str = ""
    instance_size: str = ""
    user_data_template: str = ""
    min_cluster_count: Int64 = 0
    max_cluster_count: Int64 = 0
    target_cap_size: Int64 = 0
    operating_system: str = ""
    ami_id: str = ""


class UpdateEnvironment(msgspec.Struct, frozen=True):
    """`PUT /environment/{id}`."""

    min_cluster_count: Int64 = 0


class Link(msgspec.Struct, frozen=True):
    """`POST /environment/{id}/link`."""

    environment_id: str = ""


class CreateService(msgspec.Struct, frozen=True):
    """`POST /service`."""

    deploy_id: str = ""
    environment_id: str = ""
    load_balancer_id: str = ""
    service_name: str = ""


class UpdateService(msgspec.Struct, frozen=True):
    """`PUT /service/{id}/deploy`."""

    deploy_id: str = ""


class ScaleService(msgspec.Struct, frozen=True):
    """`PUT /service/{id}/scale`."""

    desired_count: Int64 = 0


class ContainerOverride(msgspec.Struct, frozen=True):
    """Environment variables of one container of a task."""

    container_name: str = ""
    environment_overrides: dict[str, str] = {}


class CreateTask(msgspec.Struct, frozen=True):
    """`POST /task`."""

    container_overrides: list[ContainerOverride] = []
    deploy_id: str = ""
    environment_id: str = ""
    task_name: str = ""


class CreateLoadBalancer(msgspec.Struct, frozen=True):
    """`POST /loadbalancer`."""

    load_balancer_name: str = ""
    environment_id: str = ""
    is_public: bool = False
    ports: list[Port] = []
    health_check: HealthCheck = msgspec.field(default_factory=HealthCheck)
    idle_timeout: Int64 = 0
    cross_zone: bool = False


class UpdatePorts(msgspec.Struct, frozen=True):
    """`PUT /loadbalancer/{id}/ports`."""

    ports: list[Port] = []


class UpdateHealthCheck(msgspec.Struct, frozen=True):
    """`PUT /loadbalancer/{id}/healthcheck`."""

    health_check: HealthCheck = msgspec.field(default_factory=HealthCheck)


class UpdateIdleTimeout(msgspec.Struct, frozen=True):
    """`PUT /loadbalancer/{id}/idletimeout`; its member has the wrong name in the real server, too."""

    health_check: Int64 = 0


class UpdateCrossZone(msgspec.Struct, frozen=True):
    """`PUT /loadbalancer/{id}/crosszone`."""

    cross_zone: bool = False


class TagRequest(msgspec.Struct, frozen=True):
    """`POST /tag` and `DELETE /tag`."""

    entity_id: str = ""
    entity_type: str = ""
    key: str = ""
    value: str = ""


def decode(content: bytes, kind: type[Body]) -> Body:
    """Decode a body.

    Raises:
        ApiError: Not JSON, or a member has the wrong type.
    """
    if not content.strip():
        raise ApiError(Code.INVALID_JSON, "EOF")
    try:
        # As in Go's decoder, invalid UTF-8 becomes the replacement character.
        value = json.loads(content.decode(errors="replace"))
        return msgspec.convert(_fold({} if value is None else value), kind)
    except msgspec.ValidationError as error:
        raise ApiError(Code.INVALID_JSON, f"json: cannot unmarshal: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ApiError(Code.INVALID_JSON, f"invalid JSON: {error}") from error


def _fold(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            _text(key.lower()): _same_case(item) if key.lower() == "environment_overrides" else _fold(item)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, str):
        return _text(value)
    return [_fold(item) for item in value] if isinstance(value, list) else value


def _text(value: str) -> str:
    # Half of a surrogate pair could not be encoded again.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _same_case(value: Any) -> Any:
    # Variable names are the user's own.
    return {_text(key): _fold(item) for key, item in value.items()} if isinstance(value, dict) else value
