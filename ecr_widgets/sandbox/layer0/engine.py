"""Containers on the engine. Blocking; the server calls it in threads."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

_SMALLEST_MEMORY_MIB = 6
"""Docker starts nothing with less."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as the engine sees it."""

    docker_id: str
    status: str
    exit_code: int
    out_of_memory: bool


class CannotPull(Exception):
    """The image could not be pulled."""


class Containers:
    """The containers of one sandbox, told apart by its label.

    Args:
        pull_authorization: User and password for a registry host, or None.
    """

    def __init__(
        self,
        base_url: str | None,
        *,
        label: str,
        pull_authorization: Callable[[str], tuple[str, str] | None],
    ) -> None:
        self._client = docker.DockerClient(base_url=base_url, version="auto", timeout=120)
        self._label = label
        self._pull_authorization = pull_authorization
        has_bridge = any(network["Name"] == "bridge" for network in self._client.api.networks())
        self._network = "bridge" if has_bridge else "none"

    def pin(self, image: str) -> str:
        """Pull an image and give back a reference that cannot move any more.

        Raises:
            CannotPull: With the engine's words.
        """
        host, slash, _ = image.partition("/")
        authorization = self._pull_authorization(host) if slash else None
        config = {"username": authorization[0], "password": authorization[1]} if authorization else None
        name, at, digest = image.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, "latest"
        try:
            with contextlib.suppress(ImageNotFound):
                if at:
                    self._client.images.get(image)
                    return image
            pulled = self._client.images.pull(repository, tag=digest if at else tag, auth_config=config)
        except (APIError, DockerException) as error:
            text = re.sub(r"^\d+ .*?: ", "", str(getattr(error, "explanation", None) or error))
            raise CannotPull(f"CannotPullContainerError: {text}") from error
        if at:
            return image
        return next(
            (each for each in pulled.attrs.get("RepoDigests") or () if each.startswith(repository)), name
        )

    def start(
        self,
        image: str,
        definition: Mapping[str, Any],
        overrides: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> str:
        """Start one container and give back its id."""
        environment = {item["name"]: item["value"] for item in definition.get("environment") or ()} | dict(
            overrides
        )
        memory = max(
            int(definition.get("memory") or definition.get("memoryReservation") or 0), _SMALLEST_MEMORY_MIB
        )
        started = self._client.containers.run(
            image,
            command=definition.get("command") or None,
            entrypoint=definition.get("entryPoint") or None,
            environment=environment,
            mem_limit=f"{memory}m",
            memswap_limit=f"{memory}m",
            network_mode=self._network,
            labels={self._label.partition("=")[0]: self._label.partition("=")[2], **labels},
            working_dir=definition.get("workingDirectory"),
            user=definition.get("user"),
            detach=True,
        )
        return str(started.id)

    def look(self) -> dict[str, Seen]:
        """All containers of this sandbox by id."""
        seen = {}
        listed = self._client.api.containers(all=True, filters={"label": self._label})
        for each in listed:
            docker_id, status = each["Id"], each["State"]
            code, killed = 0, False
            if status in ("exited", "dead"):
                with contextlib.suppress(NotFound):
                    state = self._client.api.inspect_container(docker_id)["State"]
                    code, killed = state["ExitCode"], state["OOMKilled"]
            seen[docker_id] = Seen(docker_id, status, code, killed)
        return seen

    def kill(self, docker_id: str) -> None:
        """Stop a container at once; its log stays."""
        with contextlib.suppress(APIError):
            self._client.api.kill(docker_id)

    def remove(self, docker_id: str) -> None:
        """Remove a container and its log."""
        with contextlib.suppress(APIError):
            self._client.api.remove_container(docker_id, force=True, v=True)

    def remove_all(self) -> None:
        """Remove every container of this sandbox."""
        for each in self._client.api.containers(all=True, filters={"label": self._label}):
            self.remove(each["Id"])

    def logs(self, docker_id: str, *, tail: int, start: datetime | None, end: datetime | None) -> list[str]:
        """Log lines, oldest first; `tail` 0 gives all."""
        try:
            text = self._client.api.logs(docker_id, tail=tail or "all", since=start, until=end)
        except APIError:
            return []
        return bytes(text).decode(errors="replace").splitlines()

    def close(self) -> None:
        """Let go of the engine."""
        self._client.close()
