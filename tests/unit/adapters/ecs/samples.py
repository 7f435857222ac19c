"""ECS responses in the form of its API reference."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.fakes import NOW
from tests.fakes.ecs import ADDRESS

CLUSTER = ADDRESS.cluster("demo")
WEB = ADDRESS.service("demo", "web")
AT = NOW.timestamp()
DIGEST = "sha256:" + "d" * 64


def definition_arn(deploy_id: str) -> str:
    return f"{ADDRESS}:task-definition/{deploy_id}"


def definition(deploy_id: str = "web:2", *, log: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A DescribeTaskDefinition response: an essential container and a sidecar."""
    family, _, revision = deploy_id.partition(":")
    web: dict[str, Any] = {"name": "web", "image": "repo/web:1", "essential": True}
    if log is not None:
        web["logConfiguration"] = {"logDriver": "awslogs", "options": log}
    side = {"name": "side", "image": "side", "essential": False, "logConfiguration": {"logDriver": "splunk"}}
    known = {
        "taskDefinitionArn": definition_arn(deploy_id),
        "family": family,
        "revision": int(revision),
        "status": "ACTIVE",
        "containerDefinitions": [web, side],
    }
    return {"taskDefinition": known | more}


def deployment(
    number: int = 2, deploy_id: str = "web:2", status: str = "PRIMARY", **more: Any
) -> dict[str, Any]:
    known = {
        "id": f"ecs-svc/{number}",
        "status": status,
        "taskDefinition": definition_arn(deploy_id),
        "desiredCount": 1,
        "pendingCount": 0,
        "runningCount": 1,
        "failedTasks": 0,
        "createdAt": AT,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": f"ECS deployment ecs-svc/{number} completed.",
    }
    return known | more


def service(*deployments: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {
        "serviceArn": f"{ADDRESS}:service/web",
        "serviceName": "web",
        "clusterArn": CLUSTER,
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "taskDefinition": definition_arn("web:2"),
        "deployments": list(deployments) or [deployment()],
        "events": [],
    }
    return known | more


def event(text: str, at: datetime = NOW) -> dict[str, Any]:
    return {"id": "e", "createdAt": at.timestamp(), "message": text}


def task(number: str = "1f", status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    known = {
        "taskArn": ADDRESS.task("demo", number),
        "clusterArn": CLUSTER,
        "taskDefinitionArn": definition_arn("web:2"),
        "lastStatus": status,
        "desiredStatus": "STOPPED" if status == "STOPPED" else "RUNNING",
        "startedBy": "ecs-svc/2",
        "group": "service:web",
        "createdAt": AT,
        "containers": [
            {
                "name": "web",
                "lastStatus": status,
                "image": "repo/web:1",
                "imageDigest": DIGEST,
                "runtimeId": "c0ffee",
            }
        ],
    }
    return known | more


def dead(
    number: str, code: str, reason: str, container: dict[str, Any] | None = None, *, at: float = AT
) -> dict[str, Any]:
    """A stopped task with its container's end state."""
    ended = {"name": "web", "lastStatus": "STOPPED", **(container or {})}
    more = {"stopCode": code} if code else {}
    return task(number, "STOPPED", stoppedReason=reason, stoppedAt=at, containers=[ended], **more)


def missing(arn: str = WEB) -> dict[str, Any]:
    return {"failures": [{"arn": arn, "reason": "MISSING"}]}
