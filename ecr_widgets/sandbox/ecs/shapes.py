"""All entities in the form that ECS returns them."""

from __future__ import annotations

from ecr_widgets.sandbox.ecs.entities import (
    ACTIVE,
    Cluster,
    Definition,
    Revision,
    Service,
    ServiceDeployment,
    Task,
    Wire,
)
from ecr_widgets.sandbox.ecs.stages import weights
from ecr_widgets.sandbox.ecs.world import World, tags_shown, task_id
from ecr_widgets.sandbox.workloads.records import Container, Copy, Deployment, Status

_SERVICE_MEMBERS = (
    *("launchType", "capacityProviderStrategy", "platformVersion", "loadBalancers", "serviceRegistries"),
    *("networkConfiguration", "healthCheckGracePeriodSeconds", "placementConstraints", "placementStrategy"),
    *("enableECSManagedTags", "propagateTags", "enableExecuteCommand", "availabilityZoneRebalancing"),
    *("deploymentConfiguration", "deploymentController", "schedulingStrategy"),
)
_OF_DEPLOYMENT = (
    *("launchType", "capacityProviderStrategy", "platformVersion", "networkConfiguration"),
    *("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"),
)
_STAGES_NOT_SHOWN = {"PRE_PRODUCTION_TRAFFIC_SHIFT": "POST_TEST_TRAFFIC_SHIFT"}
"""Stages that have hooks but are reported under another stage's name."""
_OF_REVISION = (*_OF_DEPLOYMENT, "loadBalancers", "serviceRegistries")


def cluster_shape(world: World, cluster: Cluster, include: list[str]) -> Wire:
    """Cluster."""
    states = [_last_status(copy) for _, copy in world.copies(cluster)]
    active = cluster.status == ACTIVE
    return {
        **cluster.given,
        "clusterArn": world.names.cluster(cluster.name),
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": int(active),
        "runningTasksCount": states.count("RUNNING"),
        "pendingTasksCount": states.count("PENDING") + states.count("PROVISIONING"),
        "activeServicesCount": sum(each.status == ACTIVE for each in world.services_of(cluster)),
        "statistics": [],
        "settings": cluster.given.get("settings", [{"name": "containerInsights", "value": "disabled"}])
        if "SETTINGS" in include or not include
        else [],
        "capacityProviders": cluster.given.get("capacityProviders", []),
        "defaultCapacityProviderStrategy": cluster.given.get("defaultCapacityProviderStrategy", []),
        "tags": tags_shown(cluster.tags) if "TAGS" in include else [],
    }


def definition_shape(world: World, definition: Definition) -> Wire:
    """TaskDefinition."""
    return {
        **definition.given,
        "taskDefinitionArn": world.names.definition(definition.entity_id),
        "revision": definition.revision,
        "status": definition.status,
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "registeredAt": definition.registered_at_s,
        "registeredBy": world.names.role("user/sandbox"),
        "deregisteredAt": definition.deregistered_at_s or None,
        "deleteRequestedAt": definition.delete_requested_at_s or None,
    }


def service_shape(world: World, service: Service, include: list[str] | None = None) -> Wire:
    """Service."""
    current = service.deployments[0] if service.deployments else None
    rollout = service.rollouts.get(current.deployment_id) if current is not None else None
    revisions = [
        {
            "arn": world.names.revision(service.service_id, service.rollouts[each.deployment_id].revision_id),
            "requestedTaskCount": _desired(service, each),
            **_counts(service, each.deployment_id, "TaskCount"),
        }
        for each in service.deployments
    ]
    by_ecs = service.given["deploymentController"]["type"] == "ECS"
    under_way = rollout is not None and not world.store.service_deployments[rollout.deployment_key].is_over
    return {
        **{name: service.given[name] for name in _SERVICE_MEMBERS if name in service.given},
        "serviceArn": world.names.service(service.service_id),
        "serviceName": service.name,
        "clusterArn": world.names.cluster(service.cluster),
        "status": service.status,
        "desiredCount": service.desired_count,
        **_counts(service, None, "Count"),
        "taskDefinition": world.names.definition(current.definition_id) if current is not None else None,
        "deployments": [_deployment(world, service, each) for each in service.deployments] if by_ecs else [],
        "taskSets": None if by_ecs else [_task_set(world, service, each) for each in service.deployments],
        "events": [
            {"id": each.event_id, "createdAt": each.at_s, "message": each.text} for each in service.events
        ],
        "createdAt": service.created_at_s,
        "createdBy": world.names.role("user/sandbox"),
        "currentServiceDeployment": world.names.service_deployment(service.service_id, rollout.deployment_key)
        if rollout is not None and under_way
        else None,
        "currentServiceRevisions": revisions,
        "tags": tags_shown(service.tags) if include is None or "TAGS" in include else None,
    }


def task_shape(world: World, owner: Service | Task, copy: Copy, include: list[str]) -> Wire:
    """Task."""
    arn, cluster = world.names.task(owner.cluster, task_id(copy)), owner.cluster
    definition = world.store.definitions[copy.definition_id]
    ended = bool(copy.stopped_at_s)
    overrides = owner.given.get("overrides") or {} if isinstance(owner, Task) else {}
    given_overrides = {each.get("name"): each for each in overrides.get("containerOverrides") or ()}
    launch_type = owner.given.get("launchType") or (
        "FARGATE" if "capacityProviderStrategy" in owner.given else "EC2"
    )
    on_fargate = launch_type == "FARGATE"
    of_container = {each["name"]: each for each in definition.given["containerDefinitions"]}
    shared_network = definition.given["networkMode"] == "awsvpc"
    return {
        "taskArn": arn,
        "clusterArn": world.names.cluster(cluster),
        "taskDefinitionArn": world.names.definition(copy.definition_id),
        "containerInstanceArn": None if on_fargate else world.names.instance(cluster, world.instance_id),
        "availabilityZone": f"{world.names.region}a",
        "attachments": [_attachment(copy)] if shared_network else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "connectivity": "CONNECTED" if copy.started_at_s else None,
        "connectivityAt": copy.started_at_s or None,
        "group": owner.group,
        "startedBy": owner.started_by or None if isinstance(owner, Task) else copy.deployment_id,
        "launchType": launch_type,
        "platformVersion": "1.4.0" if on_fargate else None,
        "platformFamily": "Linux" if on_fargate else None,
        "lastStatus": _last_status(copy),
        "desiredStatus": "STOPPED" if copy.stopping or ended else "RUNNING",
        "healthStatus": copy.health,
        "cpu": str(overrides.get("cpu") or definition.given.get("cpu") or 0),
        "memory": str(overrides.get("memory") or definition.given.get("memory") or _memory(definition)),
        "containers": [_container(arn, each, of_container.get(each.name, {})) for each in copy.containers],
        "overrides": {
            **overrides,
            "containerOverrides": [
                given_overrides.get(each.name, {"name": each.name}) for each in copy.containers
            ],
            "inferenceAcceleratorOverrides": [],
        },
        "createdAt": copy.launched_at_s,
        "pullStartedAt": copy.pull_started_at_s or None,
        "pullStoppedAt": copy.pull_stopped_at_s or None,
        "startedAt": copy.started_at_s or None,
        "stoppingAt": copy.stopping_at_s or None,
        "executionStoppedAt": copy.stopped_at_s or None,
        "stoppedAt": copy.stopped_at_s or None,
        "stopCode": copy.stop_code or None,
        "stoppedReason": _stopped_reason(copy) or None,
        "enableExecuteCommand": bool(owner.given.get("enableExecuteCommand")),
        "inferenceAccelerators": [],
        "tags": tags_shown(owner.tags) if isinstance(owner, Task) and "TAGS" in include and not ended else [],
        "version": 1
        + sum(map(bool, (copy.pull_started_at_s, copy.started_at_s, copy.stopping_at_s, copy.stopped_at_s))),
    }


def service_deployment_shape(world: World, given: ServiceDeployment, *, brief: bool = False) -> Wire:
    """ServiceDeployment, or ServiceDeploymentBrief."""
    service = world.store.services[given.service_id]
    common = {
        "serviceDeploymentArn": world.names.service_deployment(given.service_id, given.key),
        "serviceArn": world.names.service(given.service_id),
        "clusterArn": world.names.cluster(service.cluster),
        "createdAt": given.created_at_s,
        "startedAt": given.started_at_s or None,
        "finishedAt": given.finished_at_s or None,
        "status": given.status,
        "statusReason": given.status_reason or None,
    }
    if brief:
        return common | {"targetServiceRevisionArn": world.names.revision(given.service_id, given.target)}
    rolled_back = {
        "reason": given.rollback_reason,
        "startedAt": given.rollback_at_s,
        "serviceRevisionArn": world.names.revision(given.service_id, given.rollback_to),
    }
    return common | {
        "stoppedAt": given.stopped_at_s or None,
        "updatedAt": given.updated_at_s,
        "sourceServiceRevisions": [
            _summary(world, service, each) | weights(given, is_target=False) for each in given.sources
        ],
        "targetServiceRevision": _summary(world, service, given.target) | weights(given, is_target=True),
        "lifecycleStage": _STAGES_NOT_SHOWN.get(given.stage, given.stage) or None,
        "lifecycleHookDetails": [{name: value for name, value in given.hook.items() if name != "stage"}]
        if given.hook
        else None,
        "deploymentConfiguration": given.given,
        "rollback": rolled_back if given.rollback_to else None,
        "deploymentCircuitBreaker": {
            "status": given.breaker,
            "failureCount": given.failures,
            "threshold": breaker_threshold(given.given, service.desired_count),
        },
        "alarms": {"status": "DISABLED"},
    }


def revision_shape(world: World, given: Revision) -> Wire:
    """ServiceRevision."""
    service = world.store.services[given.service_id]
    definition = world.store.definitions[given.definition_id]
    return {
        **{name: given.given[name] for name in _OF_REVISION if name in given.given},
        "serviceRevisionArn": world.names.revision(given.service_id, given.revision_id),
        "serviceArn": world.names.service(given.service_id),
        "clusterArn": world.names.cluster(service.cluster),
        "taskDefinition": world.names.definition(given.definition_id),
        "containerImages": [
            {
                "containerName": each["name"],
                "image": each["image"],
                "imageDigest": given.images.get(each["image"], "").partition("@")[2] or None,
            }
            for each in definition.given["containerDefinitions"]
        ],
        "guardDutyEnabled": False,
        "createdAt": given.created_at_s,
    }


def breaker_threshold(configuration: Wire, desired: int) -> int:
    """How many tasks have to fail in a row to trip the circuit breaker."""
    given = (configuration.get("deploymentCircuitBreaker") or {}).get("thresholdConfiguration") or {}
    kind, value = given.get("type", "BOUNDED_PERCENT"), given.get("value", 50)
    if kind == "COUNT":
        return int(value)
    share = -(-desired * value // 100)
    return int(max(share, 1) if kind == "UNBOUNDED_PERCENT" else min(max(share, 3), 200))


def _deployment(world: World, service: Service, deployment: Deployment) -> Wire:
    rollout = service.rollouts[deployment.deployment_id]
    revision = world.store.revisions[rollout.revision_id]
    return {
        **{name: revision.given[name] for name in _OF_DEPLOYMENT if name in revision.given},
        "id": deployment.deployment_id,
        "status": "PRIMARY" if deployment is service.deployments[0] else "ACTIVE",
        "taskDefinition": world.names.definition(deployment.definition_id),
        "desiredCount": _desired(service, deployment),
        **_counts(service, deployment.deployment_id, "Count"),
        "failedTasks": rollout.failed_tasks,
        "createdAt": rollout.created_at_s,
        "updatedAt": rollout.updated_at_s,
        "rolloutState": rollout.state,
        "rolloutStateReason": rollout.reason,
    }


def _task_set(world: World, service: Service, deployment: Deployment) -> Wire:
    """The task set for a deployment of a service that CodeDeploy controls, which has no ECS deployments."""
    rollout, desired = service.rollouts[deployment.deployment_id], _desired(service, deployment)
    counts = _counts(service, deployment.deployment_id, "Count")
    return {
        "id": deployment.deployment_id,
        "serviceArn": world.names.service(service.service_id),
        "clusterArn": world.names.cluster(service.cluster),
        "status": "PRIMARY" if deployment is service.deployments[0] else "ACTIVE",
        "taskDefinition": world.names.definition(deployment.definition_id),
        "computedDesiredCount": desired,
        **counts,
        "stabilityStatus": "STEADY_STATE" if counts["runningCount"] == desired else "STABILIZING",
        "createdAt": rollout.created_at_s,
        "updatedAt": rollout.updated_at_s,
    }


def _desired(service: Service, deployment: Deployment) -> int:
    if deployment is service.deployments[0]:
        return 0 if deployment.given_up else service.desired_count
    return sum(each.deployment_id == deployment.deployment_id for each in service.copies_alive)


def _counts(service: Service, deployment_id: str | None, suffix: str) -> dict[str, int]:
    states = [
        each.status
        for each in service.copies
        if not each.stopping and deployment_id in (None, each.deployment_id)
    ]
    return {
        f"running{suffix}": states.count(Status.RUNNING),
        f"pending{suffix}": states.count(Status.PENDING),
    }


def _summary(world: World, service: Service, revision_id: str) -> Wire:
    deployments = [
        each
        for each in service.deployments
        if service.rollouts[each.deployment_id].revision_id == revision_id
    ]
    counts = {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
    for each in deployments:
        of_one = {
            "requestedTaskCount": _desired(service, each),
            **_counts(service, each.deployment_id, "TaskCount"),
        }
        counts = {name: counts[name] + of_one[name] for name in counts}
    return {"arn": world.names.revision(service.service_id, revision_id), **counts}


def _container(arn: str, container: Container, given: Wire) -> Wire:
    ended = container.status == Status.STOPPED
    return {
        "containerArn": f"{arn.replace(':task/', ':container/')}/{container.name}",
        "taskArn": arn,
        "name": container.name,
        "image": given.get("image", container.image),
        "imageDigest": container.image_digest,
        "runtimeId": container.docker_id,
        "lastStatus": str(container.status),
        "exitCode": container.exit_code if ended and container.docker_id is not None else None,
        "reason": container.reason or None,
        "healthStatus": container.health.upper()
        if container.health in ("healthy", "unhealthy")
        else "UNKNOWN",
        "networkBindings": _bindings(container, given) if not ended else [],
        "networkInterfaces": [],
        "cpu": str(given.get("cpu", 0)),
        "memory": str(given["memory"]) if given.get("memory") else None,
        "memoryReservation": str(given["memoryReservation"]) if given.get("memoryReservation") else None,
    }


def _bindings(container: Container, given: Wire) -> list[Wire]:
    return [
        {
            "bindIP": "127.0.0.1",
            "containerPort": mapping.get("containerPort"),
            "hostPort": container.ports[key],
            "protocol": mapping.get("protocol", "tcp"),
        }
        for mapping in given.get("portMappings") or ()
        if (key := mapping.get("hostPort") or mapping.get("containerPort")) in container.ports
    ]


def _attachment(copy: Copy) -> Wire:
    return {
        "id": copy.copy_id,
        "type": "ElasticNetworkInterface",
        "status": "DELETED" if copy.stopped_at_s else "ATTACHED" if copy.network_id else "PRECREATED",
        "details": [{"name": "privateIPv4Address", "value": "127.0.0.1"}],
    }


def _memory(definition: Definition) -> int:
    return sum(
        int(each.get("memory") or each.get("memoryReservation") or 0)
        for each in definition.given["containerDefinitions"]
    )


def _last_status(copy: Copy) -> str:
    if copy.stopped_at_s:
        return "STOPPED"
    if copy.stopping:
        return "DEACTIVATING" if copy.draining else "STOPPING"
    if copy.status == Status.RUNNING:
        return "RUNNING"
    return (
        "PENDING"
        if copy.pull_started_at_s or any(each.docker_id for each in copy.containers)
        else "PROVISIONING"
    )


def _stopped_reason(copy: Copy) -> str:
    if copy.reason == "Scaling activity initiated by deployment":
        return f"Scaling activity initiated by (deployment {copy.deployment_id})"
    return copy.reason
