"""Runs a copy, from its first image to its last container: starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from ecr_widgets.sandbox.workloads.containers import (
    CannotPull,
    CannotStart,
    Containers,
    ContainerSpec,
    EngineGone,
    Seen,
)
from ecr_widgets.sandbox.workloads.records import Container, Copy, Service, Status, Task
from ecr_widgets.sandbox.workloads.rules import Rules
from ecr_widgets.sandbox.workloads.task_definition import (
    ContainerDefinition,
    Dependency,
    Network,
    TaskDefinition,
)

_STARTING = 4
"""How many containers to start at a time; more would gain nothing."""
_LOOK_S = 0.2


class Runner:
    """Starts and stops copies.

    Args:
        containers: The engine's containers; its blocking calls are made in threads.

        front: Prefix of container names and label keys.
    """

    def __init__(self, containers: Containers, rules: Rules, *, front: str) -> None:
        self._containers = containers
        self._rules = rules
        self._front = front
        self._room = asyncio.Semaphore(_STARTING)

    async def start(
        self, owner: Service | Task, copy: Copy, definition: TaskDefinition, images: dict[str, str]
    ) -> None:
        """Start a copy's containers; if it cannot start, the cause becomes its reason.

        Args:
            images: What image names refer to; names not in it are resolved and added.
        """
        try:
            added = await asyncio.to_thread(self._rules.prepare, owner, copy)
            volumes = {
                name: f"{self._named(copy)}-{number}" for number, name in enumerate(definition.volumes)
            }
            if definition.network is Network.SHARED and not copy.stopping:
                held = await asyncio.to_thread(
                    self._containers.hold_network,
                    f"{self._named(copy)}-network",
                    definition.containers,
                    self._labels(copy, ""),
                )
                copy.network_id = held.docker_id
                _share_ports(copy, definition, held)
            for each in definition.in_start_order():
                for needed in each.dependsOn:
                    await self._wait_for(copy, needed, each.startTimeout)
                async with self._room:
                    if copy.stopping or copy.reason:
                        return
                    await self._start_one(
                        copy, each.with_environment(added.get(each.name, {})), definition, volumes, images
                    )
        except (CannotPull, CannotStart) as error:
            copy.reason, copy.stop_code = copy.reason or str(error), copy.stop_code or "TaskFailedToStart"
            for container in copy.containers:
                if container.docker_id is None:
                    container.status, container.reason = Status.STOPPED, str(error)
            if copy.status == Status.STOPPED and copy.network_id is not None:
                await asyncio.to_thread(self._containers.remove, copy.network_id)
        finally:
            copy.pull_stopped_at_s = copy.pull_stopped_at_s or (
                time.time() if copy.pull_started_at_s else 0.0
            )
            if all(each.docker_id is not None for each in copy.containers):
                copy.started_at_s = time.time()
            copy.take_time()

    async def stop(self, copy: Copy, reason: str, code: str = "") -> None:
        """Stop a copy's containers and wait until they are stopped."""
        copy.reason, copy.stop_code = copy.reason or reason, copy.stop_code or code
        copy.stopping, copy.stopping_at_s = True, copy.stopping_at_s or time.time()
        await self._rules.before_stop(copy)
        for container in reversed(copy.containers):
            if container.docker_id is not None and container.status != Status.STOPPED:
                grace_s = copy.graces_s.get(container.name, 0)
                await asyncio.to_thread(self._containers.stop, container.docker_id, grace_s=grace_s)
                with suppress(EngineGone):
                    take_up(container, await asyncio.to_thread(self._containers.look, container.docker_id))
            container.status = Status.STOPPED
        if copy.network_id is not None:
            await asyncio.to_thread(self._containers.remove, copy.network_id)
        copy.take_time()

    async def remove(self, copies: Iterable[Copy]) -> None:
        """Remove the copies' containers, and their logs."""
        for copy in copies:
            for docker_id in (*(each.docker_id for each in copy.containers), copy.network_id):
                if docker_id is not None:
                    await asyncio.to_thread(self._containers.remove, docker_id)

    async def _start_one(
        self,
        copy: Copy,
        each: ContainerDefinition,
        definition: TaskDefinition,
        volumes: Mapping[str, str],
        images: dict[str, str],
    ) -> None:
        states = {container.name: container for container in copy.containers}
        container, pinned = states[each.name], images.get(each.image)
        if pinned is None:
            copy.pull_started_at_s = copy.pull_started_at_s or time.time()
            pinned = await asyncio.to_thread(self._containers.pin, each.image)
            copy.pull_stopped_at_s = time.time()
            if each.versionConsistency != "disabled":
                # As on ECS, a tag is resolved once per deployment, so that a restarted copy runs the same image.
                pinned = images.setdefault(each.image, pinned)
        if copy.stopping:
            return
        container.image = pinned
        links = {}
        for link in each.links:
            name, _, alias = link.partition(":")
            if (docker_id := states[name].docker_id) is not None:
                links[alias or name] = docker_id
        spec = ContainerSpec(
            name=f"{self._named(copy)}-{each.name}",
            image=pinned,
            definition=each,
            environment={variable.name: variable.value for variable in each.environment},
            labels=self._labels(copy, each.name),
            links=links,
            volumes=volumes,
            network_of=copy.network_id,
            has_network=definition.network is not Network.NONE,
        )
        copy.graces_s[each.name] = self._rules.grace_s(each)
        seen = await asyncio.to_thread(self._containers.start, spec)
        container.docker_id = seen.docker_id
        if copy.stopping:
            await asyncio.to_thread(self._containers.stop, seen.docker_id, grace_s=0)
        take_up(container, seen)
        blame(copy)

    async def _wait_for(self, copy: Copy, needed: Dependency, timeout_s: int | None) -> None:
        """Wait until a container that another one depends on is in the required state.

        Raises:
            CannotStart: It never will be, or not in time.
        """
        container = next(each for each in copy.containers if each.name == needed.containerName)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not (copy.stopping or copy.reason) and not _is_met(container, needed.condition):
            if deadline is not None and time.monotonic() > deadline:
                raise CannotStart(f"TaskDependencyError: timed out waiting for container '{container.name}'")
            await asyncio.sleep(_LOOK_S)
            with suppress(EngineGone):
                if container.docker_id is not None:
                    take_up(container, await asyncio.to_thread(self._containers.look, container.docker_id))

    def _named(self, copy: Copy) -> str:
        return f"{self._front}-{copy.copy_id}"

    def _labels(self, copy: Copy, container: str) -> dict[str, str]:
        return {f"{self._front}.copy": copy.copy_id, f"{self._front}.container": container}


def _share_ports(copy: Copy, definition: TaskDefinition, held: Seen) -> None:
    """Give each container the ports that the container holding their network publishes for it."""
    for container, given in zip(copy.containers, definition.containers, strict=True):
        keys = [mapping.hostPort or mapping.containerPort for mapping in given.portMappings]
        container.ports = {key: held.ports[key] for key in keys if key in held.ports}


def take_up(container: Container, seen: Seen | None) -> None:
    """Record what the engine reports about a container; None if it is gone."""
    if seen is not None and seen.running:
        container.status, container.health = Status.RUNNING, seen.health
        container.ports = dict(seen.ports) or container.ports
        return
    container.status = Status.STOPPED
    container.exit_code = 137 if seen is None else seen.exit_code
    if seen is not None and seen.out_of_memory:
        container.reason = "OutOfMemoryError: Container killed due to memory usage"


def blame(copy: Copy) -> None:
    """If a copy ends by itself, set the reason: the first essential container that ended."""
    ended = next((each for each in copy.containers if each.essential and each.status == Status.STOPPED), None)
    if ended is not None and not copy.reason:
        copy.reason = ended.reason or "Essential container in task exited"
        copy.stop_code = "EssentialContainerExited"


def _is_met(container: Container, condition: str) -> bool:
    if container.docker_id is None:
        return False
    ended = container.status == Status.STOPPED
    if condition == "SUCCESS" and ended and container.exit_code:
        raise CannotStart(
            f"TaskDependencyError: dependency container '{container.name}' exited with code {container.exit_code}"
        )
    if condition == "HEALTHY":
        if ended or container.health == "unhealthy":
            raise CannotStart(f"TaskDependencyError: dependency container '{container.name}' is not healthy")
        return container.health == "healthy"
    return ended if condition in ("COMPLETE", "SUCCESS") else True
