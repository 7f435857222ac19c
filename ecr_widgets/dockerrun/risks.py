"""Settings of a Dockerrun that give a container power over the machine it runs on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.places import places
from ecr_widgets.model.services import Dialect

# A container that mounts one of these can control the machine's engine, or is root on the machine.
_RISKY_PATHS = frozenset(
    ("/", "/run", "/var/run", "/run/docker.sock", "/var/run/docker.sock", "/var/lib/docker")
)

# Layer0 drops the last two.
_SHARED = {"networkMode": "network", "pidMode": "processes", "ipcMode": "shared memory"}


@dataclass(frozen=True, slots=True)
class Risk:
    """A setting that gives a container power over the machine; `pointer` is its place."""

    pointer: str
    what: str


def risks(document: Mapping[str, Any], dialect: Dialect) -> Iterator[Risk]:
    """Settings that give a container power over the machine it runs on."""
    for at, source in places(document, "volumes/*/host/sourcePath", ""):
        # POSIX lets "//" be a root of its own; for Linux it is /.
        path = "/" + posixpath.normpath(source).lstrip("/")
        if path in _RISKY_PATHS or path.endswith("/docker.sock"):
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
        for at, added in places(container, "linuxParameters/capabilities/add", place):
            if {"ALL", "SYS_ADMIN"}.intersection(added):
                yield Risk(at, "adds capabilities of root")
