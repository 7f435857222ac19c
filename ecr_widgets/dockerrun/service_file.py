"""A service file: how an ECS service is run, as the input of CreateService without what the kit sets itself.

Source: Amazon ECS API Reference, CreateService, UpdateService and RunTask.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ecr_widgets.dockerrun.reading import read_json
from ecr_widgets.errors import InputError, InvalidDockerrun
from ecr_widgets.model.services import FIXED_SETTINGS, Settings

_SET_BY_THE_KIT = {
    "cluster": "the environment names it",
    "serviceName": "the service's name is given beside it",
    "service": "the service's name is given beside it",
    "taskDefinition": "the deploy is given beside it",
    "clientToken": "each run has its own",
    "forceNewDeployment": "a new deploy starts a deployment by itself",
}
_WHAT = "Service file"
FOR_TASKS = frozenset(
    (
        "capacityProviderStrategy",
        "enableECSManagedTags",
        "enableExecuteCommand",
        "launchType",
        "networkConfiguration",
        "placementConstraints",
        "placementStrategy",
        "platformVersion",
        "tags",
        "volumeConfigurations",
    )
)
"""Settings that apply to tasks as well as services."""
SETTINGS = (
    FOR_TASKS
    | FIXED_SETTINGS
    | {
        "availabilityZoneRebalancing",
        "deploymentConfiguration",
        "desiredCount",
        "gatewayConnectors",
        "healthCheckGracePeriodSeconds",
        "loadBalancers",
        "monitoring",
        "propagateTags",
        "serviceConnectConfiguration",
        "serviceRegistries",
        "vpcLatticeConfigurations",
    }
)


def read_service_file(content: bytes) -> Settings:
    """Read a service file. Members that this version does not know are kept: ECS may know them.

    Raises:
        InvalidDockerrun: Not a JSON object, sets what the kit sets, or has a member that is close to a known one.
    """
    try:
        settings = read_json(content)
    except InvalidDockerrun as error:
        raise error.called(_WHAT) from error
    for name in settings:
        if name in _SET_BY_THE_KIT:
            raise InvalidDockerrun(
                f"a service file must not set it: {_SET_BY_THE_KIT[name]}",
                pointer=f"/{name}",
                hint="remove it",
                what=_WHAT,
            )
        near = get_close_matches(name, SETTINGS, n=1, cutoff=0.8)
        if name not in SETTINGS and near:
            hint = f"did you mean {near[0]}?"
            raise InvalidDockerrun("no such setting", pointer=f"/{name}", hint=hint, what=_WHAT)
    return settings


def check_network(document: Mapping[str, Any], settings: Settings | None) -> None:
    """Refuse a task definition whose tasks have their own network interface if no subnets are named for it.

    Raises:
        InputError: The network mode is awsvpc, and no subnets are named.
    """
    network = (settings or {}).get("networkConfiguration") or {}
    subnets = network.get("awsvpcConfiguration", {}).get("subnets") if isinstance(network, Mapping) else None
    if document.get("networkMode") == "awsvpc" and not subnets:
        raise InputError(
            "the task definition's networkMode is awsvpc, and no subnets are named for it",
            hint="name a service file with networkConfiguration/awsvpcConfiguration/subnets",
        )


def for_a_task(settings: Settings) -> Settings:
    """The settings that also apply to a task."""
    return {name: value for name, value in settings.items() if name in FOR_TASKS}


def differing(current: Settings, wanted: Settings) -> Settings:
    """The wanted settings that differ from the current ones; what ECS adds to one by itself does not count.

    The number of copies is left out: scaling has its own step, and auto scaling may have changed it.
    """
    return {
        name: value
        for name, value in wanted.items()
        if name != "desiredCount" and not _holds(current.get(name), value)
    }


def check_applicable(changes: Settings) -> None:
    """Refuse changes to settings that can only be given when a service is created.

    Raises:
        InputError: There is such a change.
    """
    fixed = sorted(changes.keys() & FIXED_SETTINGS)
    if fixed:
        raise InputError(
            f"{', '.join(fixed)} cannot be changed once the service exists",
            hint="create another service beside it, or leave it out of the service file",
        )


def difference_lines(current: Settings, changes: Settings) -> tuple[str, ...]:
    """A line for each setting that differs, for people."""
    return tuple(
        f"{name}: {_shown(current.get(name))} becomes {_shown(value)}"
        + (" (only for a new service)" if name in FIXED_SETTINGS else "")
        for name, value in changes.items()
    )


def _holds(current: Any, wanted: Any) -> bool:
    """Whether what ECS reports includes everything that is wanted."""
    if isinstance(wanted, Mapping):
        return isinstance(current, Mapping) and all(
            _holds(current.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not wanted:
            return not current
        if not isinstance(current, list) or len(current) != len(wanted):
            return False
        left = list(current)
        for item in wanted:
            match = next((each for each in left if _holds(each, item)), None)
            if match is None:
                return False
            left.remove(match)
        return True
    return bool(current == wanted)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)
