"""What a task runs: the parts of a task definition that are acted on, with ECS's names and Go's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated, Self

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number as Go reads it: one that does not fit in 64 bits is refused like a wrong type."""


@dataclass(frozen=True)
class KeyValue:
    """One environment variable."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class PortMapping:
    """One port of a container."""

    containerPort: Int64 = 0  # noqa: N815  # as on the wire, like all members here
    hostPort: Int64 | None = None  # noqa: N815
    protocol: str | None = None

    @property
    def inside(self) -> str:
        """The port in Docker's notation, such as `80/tcp`."""
        return f"{self.containerPort}/{(self.protocol or 'tcp').lower()}"


@dataclass(frozen=True, kw_only=True)
class MountPoint:
    """One volume in a container."""

    sourceVolume: str = ""  # noqa: N815
    containerPath: str = ""  # noqa: N815
    readOnly: bool = False  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """A container that has to be started first."""

    containerName: str = ""  # noqa: N815
    condition: str = ""


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How Docker checks a container's health; times in seconds."""

    command: list[str] = field(default_factory=list)
    interval: Int64 = 30
    timeout: Int64 = 5
    retries: Int64 = 3
    startPeriod: Int64 = 0  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Ulimit:
    """One limit of a container's processes."""

    name: str = ""
    softLimit: Int64 = 0  # noqa: N815
    hardLimit: Int64 = 0  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class LinuxParameters:
    """Linux-only settings."""

    initProcessEnabled: bool = False  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class ContainerDefinition:
    """One container."""

    name: str = ""
    image: str = ""
    memory: Int64 | None = None
    memoryReservation: Int64 | None = None  # noqa: N815
    cpu: Int64 = 0
    essential: bool = True
    command: list[str] = field(default_factory=list)
    entryPoint: list[str] = field(default_factory=list)  # noqa: N815
    environment: list[KeyValue] = field(default_factory=list)
    portMappings: list[PortMapping] = field(default_factory=list)  # noqa: N815
    mountPoints: list[MountPoint] = field(default_factory=list)  # noqa: N815
    links: list[str] = field(default_factory=list)
    dependsOn: list[Dependency] = field(default_factory=list)  # noqa: N815
    user: str | None = None
    workingDirectory: str | None = None  # noqa: N815
    hostname: str | None = None
    readonlyRootFilesystem: bool = False  # noqa: N815
    pseudoTerminal: bool = False  # noqa: N815
    interactive: bool = False
    dockerLabels: dict[str, str] = field(default_factory=dict)  # noqa: N815
    startTimeout: Int64 | None = None  # noqa: N815
    stopTimeout: Int64 | None = None  # noqa: N815
    healthCheck: HealthCheck | None = None  # noqa: N815
    ulimits: list[Ulimit] = field(default_factory=list)
    linuxParameters: LinuxParameters = field(default_factory=LinuxParameters)  # noqa: N815
    versionConsistency: str | None = None  # noqa: N815

    @property
    def names_needed(self) -> set[str]:
        """The containers that it links to or depends on."""
        return {link.partition(":")[0] for link in self.links} | {
            each.containerName for each in self.dependsOn
        }

    def with_environment(self, more: Mapping[str, str]) -> Self:
        """The same definition with environment variables added or replaced."""
        merged = {each.name: each.value for each in self.environment} | dict(more)
        return replace(self, environment=[KeyValue(*pair) for pair in merged.items()])


class Network(Enum):
    """How a task's containers are connected to the network."""

    BRIDGE = "each its own, on the engine's bridge"
    SHARED = "one for all"
    NONE = "none"


@dataclass(frozen=True)
class TaskDefinition:
    """Containers that start and stop together, and the names of their volumes."""

    containers: list[ContainerDefinition]
    volumes: list[str] = field(default_factory=list)
    network: Network = Network.BRIDGE

    def in_start_order(self) -> list[ContainerDefinition]:
        """The containers, each after those it needs; those in a circle are in their written order."""
        ordered: list[ContainerDefinition] = []
        waiting = list(self.containers)
        while waiting:
            started = {each.name for each in ordered}
            ready = [each for each in waiting if each.names_needed <= started] or waiting
            ordered += ready
            waiting = [each for each in waiting if each not in ready]
        return ordered
