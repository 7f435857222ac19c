"""The Dockerrun as Layer0 hands it back: camelCase on top, PascalCase with explicit nulls inside, its own logging added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ecr_widgets.sandbox.layer0.dockerrun import Document
from ecr_widgets.sandbox.layer0.identifiers import PREFIX, REGION, family

_CONTAINER_MEMBERS = (
    *("Command", "Cpu", "DependsOn", "DisableNetworking", "DnsSearchDomains", "DnsServers", "DockerLabels"),
    *(
        "DockerSecurityOptions",
        "EntryPoint",
        "Environment",
        "Essential",
        "ExtraHosts",
        "FirelensConfiguration",
    ),
    *(
        "HealthCheck",
        "Hostname",
        "Image",
        "Interactive",
        "Links",
        "LinuxParameters",
        "LogConfiguration",
        "Memory",
    ),
    *("MemoryReservation", "MountPoints", "Name", "PortMappings", "Privileged", "PseudoTerminal"),
    *("ReadonlyRootFilesystem", "RepositoryCredentials", "ResourceRequirements", "Secrets", "StartTimeout"),
    *("StopTimeout", "SystemControls", "Ulimits", "User", "VolumesFrom", "WorkingDirectory"),
)
_VOLUME_MEMBERS = ("DockerVolumeConfiguration", "EfsVolumeConfiguration", "Host", "Name")
_PORT_MEMBERS = ("ContainerPort", "HostPort", "Protocol")
_MOUNT_MEMBERS = ("ContainerPath", "ReadOnly", "SourceVolume")
_ALWAYS_LISTS = ("Environment", "MountPoints", "PortMappings", "VolumesFrom")
"""ECS answers these with a list where nothing was given."""
_LOGGING = {
    "LogDriver": "awslogs",
    "Options": {
        "awslogs-group": f"l0-{PREFIX}",
        "awslogs-region": REGION,
        "awslogs-stream-prefix": "l0",
    },
    "SecretOptions": None,
}


def render(deploy_name: str, document: Document) -> bytes:
    """The document of a stored deploy."""
    rendered: dict[str, Any] = {"containerDefinitions": [_container(each) for each in document.containers]}
    if document.volumes:
        rendered["volumes"] = [_only(_pascal(each), _VOLUME_MEMBERS) for each in document.volumes]
    rendered |= {"family": family(deploy_name), "networkMode": document.network_mode}
    return json.dumps(rendered, separators=(",", ":"), ensure_ascii=False).encode()


def _container(given: dict[str, Any]) -> dict[str, Any]:
    wire = _only(_pascal(given), _CONTAINER_MEMBERS)
    wire["Cpu"] = wire["Cpu"] or 0
    wire["Essential"] = wire["Essential"] is not False
    for name in _ALWAYS_LISTS:
        wire[name] = wire[name] or []
    wire["PortMappings"] = [_only(each, _PORT_MEMBERS) for each in wire["PortMappings"]]
    wire["MountPoints"] = [_only(each, _MOUNT_MEMBERS) for each in wire["MountPoints"]]
    wire["LogConfiguration"] = (
        {"SecretOptions": None, "Options": None} | wire["LogConfiguration"]
        if wire["LogConfiguration"]
        else _LOGGING
    )
    return wire


def _only(given: dict[str, Any], members: Sequence[str]) -> dict[str, Any]:
    return {member: given.get(member) for member in members}


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(item) for item in value]
    if isinstance(value, dict):
        # Names of options and labels are people's own.
        return {
            key[:1].upper() + key[1:]: item if key in ("options", "dockerLabels") else _pascal(item)
            for key, item in value.items()
        }
    return value
