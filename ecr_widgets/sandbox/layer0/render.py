"""The Dockerrun as Layer0 hands it back: camelCase on top, PascalCase with explicit nulls inside, its own logging added."""

from __future__ import annotations

import json
from typing import Any

_PREFIX = "local"
_CONTAINER_MEMBERS = [
    "command",
    "cpu",
    "dependsOn",
    "disableNetworking",
    "dnsSearchDomains",
    "dnsServers",
    "dockerLabels",
    "dockerSecurityOptions",
    "entryPoint",
    "environment",
    "essential",
    "extraHosts",
    "firelensConfiguration",
    "healthCheck",
    "hostname",
    "image",
    "interactive",
    "links",
    "linuxParameters",
    "logConfiguration",
    "memory",
    "memoryReservation",
    "mountPoints",
    "name",
    "portMappings",
    "privileged",
    "pseudoTerminal",
    "readonlyRootFilesystem",
    "repositoryCredentials",
    "resourceRequirements",
    "secrets",
    "startTimeout",
    "stopTimeout",
    "systemControls",
    "ulimits",
    "user",
    "volumesFrom",
    "workingDirectory",
]
_LOGGING = {
    "LogDriver": "awslogs",
    "Options": {
        "awslogs-group": f"l0-{_PREFIX}",
        "awslogs-region": "us-west-2",
        "awslogs-stream-prefix": "l0",
    },
    "SecretOptions": None,
}


def render(name: str, containers: list[dict[str, Any]], volumes: list[Any]) -> bytes:
    """The document of a stored deploy."""
    rendered = []
    for container in containers:
        wire = {_pascal(member): _inside(member, container.get(member)) for member in _CONTAINER_MEMBERS}
        wire["Cpu"] = wire["Cpu"] or 0
        wire["Essential"] = container.get("essential") is not False
        for listed in ("Environment", "MountPoints", "PortMappings", "VolumesFrom"):
            wire[listed] = wire[listed] or []
        wire["LogConfiguration"] = wire["LogConfiguration"] or _LOGGING
        rendered.append(wire)
    document = {
        "containerDefinitions": rendered,
        "volumes": volumes,
        "family": f"l0-{_PREFIX}-{name}",
        "networkMode": "bridge",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def fold(value: Any) -> Any:
    """Member names in one case, as Go's decoder takes any; values of maps of people's own stay."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: fold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fold(item) for item in value]
    return value


def _inside(member: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_inside(member, item) for item in value]
    if isinstance(value, dict):
        own = member in ("options", "dockerLabels")
        return {key if own else _pascal(key): _inside(key, item) for key, item in value.items()}
    return value


def _pascal(member: str) -> str:
    return member[:1].upper() + member[1:]
