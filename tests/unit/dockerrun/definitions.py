"""Task definitions for tests, and how ECS stores them, written from its documentation and not from our reader."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.model.services import Dialect

ROLE = "arn:aws:iam::111222333444:role/ecsTaskExecutionRole"
IMAGE = "111222333444.dkr.ecr.us-east-1.amazonaws.com/web@sha256:" + "a" * 64
CONTAINER: dict[str, Any] = {"name": "web", "image": IMAGE, "memory": 64}
FARGATE: dict[str, Any] = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": ROLE,
}


def definition(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containerDefinitions": list(containers or (CONTAINER,)), **more}


def parse(document: dict[str, Any]) -> Dockerrun:
    return Dockerrun.parse(json.dumps(document).encode(), Dialect.ECS)


def ecs(container: dict[str, Any] | None = None, **more: Any) -> Dockerrun:
    return parse(definition(CONTAINER | (container or {}), **more))


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """Return what DescribeTaskDefinition answers for a registered definition."""
    answer = copy.deepcopy(document)
    answer.pop("tags", None)
    mode = answer.get("networkMode", "bridge")
    for container in answer["containerDefinitions"]:
        container.setdefault("cpu", 0)
        container.setdefault("essential", True)
        for name in ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"):
            container.setdefault(name, [])
        for name in ("environment", "secrets"):
            container.get(name, []).sort(key=lambda item: item["name"], reverse=True)
        for mapping in container["portMappings"]:
            mapping.setdefault("protocol", "tcp")
            if "containerPort" in mapping:
                mapping.setdefault("hostPort", mapping["containerPort"] if mode in ("awsvpc", "host") else 0)
        if "healthCheck" in container:
            container["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3} | container["healthCheck"]
        if "logConfiguration" in container:
            container["logConfiguration"] = {"options": {}, "secretOptions": []} | container[
                "logConfiguration"
            ]
    answer["containerDefinitions"].sort(key=lambda container: container["name"])
    for volume in answer.setdefault("volumes", []):
        if len(volume) == 1:
            volume["host"] = {}
    for name, unit in (("cpu", "vCPU"), ("memory", "GB")):
        if answer.get(name, "").endswith(unit):
            answer[name] = f"{float(answer[name].removesuffix(unit)) * 1024:.0f}"
    return {
        **answer,
        "family": "web",
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:111222333444:task-definition/web:7",
        "revision": 7,
        "status": "ACTIVE",
        "networkMode": mode,
        "placementConstraints": answer.get("placementConstraints", []),
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "compatibilities": ["EXTERNAL", "EC2"],
        "registeredAt": datetime(2026, 11, 26, tzinfo=UTC),
        "registeredBy": "arn:aws:iam::111222333444:user/ops",
        "enableFaultInjection": answer.get("enableFaultInjection", False),
    }
