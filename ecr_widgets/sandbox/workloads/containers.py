"""What is needed from a Docker Engine; all calls block and are made in threads. `docker_containers` has the real one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition


class CannotPull(Exception):
    """The image could not be pulled; the message is ECS's."""


class CannotStart(Exception):
    """The container could not be started; the message is ECS's."""


class EngineGone(Exception):
    """The engine does not answer."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to start.

    Args:
        image: A reference that cannot move.

        links: Docker ids of other containers, by the alias under which this one reaches them.

        volumes: The engine's volume names, by the definition's `sourceVolume`.
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
    """starting, healthy or unhealthy; empty if there is no health check."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The resources that an engine has for its containers."""

    cpus: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line in a container's log; `at_s` in seconds since the epoch."""

    at_s: float
    text: str


class Containers(Protocol):
    """One sandbox's containers, identified by its label."""

    def pin(self, image: str) -> str:
        """Pull an image and return a reference that cannot move.

        Raises:
            CannotPull: The registry or the engine refused.
        """

    def start(self, spec: ContainerSpec) -> Seen:
        """Start a container.

        Raises:
            CannotStart: The engine refused; nothing is left of it.
        """

    def hold_network(
        self, name: str, definitions: Sequence[ContainerDefinition], labels: Mapping[str, str]
    ) -> Seen:
        """Start a container that holds the network for several others, with all of their ports.

        Raises:
            CannotStart: The engine refused; nothing is left of it.
        """

    def machine(self) -> Machine:
        """The size of the engine's machine.

        Raises:
            EngineGone: The engine does not answer.
        """

    def look(self, docker_id: str) -> Seen | None:
        """Look at one container; None if it is gone.

        Raises:
            EngineGone: The engine does not answer.
        """

    def look_at(self, docker_ids: Collection[str]) -> dict[str, Seen]:
        """Look at several containers; those that are gone are missing.

        Raises:
            EngineGone: The engine does not answer.
        """

    def stop(self, docker_id: str, *, grace_s: int) -> None:
        """Ask a container to end, and kill it after `grace_s` seconds; its log stays."""

    def remove(self, docker_id: str) -> None:
        """Remove a container and its log."""

    def remove_all(self) -> None:
        """Remove all of this sandbox's containers and volumes."""

    def logs(self, docker_id: str, *, tail: int, start: datetime | None, end: datetime | None) -> list[str]:
        """Log lines, oldest first, stdout and stderr together; `tail` 0 returns all."""

    def log_lines(self, docker_id: str) -> list[LogLine]:
        """All log lines, oldest first, with their times."""

    def close(self) -> None:
        """Close the connection to the engine."""
