"""The Dockerrun as Layer0 returns it: camelCase at the top, PascalCase with explicit nulls inside, its own logging added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ecr_widgets.sandbox.layer0 import members
from ecr_widgets.sandbox.layer0.dockerrun import Document
from ecr_widgets.sandbox.layer0.identifiers import PREFIX, REGION, family
from ecr_widgets.sandbox.layer0.members import pascal_case

_ALWAYS_LISTS = ("Environment", "MountPoints", "PortMappings", "VolumesFrom")
"""For these ECS returns a list even if nothing was given."""
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
    """The document for a stored deploy."""
    rendered: dict[str, Any] = {
        "containerDefinitions": [_container(each) for each in document.containerDefinitions]
    }
    if document.volumes:
        rendered["volumes"] = [_only(pascal_case(each), members.VOLUME) for each in document.volumes]
    rendered |= {"family": family(deploy_name), "networkMode": document.networkMode or "bridge"}
    if document.taskRoleArn:
        rendered["taskRoleArn"] = document.taskRoleArn
    if document.placementConstraints:
        rendered["placementConstraints"] = [
            _only(pascal_case(each), members.PLACEMENT) for each in document.placementConstraints
        ]
    return json.dumps(rendered, separators=(",", ":"), ensure_ascii=False).encode()


def _container(given: dict[str, Any]) -> dict[str, Any]:
    wire = _only(pascal_case(given), members.CONTAINER)
    wire["Cpu"] = wire["Cpu"] or 0
    wire["Essential"] = wire["Essential"] is not False
    for name in _ALWAYS_LISTS:
        wire[name] = wire[name] or []
    wire["PortMappings"] = [_only(each, members.PORT) for each in wire["PortMappings"]]
    wire["MountPoints"] = [_only(each, members.MOUNT) for each in wire["MountPoints"]]
    wire["LogConfiguration"] = (
        {"SecretOptions": None, "Options": None} | wire["LogConfiguration"]
        if wire["LogConfiguration"]
        else _LOGGING
    )
    return wire


def _only(given: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: given.get(name) for name in names}
