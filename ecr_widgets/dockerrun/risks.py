"""Settings of a Dockerrun that give a container power over the machine it runs on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.reading import step
from ecr_widgets.model.services import Dialect

# Whoever mounts one of these can speak to the machine's engine, or is its root.
_RISKY_PATHS = frozenset(
    ("/", "/run", "/var/run", "/run/docker.sock", "/var/run/docker.sock", "/var/lib/docker")
)


@dataclass(frozen=True, slots=True)
class Risk:
    """A setting that gives a container power over the machine; `pointer` is its place."""

    pointer: str
    what: str


def risks(document: Mapping[str, Any], dialect: Dialect) -> Iterator[Risk]:
    """Settings that give a container power over the machine it runs on."""
    key, volumes = member(document, "volumes")
    for number, volume in enumerate(volumes or ()):
        host_key, host = member(volume, "host")
        source_key, source = member(host, "sourcePath") if isinstance(host, dict) else ("", None)
        # "//" is a root of its own to POSIX, and plain / to Linux.
        path = "/" + posixpath.normpath(source).lstrip("/") if isinstance(source, str) and source else ""
        if path in _RISKY_PATHS or path.endswith("/docker.sock"):
            place = f"{step(step('', key), number)}/{host_key}/{source_key}"
            yield Risk(place, f"mounts {path} of the machine")
    key, mode = member(document, "networkMode")
    if mode == "host":
        yield Risk(step("", key), "shares the machine's network")
    # Layer0 drops these.
    for wanted, what in (("pidMode", "processes"), ("ipcMode", "shared memory")):
        if dialect is Dialect.ECS and document.get(wanted) == "host":
            yield Risk(step("", wanted), f"shares the machine's {what}")
    key, containers = member(document, "containerDefinitions")
    for number, container in enumerate(containers):
        at = step(step("", key), number)
        privileged_key, privileged = member(container, "privileged")
        if privileged:
            yield Risk(step(at, privileged_key), "runs privileged: root on the machine")
        linux_key, linux = member(container, "linuxParameters")
        capabilities_key, capabilities = member(linux or {}, "capabilities")
        add_key, added = member(capabilities if isinstance(capabilities, dict) else {}, "add")
        if isinstance(added, list) and {"ALL", "SYS_ADMIN"} & {str(each) for each in added}:
            yield Risk(f"{at}/{linux_key}/{capabilities_key}/{add_key}", "adds capabilities of root")
