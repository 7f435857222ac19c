"""Room for tasks on a cluster's container instances."""

from __future__ import annotations

from collections.abc import Iterable

from ecr_widgets.adapters.ecs.decode import container_definitions, decoded, objects
from ecr_widgets.adapters.ecs.reading import Reading
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import AuthorizationError

_PAGE = 100
_NAMES = {"MEMORY": "MiB of memory", "CPU": "CPU units"}


class Room(Reading):
    """Implements `never_fits` of `ports.services.Services`."""

    def never_fits(self, service_id: str, deploy_id: str) -> str:
        cluster, _ = self._address.in_cluster(service_id, "service")
        try:
            arns = list(
                self._listed(
                    "ecs:ListContainerInstances", "containerInstanceArns", cluster=cluster, maxResults=_PAGE
                )
            )
            # Instances that are draining or registering count too: they may be available in a minute.
            instances = list(
                self._described(
                    "ecs:DescribeContainerInstances",
                    "containerInstances",
                    arns,
                    at_once=_PAGE,
                    cluster=cluster,
                )
            )
        except AuthorizationError:
            return ""  # then the scheduler's own report has to do
        needed = _needed(self._definition(deploy_id))
        for name, most in _most(instances).items():
            if needed[name] > most:
                return (
                    f"it needs {needed[name]} {_NAMES[name]}, and no container instance has more than {most}"
                )
        return ""


@decoded
def _needed(definition: Wire) -> dict[str, int]:
    """What a task reserves, as ECS counts it."""
    containers = container_definitions(definition)
    return {
        "MEMORY": int(definition.get("memory") or 0)
        or sum(int(each.get("memoryReservation") or each.get("memory") or 0) for each in containers),
        "CPU": int(definition.get("cpu") or 0) or sum(int(each.get("cpu") or 0) for each in containers),
    }


@decoded
def _most(instances: Iterable[Wire]) -> dict[str, int]:
    """The largest total of any one instance, by resource; empty if there are no instances."""
    most: dict[str, int] = {}
    for instance in instances:
        for each in objects(instance, "registeredResources"):
            if each["name"] in _NAMES:
                most[each["name"]] = max(most.get(each["name"], 0), int(each["integerValue"]))
    return most
