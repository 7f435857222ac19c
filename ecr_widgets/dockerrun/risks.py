"""Settings of a Dockerrun that give a container power over the machine it runs on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.places import places
from ecr_widgets.model.services import Dialect

# Who can write here is root on the machine, or controls its engine.
_RISKY_FOLDERS = frozenset(
    [
        "/",
        "/boot",
        "/dev",
        "/etc",
        "/proc",
        "/root",
        "/run",
        "/sys",
        "/usr",
        "/var",
        "/var/lib",
        "/var/lib/containerd",
        "/var/lib/docker",
        "/var/lib/ecs",
        "/var/run",
    ]
)
_ENGINE_SOCKETS = ("/docker.sock", "/containerd.sock", "/podman.sock")
_RISKY_CAPABILITIES = frozenset(
    ["ALL", "BPF", "DAC_READ_SEARCH", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO"]
)
_HOST_PATHS = ("volumes/*/host/sourcePath", "volumes/*/dockerVolumeConfiguration/driverOpts/device")

# Layer0 drops the last two.
_SHARED = {"networkMode": "network", "pidMode": "processes", "ipcMode": "shared memory"}


@dataclass(frozen=True, slots=True)
class Risk:
    """A setting that gives a container power over the machine; `pointer` is its place."""

    pointer: str
    what: str


def risks(document: Mapping[str, Any], dialect: Dialect) -> Iterator[Risk]:
    """Settings that give a container power over the machine it runs on."""
    for at, source in (found for path in _HOST_PATHS for found in places(document, path, "")):
        # POSIX lets "//" be a root of its own; for Linux it is /.
        path = "/" + posixpath.normpath(source).lstrip("/")
        if path in _RISKY_FOLDERS or path.endswith(_ENGINE_SOCKETS):
            yield Risk(at, f"mounts {path} of the machine")
    for name, what in _SHARED.items():
        if dialect is Dialect.ECS or name == "networkMode":
            yield from (
                Risk(at, f"shares the machine's {what}")
                for at, mode in places(document, name, "")
                if mode == "host"
            )
    for place, container in places(document, "containerDefinitions/*", ""):
        for at, _ in places(container, "privileged", place):
            yield Risk(at, "runs privileged: root on the machine")
        for at, _ in places(container, "linuxParameters/devices", place):
            yield Risk(at, "uses devices of the machine")
        for at, added in places(container, "linuxParameters/capabilities/add", place):
            if not _RISKY_CAPABILITIES.isdisjoint(name.upper().removeprefix("CAP_") for name in added):
                yield Risk(at, "adds capabilities of root")
