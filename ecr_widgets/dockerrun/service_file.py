"""A service file: how a service of ECS is run, in CreateService's own form, without what the kit sets itself.

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
"""Settings that hold for a task as for a service."""
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
        InvalidDockerrun: It is no JSON object, sets what the kit sets, or has a member that is close to a known one.
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
    """Refuse a task definition whose tasks have a network of their own where nothing says which.

    Raises:
        InputError: It is of mode awsvpc, and no subnets are named.
    """
    network = (settings or {}).get("networkConfiguration") or {}
    subnets = network.get("awsvpcConfiguration", {}).get("subnets") if isinstance(network, Mapping) else None
    if document.get("networkMode") == "awsvpc" and not subnets:
        raise InputError(
            "the task definition's networkMode is awsvpc, and no subnets are named for it",
            hint="name a service file with networkConfiguration/awsvpcConfiguration/subnets",
        )


def for_a_task(settings: Settings) -> Settings:
    """The settings that hold for a task as well."""
    return {name: value for name, value in settings.items() if name in FOR_TASKS}


def differing(current: Settings, wanted: Settings) -> Settings:
    """The wanted settings that are not so yet; what ECS adds to one by itself is no difference.

    The number of copies is none of it: scaling has its own step, and auto scaling its own mind.
    """
    return {
        name: value
        for name, value in wanted.items()
        if name != "desiredCount" and not _holds(current.get(name), value)
    }


def check_applicable(changes: Settings) -> None:
    """Refuse to apply what is given once, when a service is created.

    Raises:
        InputError: One of the settings is of that kind.
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
    """Whether what ECS reports says all that is wanted."""
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
