"""Containers in memory, for tests of the server that need no engine: images that exist run until they are stopped."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from unittest import mock

from ecr_widgets.sandbox.workloads import scheduler
from ecr_widgets.sandbox.workloads.containers import CannotPull, ContainerSpec, LogLine, Machine, Seen
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition


def in_quick_rounds() -> AbstractContextManager[object]:
    """Let schedulers of this process look more often: containers in memory change at once, and a look costs nothing."""
    return mock.patch.object(scheduler, "_PAUSE_S", 0.05)


@dataclass
class FakeContainers:
    """Implements `containers.Containers`."""

    missing: set[str] = field(default_factory=set)
    """Images that cannot be pulled."""
    exit_codes: dict[str, int] = field(default_factory=dict)
    """Images whose containers end at once, with this code."""
    pull_error: str = "CannotPullContainerError: {image} not found"
    """Why they cannot."""
    tags: dict[str, str] = field(default_factory=dict)
    """What images are resolved to, where that is not what they are called."""
    health: dict[str, str] = field(default_factory=dict)
    """What health checks find, by container name."""
    listening: dict[int, int] = field(default_factory=dict)
    """Port on 127.0.0.1 that stands for a port on the instance."""
    seen: dict[str, Seen] = field(default_factory=dict)
    specs: dict[str, ContainerSpec] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pin(self, image: str) -> str:
        if image in self.missing:
            raise CannotPull(self.pull_error.format(image=image))
        return self.tags.get(image, image)

    def start(self, spec: ContainerSpec) -> Seen:
        with self._lock:
            docker_id = f"container{next(self._count)}"
            code = self.exit_codes.get(spec.image)
            started = Seen(
                docker_id,
                running=code is None,
                exit_code=code or 0,
                ports=dict(self.listening),
                health=self.health.get(spec.definition.name, ""),
            )
            self.seen[docker_id] = started
            self.specs[docker_id] = spec
            self.lines[docker_id] = [f"starting {spec.image}", f"hello from {spec.definition.name}", "line 3"]
        return started

    def hold_network(
        self, name: str, definitions: Sequence[ContainerDefinition], labels: Mapping[str, str]
    ) -> Seen:
        with self._lock:
            held = Seen(f"network{next(self._count)}", running=True, ports=dict(self.listening))
            self.seen[held.docker_id] = held
        return held

    def machine(self) -> Machine:
        return Machine(cpus=2, memory_mib=4096)

    def look(self, docker_id: str) -> Seen | None:
        return self.seen.get(docker_id)

    def look_at(self, docker_ids: Collection[str]) -> dict[str, Seen]:
        return {docker_id: self.seen[docker_id] for docker_id in docker_ids if docker_id in self.seen}

    def stop(self, docker_id: str, *, grace_s: int) -> None:
        if docker_id in self.seen and self.seen[docker_id].running:
            self.seen[docker_id] = Seen(docker_id, running=False, exit_code=137)

    def remove(self, docker_id: str) -> None:
        self.seen.pop(docker_id, None)

    def remove_all(self) -> None:
        self.seen.clear()

    def logs(self, docker_id: str, *, tail: int, start: datetime | None, end: datetime | None) -> list[str]:
        now = datetime.now(UTC)
        if docker_id not in self.seen or (start and start > now) or (end and end < now):
            return []
        lines = self.lines[docker_id]
        return lines[-tail:] if tail else lines

    def log_lines(self, docker_id: str) -> list[LogLine]:
        return [LogLine(1e9 + number, text) for number, text in enumerate(self.lines.get(docker_id, ()))]

    def close(self) -> None:
        pass
