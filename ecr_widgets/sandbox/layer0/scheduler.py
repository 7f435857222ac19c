"""Keeps services and tasks as they are wanted, as ECS does: starts what is missing, replaces what ended, stops the old."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException

from ecr_widgets.sandbox.layer0.engine import CannotPull, Containers, Seen
from ecr_widgets.sandbox.layer0.store import Container, Copy, Deployment, Service, Store, now

_PAUSE_S = 0.25
_KEPT_STOPPED = 5
"""Stopped copies of a service that keep their logs."""
_LONGEST_BACK_OFF_S = 30.0


class Scheduler:
    """One loop over everything that should run."""

    def __init__(self, store: Store, containers: Containers) -> None:
        self._store = store
        self._containers = containers
        self._wake = asyncio.Event()
        self._starts: set[asyncio.Task[None]] = set()
        self._pinned: dict[tuple[str, str], str] = {}
        self._loop: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start looking after everything."""
        self._loop = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look at once: something is wanted."""
        self._wake.set()

    async def close(self) -> None:
        """Stop looking after anything; containers stay."""
        for task in (self._loop, *self._starts):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def new_copy(self, deploy_id: str) -> Copy:
        """A copy of a deploy, not yet started."""
        definitions = self._store.deploys[deploy_id].containers
        containers = [Container(each["name"], each.get("essential") is not False) for each in definitions]
        return Copy(secrets.token_hex(16), deploy_id, containers)

    def launch(self, copy: Copy, pin_key: str, overrides: Mapping[str, Mapping[str, str]]) -> None:
        """Start a copy's containers in the background."""
        task = asyncio.create_task(self._launch(copy, pin_key, overrides))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def stop(self, copy: Copy, reason: str) -> None:
        """Stop a copy's containers."""
        copy.reason = copy.reason or reason
        for container in copy.containers:
            if container.docker_id is not None and container.status != "STOPPED":
                await asyncio.to_thread(self._containers.kill, container.docker_id)
            elif container.docker_id is None:
                container.status = "STOPPED"

    async def _launch(self, copy: Copy, pin_key: str, overrides: Mapping[str, Mapping[str, str]]) -> None:
        definitions = {each["name"]: each for each in self._store.deploys[copy.deploy_id].containers}
        try:
            for container in copy.containers:
                definition = definitions[container.name]
                # A tag is resolved once a deployment, so that a restart runs the same image, as ECS does.
                key = (pin_key, definition["image"])
                if key not in self._pinned:
                    self._pinned[key] = await asyncio.to_thread(self._containers.pin, definition["image"])
                container.docker_id = await asyncio.to_thread(
                    self._containers.start,
                    self._pinned[key],
                    definition,
                    overrides.get(container.name, {}),
                    {"layer0.copy": copy.copy_id, "layer0.container": container.name},
                )
        except CannotPull as error:
            self._cannot_start(copy, str(error))
        except DockerException as error:
            self._cannot_start(copy, f"CannotStartContainerError: {error}")
        self.wake()

    def _cannot_start(self, copy: Copy, reason: str) -> None:
        copy.reason = reason
        for container in copy.containers:
            if container.docker_id is None:
                container.status, container.reason = "STOPPED", reason

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _PAUSE_S)
            self._wake.clear()
            copies = [copy for service in self._store.services.values() for copy in service.copies]
            copies += [task.copy for task in self._store.tasks.values()]
            if any(copy.status != "STOPPED" for copy in copies):
                # The engine may be gone for a moment; what was seen last stands until it answers again.
                with contextlib.suppress(DockerException, OSError):
                    # Only what was started before the look can be missed by it.
                    started = {c.docker_id for copy in copies for c in copy.containers if c.docker_id}
                    seen = await asyncio.to_thread(self._containers.look)
                    for copy in copies:
                        await self._update(copy, started, seen)
            for service in list(self._store.services.values()):
                await self._service(service)

    async def _update(self, copy: Copy, started: set[str], seen: Mapping[str, Seen]) -> None:
        for container in copy.containers:
            if container.docker_id not in started or container.status == "STOPPED":
                continue
            found = seen.get(container.docker_id or "")
            if found is not None and found.status not in ("exited", "dead"):
                container.status = "RUNNING"
                continue
            container.status = "STOPPED"
            container.exit_code = found.exit_code if found is not None else 137
            if found is not None and found.out_of_memory:
                container.reason = "OutOfMemoryError: Container killed due to memory usage"
            if container.essential:
                copy.reason = copy.reason or container.reason or "Essential container in task exited"
        if copy.reason and copy.status != "STOPPED":
            await self.stop(copy, copy.reason)

    async def _service(self, service: Service) -> None:
        await self._forget_stopped(service)
        if not service.deployments:
            return
        primary = service.deployments[0]
        alive = [copy for copy in service.copies if copy.status != "STOPPED"]
        current = [copy for copy in alive if copy.deploy_id == primary.deploy_id]
        for surplus in current[service.desired_count :]:
            await self.stop(surplus, "Scaling activity initiated")
        if time.monotonic() >= primary.retry_at_s:
            for _ in range(service.desired_count - len(current)):
                copy = self.new_copy(primary.deploy_id)
                service.copies.append(copy)
                self.launch(copy, primary.deployment_id, {})
        if sum(copy.status == "RUNNING" for copy in current) >= service.desired_count:
            old = [copy for copy in alive if copy.deploy_id != primary.deploy_id]
            for copy in old:
                await self.stop(copy, "Scaling activity initiated by deployment")
            if not old:
                del service.deployments[1:]

    async def _forget_stopped(self, service: Service) -> None:
        stopped = [copy for copy in service.copies if copy.status == "STOPPED"]
        for copy in stopped:
            if not copy.counted:
                copy.counted = True
                self._count(service, copy)
        for copy in stopped[:-_KEPT_STOPPED]:
            service.copies.remove(copy)
            for container in copy.containers:
                if container.docker_id is not None:
                    await asyncio.to_thread(self._containers.remove, container.docker_id)

    @staticmethod
    def _count(service: Service, copy: Copy) -> None:
        deployment: Deployment | None = next(
            (d for d in service.deployments if d.deploy_id == copy.deploy_id), None
        )
        if deployment is None or copy.reason.startswith("Scaling activity"):
            return
        codes = ", ".join(f"{c.name} exit code {c.exit_code}" for c in copy.containers if c.docker_id)
        deployment.stopped_reasons.append(copy.reason + (f" ({codes})" if codes else ""))
        deployment.updated = now()
        # A copy that ran for a while is started again at once, one that keeps failing ever later.
        quick = time.monotonic() - copy.started_s < 10.0
        tries = len(deployment.stopped_reasons) if quick else 0
        deployment.retry_at_s = time.monotonic() + min(0.25 * 2**tries, _LONGEST_BACK_OFF_S) * bool(tries)


def wire_counts(copies: list[Copy], deploy_id: str | None = None) -> dict[str, Any]:
    """running_count and pending_count of copies, of one deploy or of all."""
    states = [copy.status for copy in copies if deploy_id in (None, copy.deploy_id)]
    return {"running_count": states.count("RUNNING"), "pending_count": states.count("PENDING")}
