"""Containers on a real Docker Engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from ecr_widgets.docker_library import NotFound, docker
from ecr_widgets.errors import EngineError
from ecr_widgets.model.loopback import is_loopback
from ecr_widgets.sandbox.busybox import REFERENCE
from ecr_widgets.sandbox.local_engine import TROUBLE, LocalEngine, explain
from ecr_widgets.sandbox.workloads.containers import (
    CannotPull,
    CannotStart,
    ContainerSpec,
    EngineGone,
    LogLine,
    Machine,
    Seen,
)
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

_SMALLEST_MEMORY_MIB = 16
"""Docker accepts 6, but with less than 12 some runc versions fail now and then, as they need that much for setup."""
_LONGEST_SILENCE_S = 120.0
_PORTS_LABEL = "ecr-widgets.ports"
_LONGEST_INTERVAL_S = 2
"""Longest interval between a container's health checks: in a sandbox nobody wants to wait for AWS's half minute."""
_HEALTH = {name: name for name in ("starting", "healthy", "unhealthy")}


class DockerContainers:
    """Implements `containers.Containers` with docker-py; connects on first use.

    Args:
        docker_host: The engine, as in DOCKER_HOST.

        label: Label (`name=value`) of each container and volume.

        login_of: `username` and `password` for a registry host, or None.
    """

    def __init__(
        self,
        docker_host: str,
        *,
        label: str,
        login_of: Callable[[str], dict[str, str] | None],
    ) -> None:
        self._engine = LocalEngine(docker_host, timeout_s=_LONGEST_SILENCE_S)
        self._label = label
        self._login_of = login_of

    def pin(self, image: str) -> str:
        name, at, digest = image.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, "latest"
        host, slash, _ = repository.partition("/")
        login = self._login_of(host) if slash else None
        with _trouble_as(CannotPull, "CannotPullContainerError: "):
            if login is None and not (slash and is_loopback(host)):
                return self._held(image)
            pulled = self._client.images.pull(repository, tag=digest if at else tag, auth_config=login or {})
        if at:
            return f"{repository}@{digest}"
        digests = [
            each for each in pulled.attrs.get("RepoDigests") or () if each.startswith(f"{repository}@")
        ]
        return digests[0] if digests else str(pulled.id)

    def start(self, spec: ContainerSpec) -> Seen:
        definition = spec.definition
        with _trouble_as(CannotStart, "CannotStartContainerError: "):
            shared = spec.network_of is not None
            networked = spec.has_network and not shared and self._network != "none"
            return self._run(
                spec.image,
                name=spec.name,
                command=definition.command or None,
                entrypoint=definition.entryPoint or None,
                environment=dict(spec.environment),
                labels={
                    **definition.dockerLabels,
                    **spec.labels,
                    **self._own_label,
                    **_ports_label([] if shared else [definition]),
                },
                network_mode=f"container:{spec.network_of}"
                if shared
                else self._network
                if spec.has_network
                else "none",
                links=[(docker_id, alias) for alias, docker_id in spec.links.items()] if networked else None,
                ports=self._published([definition]) if networked else None,
                mounts=[
                    docker.types.Mount(
                        mount.containerPath,
                        spec.volumes[mount.sourceVolume],
                        read_only=mount.readOnly,
                        labels=self._own_label,
                    )
                    for mount in definition.mountPoints
                    if mount.sourceVolume in spec.volumes
                ],
                user=definition.user,
                working_dir=definition.workingDirectory,
                hostname=definition.hostname if networked else None,
                read_only=definition.readonlyRootFilesystem,
                tty=definition.pseudoTerminal,
                stdin_open=definition.interactive,
                cpu_shares=max(definition.cpu, 2) if definition.cpu else None,
                healthcheck=_health_check(definition),
                init=definition.linuxParameters.initProcessEnabled or None,
                ulimits=[
                    docker.types.Ulimit(name=each.name, soft=each.softLimit, hard=each.hardLimit)
                    for each in definition.ulimits
                ],
                **_memory(definition),
            )

    def hold_network(
        self, name: str, definitions: Sequence[ContainerDefinition], labels: Mapping[str, str]
    ) -> Seen:
        with _trouble_as(CannotStart, "ContainerNetworkingError: "):
            return self._run(
                REFERENCE,
                name=name,
                command=["sleep", "2147483647"],
                entrypoint=[],
                init=True,
                labels={**labels, **self._own_label, **_ports_label(definitions)},
                network_mode=self._network,
                ports=self._published(definitions),
            )

    def machine(self) -> Machine:
        with _trouble_as(EngineGone):
            info = self._client.api.info()
        return Machine(int(info["NCPU"]), int(info["MemTotal"]) // 2**20)

    def look(self, docker_id: str) -> Seen | None:
        with _trouble_as(EngineGone):
            try:
                return _seen(self._client.api.inspect_container(docker_id))
            except NotFound:
                return None

    def look_at(self, docker_ids: Collection[str]) -> dict[str, Seen]:
        with _trouble_as(EngineGone):
            # Without those that are kept only for their logs, which soon are most of them.
            listed = self._client.api.containers(filters={"label": self._label})
        # A listing has neither exit codes nor port numbers; running containers need no second look for either.
        seen = {
            str(each["Id"]): Seen(str(each["Id"]), running=True, health=_health_in(each["Status"]))
            for each in listed
            if each["Id"] in docker_ids and each["State"] == "running"
        }
        others = {docker_id: self.look(docker_id) for docker_id in docker_ids if docker_id not in seen}
        return seen | {docker_id: each for docker_id, each in others.items() if each is not None}

    def stop(self, docker_id: str, *, grace_s: int) -> None:
        with contextlib.suppress(*TROUBLE):
            self._client.api.stop(docker_id, timeout=grace_s)

    def remove(self, docker_id: str) -> None:
        self._engine.remove_container(docker_id)

    def remove_all(self) -> None:
        with contextlib.suppress(EngineError):
            self._engine.remove_labelled(self._label)

    def logs(self, docker_id: str, *, tail: int, start: datetime | None, end: datetime | None) -> list[str]:
        try:
            # The engine cuts the tail before it applies times, so if there are times the tail is cut here.
            text = self._client.api.logs(
                docker_id,
                tail="all" if start or end or not tail else tail,
                since=start,
                until=end,
            )
        except TROUBLE:
            return []
        lines = bytes(text).decode(errors="replace").splitlines()
        return lines[-tail:] if tail else lines

    def log_lines(self, docker_id: str) -> list[LogLine]:
        try:
            text = self._client.api.logs(docker_id, timestamps=True)
        except TROUBLE:
            return []
        return [_log_line(each) for each in bytes(text).decode(errors="replace").splitlines() if each]

    def close(self) -> None:
        self._engine.close()

    @property
    def _client(self) -> docker.DockerClient:
        return self._engine.client

    @cached_property
    def _network(self) -> str:
        # An engine without a bridge has no network to attach a container to.
        has_bridge = any(network["Name"] == "bridge" for network in self._client.api.networks())
        return "bridge" if has_bridge else "none"

    @property
    def _own_label(self) -> dict[str, str]:
        key, _, value = self._label.partition("=")
        return {key: value}

    def _run(self, image: str, **settings: Any) -> Seen:
        created = self._client.containers.create(image, **settings)
        try:
            created.start()
            created.reload()
        except TROUBLE:
            with contextlib.suppress(*TROUBLE):
                created.remove(force=True, v=True)
            raise
        return _seen(created.attrs)

    def _held(self, image: str) -> str:
        # The sandbox contacts no registry elsewhere: an image from one must already be on the engine.
        try:
            return str(self._client.images.get(image).id)
        except NotFound as error:
            raise CannotPull(
                f"CannotPullContainerError: {image} is not on the sandbox's engine, and the sandbox pulls from"
                " registries on this machine only"
            ) from error

    def _published(self, definitions: Sequence[ContainerDefinition]) -> dict[str, Any] | None:
        if self._network == "none":
            return None
        # The engine chooses the port, so that any number of copies fit on this one machine.
        return {mapping.inside: ("127.0.0.1", None) for each in definitions for mapping in each.portMappings}


@contextlib.contextmanager
def _trouble_as(error: type[Exception], begins: str = "") -> Iterator[None]:
    """Turn what the engine refuses or does not answer into one of our errors."""
    try:
        yield
    except TROUBLE as trouble:
        raise error(begins + explain(trouble)) from trouble


def _health_check(definition: ContainerDefinition) -> dict[str, Any] | None:
    check = definition.healthCheck
    if check is None:
        return None
    nanoseconds = 10**9
    return {
        "test": check.command,
        "interval": min(check.interval, _LONGEST_INTERVAL_S) * nanoseconds,
        "timeout": check.timeout * nanoseconds,
        "retries": check.retries,
        "start_period": check.startPeriod * nanoseconds,
    }


def _health_in(status: str) -> str:
    """A container's health from its status in a listing, such as `Up 2 seconds (health: starting)`."""
    return _HEALTH.get(status.rpartition("(")[2].rstrip(")").removeprefix("health: "), "")


def _log_line(line: str) -> LogLine:
    stamp, _, text = line.partition(" ")
    try:
        return LogLine(datetime.fromisoformat(stamp).timestamp(), text)
    except ValueError:
        return LogLine(0.0, line)


def _memory(definition: ContainerDefinition) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if definition.memory:
        limit = f"{max(definition.memory, _SMALLEST_MEMORY_MIB)}m"
        # No additional swap: what needs more is killed, as it would be on an instance.
        given |= {"mem_limit": limit, "memswap_limit": limit}
    if definition.memoryReservation:
        given["mem_reservation"] = f"{max(definition.memoryReservation, _SMALLEST_MEMORY_MIB)}m"
    return given


def _ports_label(definitions: Sequence[ContainerDefinition]) -> dict[str, str]:
    # Stored on the container, so that the next process knows which port each one is published for.
    pairs = [
        f"{mapping.hostPort or mapping.containerPort}:{mapping.inside}"
        for each in definitions
        for mapping in each.portMappings
    ]
    return {_PORTS_LABEL: ",".join(pairs)} if pairs else {}


def _seen(attrs: Mapping[str, Any]) -> Seen:
    state = attrs["State"]
    published = (attrs.get("NetworkSettings") or {}).get("Ports") or {}
    ports = {}
    for pair in filter(None, (attrs["Config"].get("Labels") or {}).get(_PORTS_LABEL, "").split(",")):
        instance_port, _, inside = pair.partition(":")
        for binding in published.get(inside) or ():
            ports[int(instance_port)] = int(binding["HostPort"])
    return Seen(
        attrs["Id"],
        running=bool(state["Running"]),
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
        error=str(state.get("Error") or ""),
        ports=ports,
        health=_HEALTH.get(str((state.get("Health") or {}).get("Status")), ""),
    )
