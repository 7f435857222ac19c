"""What is needed of a Docker Engine; all calls block and are made in threads. `docker_containers` has the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition


class CannotPull(Exception):
    """The image could not be pulled; in ECS's words."""


class CannotStart(Exception):
    """The container could not be started; in ECS's words."""


class EngineGone(Exception):
    """The engine does not answer."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to be started.

    Args:
        image: A reference that cannot move.

        links: Docker ids of containers, by the alias under which this one reaches them.

        volumes: Volume names on the engine, by the definition's `sourceVolume`.
    """

    name: str
    image: str
    definition: ContainerDefinition
    environment: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    links: Mapping[str, str]
    volumes: Mapping[str, str]
    network_of: str | None = None
    """Docker id of the container whose network it joins."""
    has_network: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as the engine sees it.

    Args:
        ports: Port on the instance (the mapping's hostPort) to the port of 127.0.0.1 that it is published at.
    """

    docker_id: str
    running: bool
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)
    health: str = ""
    """starting, healthy or unhealthy; empty where there is no health check."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What an engine has for its containers."""

    cpus: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's log; `at_s` in seconds since the epoch."""

    at_s: float
    text: str


class Containers(Protocol):
    """The containers of one sandbox, known by its label."""

    def pin(self, image: str) -> str:
        """Pull an image and give back a reference that cannot move any more.

        Raises:
            CannotPull: The registry or the engine refuses.
        """

    def start(self, spec: ContainerSpec) -> Seen:
        """Start a container.

        Raises:
            CannotStart: The engine refuses; nothing is left of it.
        """

    def hold_network(
        self, name: str, definitions: Sequence[ContainerDefinition], labels: Mapping[str, str]
    ) -> Seen:
        """Start what holds a network for several containers, with all of their ports.

        Raises:
            CannotStart: The engine refuses; nothing is left of it.
        """

    def machine(self) -> Machine:
        """Say how large the engine's machine is.

        Raises:
            EngineGone: Nothing can be said.
        """

    def look(self, docker_id: str) -> Seen | None:
        """See one container; None where it is gone.

        Raises:
            EngineGone: Nothing can be said.
        """

    def look_at_all(self) -> dict[str, Seen]:
        """See all containers of this sandbox.

        Raises:
            EngineGone: Nothing can be said.
        """

    def stop(self, docker_id: str, *, grace_s: int) -> None:
        """Ask a container to end, and kill it after `grace_s` seconds; its log stays."""

    def remove(self, docker_id: str) -> None:
        """Remove a container and its log."""

    def remove_all(self) -> None:
        """Remove every container and volume of this sandbox."""

    def logs(self, docker_id: str, *, tail: int, start: datetime | None, end: datetime | None) -> list[str]:
        """Log lines, oldest first, both outputs together; `tail` 0 gives all."""

    def log_lines(self, docker_id: str, *, start_s: float = 0.0) -> list[LogLine]:
        """All log lines since a time, oldest first, with theirs."""

    def close(self) -> None:
        """Let go of the engine."""
