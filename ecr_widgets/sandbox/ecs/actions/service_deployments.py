"""Service deployments and service revisions."""

from __future__ import annotations

import time

from ecr_widgets.sandbox.ecs.entities import Service, ServiceDeployment, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid
from ecr_widgets.sandbox.ecs.names import short
from ecr_widgets.sandbox.ecs.paging import page
from ecr_widgets.sandbox.ecs.rollout import roll_back
from ecr_widgets.sandbox.ecs.shapes import revision_shape, service_deployment_shape
from ecr_widgets.sandbox.ecs.stages import WAITING
from ecr_widgets.sandbox.ecs.world import World

_MOST_DESCRIBED = 20


def list_all(world: World, given: Wire) -> Wire:
    """ListServiceDeployments: newest first."""
    cluster = world.cluster(given.get("cluster"))
    service = world.service(cluster, given["service"])
    statuses, created = given.get("status"), given.get("createdAt") or {}
    listed = [
        service_deployment_shape(world, each, brief=True)
        for each in reversed(world.store.service_deployments.values())
        if each.service_id == service.service_id
        and (not statuses or each.status in statuses)
        and created.get("after", 0) <= each.created_at_s <= created.get("before", float("inf"))
    ]
    return page(given, "serviceDeployments", listed, default=20)


def describe(world: World, given: Wire) -> Wire:
    """DescribeServiceDeployments."""
    shown, failures = [], []
    for arn in _wanted(given["serviceDeploymentArns"]):
        deployment = world.store.service_deployments.get(short(arn))
        if deployment is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            shown.append(service_deployment_shape(world, deployment))
    return {"serviceDeployments": shown, "failures": failures}


def describe_revisions(world: World, given: Wire) -> Wire:
    """DescribeServiceRevisions: includes the images' digests."""
    shown, failures = [], []
    for arn in _wanted(given["serviceRevisionArns"]):
        revision = world.store.revisions.get(short(arn))
        if revision is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            shown.append(revision_shape(world, revision))
    return {"serviceRevisions": shown, "failures": failures}


def stop(world: World, given: Wire) -> Wire:
    """StopServiceDeployment: rolls back to what ran before, or (ABORT) just stops."""
    deployment, service = _under_way(world, given)
    if given.get("stopType", "ROLLBACK") == "ABORT":
        service.deployments[0].given_up = True
        deployment.status, deployment.status_reason = "STOPPED", "Service deployment was stopped by the user."
        deployment.stopped_at_s = deployment.finished_at_s = time.time()
        world.store.save(deployment, service)
    elif not roll_back(world, service, "Service deployment was stopped by the user."):
        raise EcsError(
            "ConflictException",
            "The service deployment cannot be rolled back: no earlier service revision was deployed.",
            resourceIds=[service.service_id],
        )
    world.scheduler.adjust(service)
    return {"serviceDeploymentArn": world.names.service_deployment(service.service_id, deployment.key)}


def go_on(world: World, given: Wire) -> Wire:
    """ContinueServiceDeployment."""
    deployment, service = _under_way(world, given)
    hook = deployment.hook
    if hook.get("hookId") != given["hookId"] or hook.get("status") != WAITING:
        raise invalid("The lifecycle hook is not waiting.")
    action = given.get("action", "CONTINUE")
    deployment.hook = hook | {"status": "SUCCEEDED" if action == "CONTINUE" else "FAILED"}
    world.store.save(deployment)
    world.scheduler.adjust(service)
    return {"serviceDeploymentArn": world.names.service_deployment(service.service_id, deployment.key)}


def _under_way(world: World, given: Wire) -> tuple[ServiceDeployment, Service]:
    deployment = world.store.service_deployments.get(short(given["serviceDeploymentArn"]))
    if deployment is None:
        raise EcsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
    if deployment.is_over or deployment.rollback_to:
        raise EcsError(
            "ConflictException",
            f"The service deployment is {deployment.status} and cannot be changed any more.",
            resourceIds=[given["serviceDeploymentArn"]],
        )
    return deployment, world.store.services[deployment.service_id]


def _wanted(arns: list[str]) -> list[str]:
    if not 1 <= len(arns) <= _MOST_DESCRIBED:
        raise invalid(f"Between 1 and {_MOST_DESCRIBED} ARNs are needed.")
    return arns
