"""Rewrites a task definition registered by Layer0 for a native ECS service: what changes, and what only people know."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.fargate import MEMORY_BY_CPU
from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.ecs_names import LAYER0_PREFIX
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Dialect

UNANSWERED = "<{}>"
"""A placeholder. `Adopt` refuses files that still have one."""
_LOWEST_CPU = 256


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A rewritten document, and a line for each change."""

    document: Mapping[str, Any]
    changed: tuple[str, ...]
    questions: tuple[str, ...]
    """What needs an answer from somebody who knows the service."""


def pinned(document: Mapping[str, Any], running: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The document with each image pinned to the running digest, and a line for each that was not pinned yet.

    Args:
        running: Running digests by container name.
    """
    made, changed = copy.deepcopy(dict(document)), []
    for container in made["containerDefinitions"]:
        try:
            image = ImageReference.parse(container["image"])
        except InvalidReference:
            continue
        digest = running.get(container["name"])
        if image.digest is None and digest:
            container["image"] = str(image.with_digest(digest))
            changed.append(f"{container['name']}: image {image} is pinned to the digest that runs, {digest}")
    return made, tuple(changed)


def for_fargate(document: Mapping[str, Any], *, execution_role: str) -> Rewritten:
    """The document rewritten for Fargate, where each task has its own network interface.

    Args:
        execution_role: ARN of the role that pulls images and writes logs; empty if it is not known yet.
    """
    made = copy.deepcopy(dict(document))
    changed, questions = [], []
    mode = made.get("networkMode", "bridge")
    made |= {
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "executionRoleArn": execution_role or UNANSWERED.format("EXECUTION_ROLE"),
    }
    changed.append(f"networkMode: {mode} becomes awsvpc: each task has an address of its own")
    if not execution_role:
        questions.append(
            "execution_role: which role pulls the images and writes the logs? Layer0's instances did"
        )
    made["cpu"], made["memory"] = map(str, _size(made["containerDefinitions"]))
    changed.append(
        f"size: {made['cpu']} CPU units and {made['memory']} MiB, the least of Fargate's that fits"
    )
    if made.pop("placementConstraints", None):
        changed.append("placementConstraints: left out, since there are no instances to choose from")
    for container in made["containerDefinitions"]:
        changed += _without_host_ports(container)
        questions += _without_bridge(container)
    for volume in made.get("volumes", ()):
        path = (volume.get("host") or {}).get("sourcePath")
        if path:
            volume["host"] = {}
            questions.append(
                f"volume {volume['name']}: {path} of the instance is not there on Fargate: is its content"
                " needed, and will EFS do?"
            )
    return Rewritten(made, tuple(changed), (*questions, *_refused(made)))


def with_log_group(document: Mapping[str, Any], group: str, prefix: str) -> Rewritten:
    """The document with logs that go to Layer0's group sent elsewhere.

    Args:
        group: Empty to keep Layer0's.

        prefix: Of the streams, instead of Layer0's.
    """
    made, changed = copy.deepcopy(dict(document)), []
    for container in made["containerDefinitions"]:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        own = options.get("awslogs-group", "")
        if own.startswith(LAYER0_PREFIX) and options.get("awslogs-stream-prefix") == "l0":
            options["awslogs-stream-prefix"] = prefix
            options["awslogs-group"] = group or own
            where = f"{group} instead of {own}" if group else f"{own}, which goes when Layer0 is taken down"
            changed.append(f"{container['name']}: logs go to {where}, as {prefix}/...")
    return Rewritten(made, tuple(changed), ())


def _without_host_ports(container: dict[str, Any]) -> Iterator[str]:
    for mapping in container.get("portMappings") or ():
        host = mapping.pop("hostPort", None)
        if host not in (None, 0, mapping.get("containerPort")):
            yield (
                f"{container['name']}: port {mapping.get('containerPort')} is reached as that, and no longer"
                f" as {host} of an instance"
            )


def _without_bridge(container: dict[str, Any]) -> Iterator[str]:
    name = container["name"]
    for link in container.pop("links", None) or ():
        other, _, alias = str(link).partition(":")
        yield f"{name}: link to {other} is gone: does it find it at localhost instead of {alias or other}?"
    for host in container.pop("extraHosts", None) or ():
        yield f"{name}: /etc/hosts has no {host.get('hostname')} any more: does DNS know it?"
    if container.pop("hostname", None):
        yield f"{name}: its hostname is the task's own now: does it depend on the old one?"


def _refused(document: Mapping[str, Any]) -> Iterator[str]:
    """What ECS would still refuse, to be changed by hand."""
    try:
        Dockerrun.parse(json.dumps(document).encode(), Dialect.ECS)
    except InvalidDockerrun as error:
        yield f"task definition: {error.message}: what takes its place?"


def _size(containers: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """The smallest Fargate size that fits the containers, or else the largest: CPU units, and memory in MiB."""
    cpu = sum(each.get("cpu") or 0 for each in containers)
    memory = sum(each.get("memory") or each.get("memoryReservation") or 0 for each in containers)
    sizes = (
        (units, mib)
        for units, some in MEMORY_BY_CPU.items()
        for mib in some
        if units >= max(cpu, _LOWEST_CPU) and mib >= memory
    )
    largest = max(MEMORY_BY_CPU)
    return next(sizes, (largest, MEMORY_BY_CPU[largest][-1]))
