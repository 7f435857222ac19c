"""Services: tasks that are kept running, and moved from one deployment to the next."""

from __future__ import annotations

import copy
from typing import Any

from ecr_widgets.sandbox.ecs.entities import ACTIVE, DRAINING, INACTIVE, Cluster, Definition, Service, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid, unsupported
from ecr_widgets.sandbox.ecs.names import short
from ecr_widgets.sandbox.ecs.paging import page
from ecr_widgets.sandbox.ecs.rollout import begin_deployment
from ecr_widgets.sandbox.ecs.shapes import service_shape
from ecr_widgets.sandbox.ecs.world import World, tags_of

_MOST_DESCRIBED = 10
ROLLING: Wire = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}
DEFAULTS: Wire = {
    "loadBalancers": [],
    "serviceRegistries": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "healthCheckGracePeriodSeconds": 0,
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "enableExecuteCommand": False,
    "availabilityZoneRebalancing": "ENABLED",
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
}
_UNSUPPORTED = {
    "serviceConnectConfiguration": "Service Connect",
    "volumeConfigurations": "EBS volumes",
    "vpcLatticeConfigurations": "VPC Lattice",
    "gatewayConnectors": "gateways",
}
_CHANGES_ANYTHING = ("networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries")
"""Members of UpdateService that start a new deployment if they differ."""
_CHANGES_NEW_TASKS = (
    *("capacityProviderStrategy", "availabilityZoneRebalancing", "placementConstraints", "placementStrategy"),
    *("healthCheckGracePeriodSeconds", "enableExecuteCommand", "enableECSManagedTags", "propagateTags"),
)


def create(world: World, given: Wire) -> Wire:
    """CreateService."""
    cluster = world.cluster(given.get("cluster"))
    name = given["serviceName"]
    if not name:
        raise invalid("Service name cannot be empty.")
    if len(given.get("clientToken", "")) > 36:
        raise invalid("idempotency token longer than 36.")
    existing = world.store.services.get(f"{cluster.name}/{name}")
    if existing is not None and existing.status == DRAINING:
        raise invalid("Unable to Start a service that is still Draining.")
    if existing is not None and existing.status == ACTIVE:
        if given.get("clientToken") and existing.request == given:
            return {"service": service_shape(world, existing)}
        raise invalid("Creation of service was not idempotent.")
    settings = _settings(cluster, given)
    if not given.get("taskDefinition"):
        raise invalid("TaskDefinition is blank.")
    definition = world.usable_definition(given["taskDefinition"])
    check_launch(settings, definition)
    _check_load_balancers(world, settings, definition)
    service = Service(
        service_id=f"{cluster.name}/{name}",
        cluster=cluster.name,
        name=name,
        given=settings,
        request=given,
        tags=tags_of(given),
        desired_count=_desired(given, settings),
    )
    if existing is not None:
        world.scheduler.spawn(world.scheduler.remove(existing.copies))
    _take_percents(service)
    begin_deployment(world, service, definition.entity_id)
    world.target_groups.attach(service)
    world.store.save(service)
    # ECS answers before it looks for room, so nothing is pending yet.
    made = service_shape(world, service)
    world.scheduler.adjust(service)
    return {"service": made}


def update(world: World, given: Wire) -> Wire:
    """UpdateService: starts a new deployment only if something that tasks are started with differs."""
    cluster = world.cluster(given.get("cluster"))
    service = world.service(cluster, given["service"])
    if service.status != ACTIVE:
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    _check_supported(given)
    current = service.deployments[0].definition_id
    definition = world.store.definitions[current]
    if "taskDefinition" in given:
        definition = world.usable_definition(given["taskDefinition"])
    changed = [name for name in _CHANGES_ANYTHING if name in given and given[name] != service.given.get(name)]
    is_new = definition.entity_id != current or bool(changed) or bool(given.get("forceNewDeployment"))
    if is_new and service.given["deploymentController"]["type"] != "ECS":
        raise invalid(
            "Unable to update task definition on services with a CODE_DEPLOY deployment controller."
            " Use AWS CodeDeploy to trigger a new deployment."
        )
    settings = service.given | {
        name: given[name] for name in (*changed, *_CHANGES_NEW_TASKS) if name in given
    }
    if "deploymentConfiguration" in given:
        settings["deploymentConfiguration"] = _deployment_configuration(
            settings["deploymentConfiguration"] | given["deploymentConfiguration"]
        )
    settings["networkConfiguration"] = _network(settings.get("networkConfiguration"))
    check_launch(settings, definition)
    _check_load_balancers(world, settings, definition)
    desired = given.get("desiredCount", service.desired_count)
    _check_counted(given, settings)
    if desired < 0:
        raise invalid("desiredCount must not be negative")
    service.given, service.desired_count = settings, desired
    _take_percents(service)
    if is_new:
        begin_deployment(world, service, definition.entity_id)
        world.target_groups.attach(service)
    service.is_steady = False
    world.store.save(service)
    made = service_shape(world, service)
    world.scheduler.adjust(service)
    return {"service": made}


def describe(world: World, given: Wire) -> Wire:
    """DescribeServices: includes deleted ones for a while; unknown ones are failures."""
    cluster = world.cluster(given.get("cluster"), active=False)
    wanted = given["services"]
    if not 1 <= len(wanted) <= _MOST_DESCRIBED:
        raise invalid("Services cannot be empty." if not wanted else "Too many services: 10 at the most.")
    shown, failures = [], []
    for name in wanted:
        service = world.store.services.get(f"{cluster.name}/{short(name)}")
        if service is None:
            missing = world.names.service(f"{cluster.name}/{short(name)}")
            failures.append({"arn": missing, "reason": "MISSING"})
        else:
            shown.append(service_shape(world, service, given.get("include") or []))
    return {"services": shown, "failures": failures}


def list_all(world: World, given: Wire) -> Wire:
    """ListServices: ten per page by default."""
    cluster = world.cluster(given.get("cluster"))
    listed = [
        world.names.service(each.service_id)
        for each in world.services_of(cluster)
        if given.get("launchType") in (None, each.given.get("launchType"))
        and given.get("schedulingStrategy") in (None, each.given.get("schedulingStrategy"))
    ]
    return page(given, "serviceArns", listed, default=10)


def delete(world: World, given: Wire) -> Wire:
    """DeleteService: DRAINING until its tasks have stopped, then INACTIVE."""
    cluster = world.cluster(given.get("cluster"))
    service = world.service(cluster, given["service"])
    if service.status == INACTIVE:
        raise EcsError("ServiceNotFoundException", "Service not found.")
    if service.status == ACTIVE:
        if service.desired_count > 0 and not given.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired_count = DRAINING, 0
        world.store.save(service)
        world.scheduler.adjust(service)
    return {"service": service_shape(world, service)}


def check_launch(settings: Wire, definition: Definition) -> None:
    """Refuse settings that cannot be launched.

    Raises:
        EcsError: The network or launch type does not fit the task definition.
    """
    if definition.given["networkMode"] == "awsvpc":
        if not (settings.get("networkConfiguration") or {}).get("awsvpcConfiguration"):
            raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    elif settings.get("networkConfiguration"):
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    if settings.get("launchType") == "FARGATE" and "FARGATE" not in definition.given["compatibilities"]:
        raise invalid("Task definition does not support launch_type FARGATE.")


def launch_settings(cluster: Cluster, given: Wire) -> Wire:
    """How tasks are launched: by launch type or by capacity provider strategy.

    Raises:
        EcsError: Both are given.
    """
    if given.get("launchType") and given.get("capacityProviderStrategy"):
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    strategy = given.get("capacityProviderStrategy") or (
        None if given.get("launchType") else cluster.given.get("defaultCapacityProviderStrategy")
    )
    if strategy:
        return {"capacityProviderStrategy": strategy}
    launch_type = given.get("launchType", "EC2")
    return {"launchType": launch_type} | (
        {"platformVersion": given.get("platformVersion", "LATEST")} if launch_type == "FARGATE" else {}
    )


def _settings(cluster: Cluster, given: Wire) -> Wire:
    _check_supported(given)
    controller = (given.get("deploymentController") or {}).get("type", "ECS")
    if controller == "EXTERNAL":
        raise unsupported("external deployment controller")
    settings = copy.deepcopy(DEFAULTS) | {name: given[name] for name in DEFAULTS if name in given}
    settings |= launch_settings(cluster, given)
    if given.get("networkConfiguration"):
        settings["networkConfiguration"] = _network(given["networkConfiguration"])
    settings["deploymentConfiguration"] = _deployment_configuration(
        copy.deepcopy(ROLLING) | (given.get("deploymentConfiguration") or {})
    )
    return settings


def _check_supported(given: Wire) -> None:
    for name, word in _UNSUPPORTED.items():
        value = given.get(name)
        if value and value != {"enabled": False}:
            raise unsupported(word)


def _network(given: Wire | None) -> Wire | None:
    vpc = (given or {}).get("awsvpcConfiguration")
    if not vpc:
        return given
    if not vpc.get("subnets"):
        raise invalid("subnets can not be empty.")
    if len(vpc["subnets"]) > 16 or len(vpc.get("securityGroups") or ()) > 5:
        raise invalid("Too many subnets or security groups: 16 and 5 at the most.")
    return {"awsvpcConfiguration": {"securityGroups": [], "assignPublicIp": "DISABLED"} | vpc}


def _deployment_configuration(given: Wire) -> Wire:
    least, most = given["minimumHealthyPercent"], given["maximumPercent"]
    if least == most == 100:
        raise invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    if most < 100 or least < 0 or most < least:
        raise invalid("maximumPercent must be at least 100 and minimumHealthyPercent not above it.")
    return given


def _take_percents(service: Service) -> None:
    configuration = service.given["deploymentConfiguration"]
    service.least_percent = configuration["minimumHealthyPercent"]
    service.most_percent = configuration["maximumPercent"]


def _desired(given: Wire, settings: Wire) -> int:
    _check_counted(given, settings)
    if settings["schedulingStrategy"] == "DAEMON":
        return 1  # one per container instance, and there is only one
    if "desiredCount" not in given:
        raise invalid("DesiredCount is missing")
    if given["desiredCount"] < 0:
        raise invalid("desiredCount must not be negative")
    return int(given["desiredCount"])


def _check_counted(given: Wire, settings: Wire) -> None:
    if "desiredCount" in given and settings["schedulingStrategy"] == "DAEMON":
        raise invalid("The daemon scheduling strategy does not support a desired count.")


def _check_load_balancers(world: World, settings: Wire, definition: Definition) -> None:
    containers: dict[str, Any] = {each["name"]: each for each in definition.given["containerDefinitions"]}
    for each in settings["loadBalancers"]:
        name, port = each.get("containerName"), each.get("containerPort")
        if name not in containers:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if port not in [mapping.get("containerPort") for mapping in containers[name]["portMappings"]]:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        if each.get("loadBalancerName"):
            raise unsupported("classic load balancer for ECS")
        if not world.target_groups.exists(each.get("targetGroupArn", "")):
            raise invalid(f"The target group {each.get('targetGroupArn')} does not exist.")
