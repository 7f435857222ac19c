"""Keeps services and tasks as they are wanted, as ECS does: starts what is missing, replaces what ended, stops the old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ecr_widgets.sandbox.workloads.containers import (
    CannotPull,
    CannotStart,
    Containers,
    ContainerSpec,
    EngineGone,
    Seen,
)
from ecr_widgets.sandbox.workloads.records import (
    Container,
    Copy,
    Deployment,
    Records,
    Service,
    Status,
    Task,
    now,
)
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

_PAUSE_S = 0.25
_KEPT_STOPPED = 5
"""Stopped copies of a service that keep their logs."""
_LONGEST_BACK_OFF_S = 30.0
_QUICK_S = 10.0
"""A copy that ended sooner than this failed; one that ran longer is started again at once."""
_KEPT_REASONS = 20
_STARTING = 4
"""Copies that are started at the same time; an engine gains nothing from more."""


class Scheduler:
    """One loop over everything that a front wants to run.

    Args:
        containers: The engine's; its blocking calls are made in threads.

        front: Begins the names of containers and the keys of their labels.
    """

    def __init__(self, records: Records, containers: Containers, *, front: str) -> None:
        self._records = records
        self._containers = containers
        self._front = front
        self._wake = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._launching: set[str] = set()
        self._retry_at_s: dict[str, float] = {}
        self._room = asyncio.Semaphore(_STARTING)
        self._loop: asyncio.Task[None] | None = None
        self.is_served: Callable[[Service, Copy], bool] = lambda _service, _copy: True
        """Whether a copy gets what its load balancer has for it; the old ones stay until enough new ones do."""

    def begin(self) -> None:
        """Start looking after everything, also what an earlier process has left half done."""
        for owner in self._owners():
            for copy in owner.copies:
                _end_unstarted(copy)
                if copy.stopping and copy.status != Status.STOPPED:
                    self.spawn(self.stop(copy, copy.reason))
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop looking after anything; containers stay."""
        for task in (self._loop, *self._background):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background until `close`."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def new_copy(self, definition_id: str, deployment_id: str = "") -> Copy:
        """A copy of a task definition, not yet started."""
        containers = self._records.task_definition(definition_id).containers
        return Copy(
            definition_id, [Container(each.name, each.essential) for each in containers], deployment_id
        )

    def launch_task(self, task: Task) -> None:
        """Start a task's containers in the background."""
        self._launch(task.copy, {}, task.overrides, task)

    def adjust(self, service: Service) -> None:
        """Start what a service lacks and stop what it has too many of; the rest follows in the loop."""
        self._adjust(service)
        self._records.save_changes(service)
        self._wake.set()

    async def stop(self, copy: Copy, reason: str) -> None:
        """Stop a copy's containers and wait until they are."""
        copy.reason, copy.stopping = copy.reason or reason, True
        for container in reversed(copy.containers):
            if container.docker_id is not None and container.status != Status.STOPPED:
                await asyncio.to_thread(self._containers.stop, container.docker_id, grace_s=0)
                with suppress(EngineGone):
                    _take_up(container, await asyncio.to_thread(self._containers.look, container.docker_id))
            container.status = Status.STOPPED

    async def remove(self, copies: Iterable[Copy]) -> None:
        """Remove the containers of copies, and their logs."""
        for copy in copies:
            for container in copy.containers:
                if container.docker_id is not None:
                    await asyncio.to_thread(self._containers.remove, container.docker_id)

    def _owners(self) -> list[Service | Task]:
        return [*self._records.services.values(), *self._records.tasks.values()]

    def _adjust(self, service: Service) -> None:
        if not service.deployments or service.deleting or service.built_in:
            return
        primary, alive = service.deployments[0], service.copies_alive
        current = [copy for copy in alive if copy.deployment_id == primary.deployment_id]
        for surplus in current[service.desired_count :]:
            self._stop_later(surplus, service, "Scaling activity initiated")
        if time.monotonic() >= self._retry_at_s.get(primary.deployment_id, 0.0):
            for _ in range(service.desired_count - len(current)):
                copy = self.new_copy(primary.definition_id, primary.deployment_id)
                service.copies.append(copy)
                self._launch(copy, primary.images, {}, service)
                self._records.save_changes(service)
        ready = [copy for copy in current if copy.status == Status.RUNNING and self.is_served(service, copy)]
        if len(ready) >= service.desired_count:
            old = [copy for copy in alive if copy.deployment_id != primary.deployment_id]
            for copy in old:
                self._stop_later(copy, service, "Scaling activity initiated by deployment")
            if not old and len(service.deployments) > 1:
                del service.deployments[1:]
                self._records.save_changes(service)

    def _launch(
        self,
        copy: Copy,
        images: dict[str, str],
        overrides: Mapping[str, Mapping[str, str]],
        owner: Service | Task,
    ) -> None:
        self._launching.add(copy.copy_id)

        async def launch() -> None:
            try:
                async with self._room:
                    await self._start(copy, images, overrides)
            finally:
                self._launching.discard(copy.copy_id)
            self._records.save_changes(owner)
            self._wake.set()

        self.spawn(launch())

    async def _start(
        self, copy: Copy, images: dict[str, str], overrides: Mapping[str, Mapping[str, str]]
    ) -> None:
        definition = self._records.task_definition(copy.definition_id)
        states = {each.name: each for each in copy.containers}
        volumes = {
            name: f"{self._front}-{copy.copy_id}-{number}" for number, name in enumerate(definition.volumes)
        }
        try:
            for each in definition.in_start_order():
                if each.image not in images:
                    # A tag is resolved once a deployment, so that a restart runs the same image, as ECS does.
                    images[each.image] = await asyncio.to_thread(self._containers.pin, each.image)
                if copy.stopping:
                    return
                container = states[each.name]
                container.image = images[each.image]
                spec = self._spec(copy, each, overrides.get(each.name, {}), states, volumes)
                seen = await asyncio.to_thread(self._containers.start, spec)
                container.docker_id = seen.docker_id
                if copy.stopping:
                    await asyncio.to_thread(self._containers.stop, seen.docker_id, grace_s=0)
                _take_up(container, seen)
                _blame(copy)
        except (CannotPull, CannotStart) as error:
            copy.reason = copy.reason or str(error)
            for container in copy.containers:
                if container.docker_id is None:
                    container.status, container.reason = Status.STOPPED, str(error)

    def _spec(
        self,
        copy: Copy,
        definition: ContainerDefinition,
        overrides: Mapping[str, str],
        states: Mapping[str, Container],
        volumes: Mapping[str, str],
    ) -> ContainerSpec:
        links = {}
        for link in definition.links:
            name, _, alias = link.partition(":")
            if (docker_id := states[name].docker_id) is not None:
                links[alias or name] = docker_id
        return ContainerSpec(
            name=f"{self._front}-{copy.copy_id}-{definition.name}",
            image=states[definition.name].image,
            definition=definition,
            environment={each.name: each.value for each in definition.environment} | dict(overrides),
            labels={f"{self._front}.copy": copy.copy_id, f"{self._front}.container": definition.name},
            links=links,
            volumes=volumes,
        )

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                # `wait_for` would swallow a cancel that comes together with the wake, and `close` would never end.
                async with asyncio.timeout(_PAUSE_S):
                    await self._wake.wait()
            self._wake.clear()
            alive = [
                (owner, copy)
                for owner in self._owners()
                for copy in owner.copies
                if copy.status != Status.STOPPED
            ]
            if alive:
                # The engine may be gone for a moment; what was seen last stays true until it answers again.
                with suppress(EngineGone):
                    await self._look(alive)
            for service in list(self._records.services.values()):
                # Of those that were listed, one may be removed while another is worked on.
                if self._records.services.get(service.service_id) is service and not service.deleting:
                    await self._forget_stopped(service)
                    running = sum(copy.status == Status.RUNNING for copy in service.copies_alive)
                    if len(service.deployments) > 1 or running != service.desired_count:
                        self._adjust(service)

    async def _look(self, alive: list[tuple[Service | Task, Copy]]) -> None:
        # Only what was started before the look can be missed by it.
        started = {c.docker_id for _, copy in alive for c in copy.containers if c.docker_id}
        seen = await asyncio.to_thread(self._containers.look_at_all)
        for owner, copy in alive:
            before = [container.status for container in copy.containers]
            for container in copy.containers:
                if container.docker_id in started and container.status != Status.STOPPED:
                    _take_up(container, seen.get(container.docker_id or ""))
            _blame(copy)
            if copy.reason and not copy.stopping and copy.copy_id not in self._launching:
                await self.stop(copy, copy.reason)
            if before != [container.status for container in copy.containers]:
                self._records.save_changes(owner)

    def _stop_later(self, copy: Copy, service: Service, reason: str) -> None:
        copy.stopping = True

        async def stop() -> None:
            await self.stop(copy, reason)
            self._records.save_changes(service)
            self._wake.set()

        self.spawn(stop())

    async def _forget_stopped(self, service: Service) -> None:
        stopped = [
            copy
            for copy in service.copies
            if copy.status == Status.STOPPED and copy.copy_id not in self._launching
        ]
        fresh = [copy for copy in stopped if not copy.accounted]
        for copy in fresh:
            copy.accounted = True
            self._account(service, copy)
        surplus = stopped[:-_KEPT_STOPPED]
        for copy in surplus:
            service.copies.remove(copy)
        if fresh or surplus:
            self._records.save_changes(service)
        await self.remove(surplus)

    def _account(self, service: Service, copy: Copy) -> None:
        deployment: Deployment | None = next(
            (each for each in service.deployments if each.deployment_id == copy.deployment_id), None
        )
        if deployment is None or copy.reason.startswith("Scaling activity"):
            return
        codes = ", ".join(f"{c.name} exit code {c.exit_code}" for c in copy.containers if c.docker_id)
        deployment.stopped_reasons.append(copy.reason + (f" ({codes})" if codes else ""))
        del deployment.stopped_reasons[:-_KEPT_REASONS]
        deployment.updated = now()
        # A copy that ran for a while is started again at once, one that keeps failing ever later.
        deployment.failures = deployment.failures + 1 if time.time() - copy.launched_at_s < _QUICK_S else 0
        if deployment.failures:
            pause_s = min(0.25 * 2**deployment.failures, _LONGEST_BACK_OFF_S)
            self._retry_at_s[deployment.deployment_id] = time.monotonic() + pause_s


def _take_up(container: Container, seen: Seen | None) -> None:
    if seen is not None and seen.running:
        container.status = Status.RUNNING
        container.ports = dict(seen.ports) or container.ports
        return
    container.status = Status.STOPPED
    container.exit_code = 137 if seen is None else seen.exit_code
    if seen is not None and seen.out_of_memory:
        container.reason = "OutOfMemoryError: Container killed due to memory usage"


def _blame(copy: Copy) -> None:
    """Why a copy ends, where it does by itself: the first essential container that ended."""
    ended = next((each for each in copy.containers if each.essential and each.status == Status.STOPPED), None)
    if ended is not None and not copy.reason:
        copy.reason = ended.reason or "Essential container in task exited"


def _end_unstarted(copy: Copy) -> None:
    # What was on its way when the process ended has no container that could be found.
    for container in copy.containers:
        if container.docker_id is None and container.status == Status.PENDING:
            container.status = Status.STOPPED
            copy.reason = copy.reason or "Host restarted"
