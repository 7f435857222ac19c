"""Keeps services and tasks in their wanted state, as ECS does: starts what is missing, replaces what ended, stops the old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from ecr_widgets.sandbox.workloads.containers import Containers, EngineGone
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
from ecr_widgets.sandbox.workloads.rolling import next_move
from ecr_widgets.sandbox.workloads.rules import Rules
from ecr_widgets.sandbox.workloads.runner import Runner, blame, take_up
from ecr_widgets.sandbox.workloads.task_definition import TaskDefinition

_PAUSE_S = 0.25
_LOOK_S = 1.0
"""Time between two looks at containers that have run for a while; others are looked at after each pause."""
_LONGEST_BACK_OFF_S = 30.0
_QUICK_S = 10.0
"""A copy that ended sooner than this counts as failed; one that ran longer is restarted immediately."""
_KEPT_REASONS = 20
_BY_SCHEDULER = "ServiceSchedulerInitiated"


class Scheduler:
    """One loop that manages everything a front wants to run.

    Args:
        containers: The engine's containers; its blocking calls are made in threads.

        front: Prefix of container names and label keys.
    """

    def __init__(
        self, records: Records, containers: Containers, *, front: str, rules: Rules | None = None
    ) -> None:
        self._records = records
        self._containers = containers
        self._rules = rules or Rules()
        self._runner = Runner(containers, self._rules, front=front)
        self._wake = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._launching: set[str] = set()
        self._retry_at_s: dict[str, float] = {}
        self._looked_at_s = 0.0
        self._loop: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start managing everything, including what an earlier process has left half done."""
        for owner in self._owners():
            for copy in owner.copies:
                _end_unstarted(copy)
                if copy.stopping and copy.status != Status.STOPPED:
                    self.spawn(self.stop(copy, copy.reason))
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop managing everything; containers stay."""
        for task in (self._loop, *self._background):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background, until `close`."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def new_copy(self, definition_id: str, deployment_id: str = "") -> Copy:
        """A new copy of a task definition, not yet started."""
        containers = self._records.task_definition(definition_id).containers
        return Copy(
            definition_id, [Container(each.name, each.essential) for each in containers], deployment_id
        )

    def launch_task(self, task: Task) -> None:
        """Start a task's containers in the background."""
        definition = task.overridden(self._records.task_definition(task.copy.definition_id))
        self._launch(task, task.copy, definition, {})

    def adjust(self, service: Service) -> None:
        """Start what a service lacks and stop what it has too many of; the rest follows in the loop."""
        self._adjust(service)
        self._records.save_changes(service)
        self._wake.set()

    async def stop(self, copy: Copy, reason: str, code: str = "") -> None:
        """Stop a copy's containers and wait until they are stopped."""
        await self._runner.stop(copy, reason, code)

    def stop_later(self, owner: Service | Task, copies: Sequence[Copy], reason: str, code: str) -> None:
        """Stop copies in the background; from now on they count as stopping."""
        for copy in copies:
            copy.stopping = True
            self.spawn(self._stop_and_save(owner, copy, reason, code))
        if copies and isinstance(owner, Service):
            self._rules.copies_stopped(owner, copies)

    async def remove(self, copies: Iterable[Copy]) -> None:
        """Remove the copies' containers, and their logs."""
        await self._runner.remove(copies)

    def _owners(self) -> list[Service | Task]:
        return [*self._records.services.values(), *self._records.tasks.values()]

    def _adjust(self, service: Service) -> None:
        if not service.deployments or service.deleting or service.built_in:
            return
        primary = service.deployments[0]
        move = next_move(service, {copy.copy_id for copy in self._ready(service)})
        self.stop_later(service, move.surplus, "Scaling activity initiated", _BY_SCHEDULER)
        self.stop_later(service, move.old, "Scaling activity initiated by deployment", _BY_SCHEDULER)
        if move.start and time.monotonic() >= self._retry_at_s.get(primary.deployment_id, 0.0):
            self._start_copies(service, primary, move.start)
        if move.is_stuck:
            self._rules.stuck(service)
        if move.is_over and len(service.deployments) > 1:
            del service.deployments[1:]
            self._records.save_changes(service)

    def _start_copies(self, service: Service, primary: Deployment, count: int) -> None:
        definition = self._records.task_definition(primary.definition_id)
        started = []
        for _ in range(count):
            if not self._rules.has_room(service, primary):
                break
            copy = self.new_copy(primary.definition_id, primary.deployment_id)
            service.copies.append(copy)
            started.append(copy)
            self._launch(service, copy, definition, primary.images)
            self._records.save_changes(service)
        if started:
            self._rules.copies_started(service, started)

    def _ready(self, service: Service) -> list[Copy]:
        at_s = time.time()
        return [
            copy
            for copy in service.copies_alive
            if copy.status == Status.RUNNING
            and at_s - copy.started_at_s >= self._rules.settle_s
            and all(each.health in ("", "healthy") for each in copy.containers if each.essential)
            and self._rules.is_served(service, copy)
        ]

    def _launch(
        self, owner: Service | Task, copy: Copy, definition: TaskDefinition, images: dict[str, str]
    ) -> None:
        self._launching.add(copy.copy_id)

        async def launch() -> None:
            try:
                await self._runner.start(owner, copy, definition, images)
            finally:
                self._launching.discard(copy.copy_id)
            self._records.save_changes(owner)
            self._wake.set()

        self.spawn(launch())

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                # `wait_for` would swallow a cancel that arrives together with the wake, and `close` would never return.
                async with asyncio.timeout(_PAUSE_S):
                    await self._wake.wait()
            self._wake.clear()
            alive = [
                (owner, copy)
                for owner in self._owners()
                for copy in owner.copies
                if copy.status != Status.STOPPED
            ]
            is_due = time.monotonic() - self._looked_at_s >= _LOOK_S
            if alive and (is_due or any(_is_moving(owner, copy) for owner, copy in alive)):
                # The engine may be gone for a moment; keep what was seen last until it answers again.
                with suppress(EngineGone):
                    await self._look(alive)
            for service in list(self._records.services.values()):
                # A service may have been removed while an earlier one in the list was worked on.
                if self._records.services.get(service.service_id) is service and not service.deleting:
                    await self._look_after(service)

    async def _look_after(self, service: Service) -> None:
        await self._forget_stopped(service)
        for copy in service.copies_alive:
            if copy.copy_id not in self._launching and (reason := self._rules.verdict(service, copy)):
                self.stop_later(service, [copy], reason, _BY_SCHEDULER)
        running = sum(copy.status == Status.RUNNING for copy in service.copies_alive)
        if len(service.deployments) > 1 or running != service.desired_count:
            self._adjust(service)
        if self._rules.review(service, self._ready(service)):
            self._records.save_changes(service)

    async def _look(self, alive: list[tuple[Service | Task, Copy]]) -> None:
        # Only containers started before the look count as gone if it does not find them.
        started = {
            container.docker_id
            for _, copy in alive
            for container in copy.containers
            if container.docker_id and container.status != Status.STOPPED
        }
        seen = await asyncio.to_thread(self._containers.look_at, started)
        self._looked_at_s = time.monotonic()
        for owner, copy in alive:
            before = [(container.status, container.health) for container in copy.containers]
            for container in copy.containers:
                if container.docker_id in started and container.status != Status.STOPPED:
                    take_up(container, seen.get(container.docker_id or ""))
            blame(copy)
            if copy.reason and not copy.stopping and copy.copy_id not in self._launching:
                copy.stopping = True
                self.spawn(self._stop_and_save(owner, copy, copy.reason, copy.stop_code))
            if before != [(container.status, container.health) for container in copy.containers]:
                self._records.save_changes(owner)

    async def _stop_and_save(self, owner: Service | Task, copy: Copy, reason: str, code: str) -> None:
        await self.stop(copy, reason, code)
        self._records.save_changes(owner)
        self._wake.set()

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
        surplus = stopped[: -self._rules.kept_stopped]
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
        # A copy that ran for a while is restarted immediately, one that keeps failing with growing delays.
        deployment.failures = deployment.failures + 1 if time.time() - copy.launched_at_s < _QUICK_S else 0
        if deployment.failures:
            pause_s = min(0.25 * 2**deployment.failures, _LONGEST_BACK_OFF_S)
            self._retry_at_s[deployment.deployment_id] = time.monotonic() + pause_s
        self._rules.copy_ended(service, deployment, copy)


def _is_moving(owner: Service | Task, copy: Copy) -> bool:
    return (
        isinstance(owner, Task)
        or copy.stopping
        or copy.status == Status.PENDING
        or time.time() - copy.launched_at_s < _QUICK_S
    )


def _end_unstarted(copy: Copy) -> None:
    # What was still starting when the process ended has no known container.
    for container in copy.containers:
        if container.docker_id is None and container.status == Status.PENDING:
            container.status = Status.STOPPED
            copy.reason = copy.reason or "Host restarted"
