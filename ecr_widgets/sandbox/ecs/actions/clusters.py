"""Clusters, and the one container instance that each has: this machine."""

from __future__ import annotations

import re
from typing import Any

from ecr_widgets.sandbox.ecs.entities import ACTIVE, INACTIVE, Cluster, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid
from ecr_widgets.sandbox.ecs.names import short
from ecr_widgets.sandbox.ecs.paging import page
from ecr_widgets.sandbox.ecs.shapes import cluster_shape
from ecr_widgets.sandbox.ecs.world import World, tags_of

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_KEPT = (
    *("configuration", "settings", "capacityProviders", "defaultCapacityProviderStrategy"),
    "serviceConnectDefaults",
)


def create(world: World, given: Wire) -> Wire:
    """CreateCluster: returns a cluster that exists; a deleted one is created again."""
    name = given.get("clusterName", "default")
    if not _NAME.fullmatch(name):
        raise invalid("Invalid identifier: Identifier is for cluster name")
    cluster = world.store.clusters.get(name)
    if cluster is None or cluster.status != ACTIVE:
        cluster = Cluster(name, given={key: given[key] for key in _KEPT if key in given}, tags=tags_of(given))
        world.store.save(cluster)
    return {"cluster": cluster_shape(world, cluster, ["TAGS", "SETTINGS"])}


def update(world: World, given: Wire) -> Wire:
    """UpdateCluster, UpdateClusterSettings and PutClusterCapacityProviders."""
    cluster = world.cluster(given.get("cluster"))
    cluster.given |= {key: given[key] for key in _KEPT if key in given}
    world.store.save(cluster)
    return {"cluster": cluster_shape(world, cluster, ["SETTINGS"])}


def describe(world: World, given: Wire) -> Wire:
    """DescribeClusters: includes deleted ones; unknown ones are failures."""
    shown, failures = [], []
    for name in given.get("clusters") or ["default"]:
        cluster = world.store.clusters.get(short(name))
        if cluster is None:
            failures.append({"arn": world.names.cluster(short(name)), "reason": "MISSING"})
        else:
            shown.append(cluster_shape(world, cluster, given.get("include") or ["-"]))
    return {"clusters": shown, "failures": failures}


def list_all(world: World, given: Wire) -> Wire:
    """ListClusters."""
    arns = [world.names.cluster(each.name) for each in world.store.clusters.values() if each.status == ACTIVE]
    return page(given, "clusterArns", arns)


def delete(world: World, given: Wire) -> Wire:
    """DeleteCluster: it becomes INACTIVE."""
    cluster = world.cluster(given.get("cluster"), active=False)
    if any(each.status == ACTIVE for each in world.services_of(cluster)):
        raise EcsError(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    if any(not copy.stopped_at_s for _, copy in world.copies(cluster)):
        raise EcsError(
            "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
        )
    cluster.status = INACTIVE
    world.store.save(cluster)
    return {"cluster": cluster_shape(world, cluster, ["-"])}


def list_instances(world: World, given: Wire) -> Wire:
    """ListContainerInstances."""
    cluster = world.cluster(given.get("cluster"))
    listed = (
        [world.names.instance(cluster.name, world.instance_id)]
        if given.get("status", ACTIVE) == ACTIVE
        else []
    )
    return page(given, "containerInstanceArns", listed)


def describe_instances(world: World, given: Wire) -> Wire:
    """DescribeContainerInstances."""
    cluster = world.cluster(given.get("cluster"))
    wanted = [short(each) for each in given.get("containerInstances") or ()]
    failures = [
        {"arn": world.names.instance(cluster.name, each), "reason": "MISSING"}
        for each in wanted
        if each != world.instance_id
    ]
    shown = [_instance(world, cluster)] if world.instance_id in wanted else []
    return {"containerInstances": shown, "failures": failures}


def _instance(world: World, cluster: Cluster) -> Wire:
    resources: list[dict[str, Any]] = [
        {"name": "CPU", "type": "INTEGER", "integerValue": world.machine.cpus * 1024},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": world.machine.memory_mib},
    ]
    alive = [copy for _, copy in world.copies(cluster) if not copy.stopped_at_s]
    return {
        "containerInstanceArn": world.names.instance(cluster.name, world.instance_id),
        "ec2InstanceId": world.neighbours.instance_id(),
        "version": 1,
        "status": ACTIVE,
        "agentConnected": True,
        "registeredResources": resources,
        "remainingResources": resources,
        "runningTasksCount": sum(copy.started_at_s > 0 for copy in alive),
        "pendingTasksCount": sum(copy.started_at_s == 0 for copy in alive),
        "attributes": [{"name": "ecs.os-type", "value": "linux"}],
        "attachments": [],
        "tags": [],
    }
