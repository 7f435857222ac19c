"""A Docker Engine on this machine, through docker-py: whether it answers, which images it has, and what to remove from it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from ecr_widgets.docker_library import APIError, DockerException, ImageNotFound, docker, json_stream
from ecr_widgets.errors import EngineError, EngineUnavailable, SettingsError
from ecr_widgets.model.loopback import is_loopback
from ecr_widgets.settings import engine_address

TROUBLE = (DockerException, requests.RequestException, OSError)
"""What a call raises when the engine refuses or does not answer."""
PATIENCE_S = 120.0
"""Longest wait, in seconds, for an answer that a busy engine may take long for, such as to load or remove an image."""


@dataclass(frozen=True, slots=True)
class HeldImage:
    """An image that an engine has.

    Args:
        names: Its names by tag and by digest; empty if it is untagged.
    """

    image_id: str
    names: tuple[str, ...]
    labels: dict[str, str]

    def named(self, reference: str) -> str | None:
        """The image's full name for a short one (`name:tag`), None if it has no such name.

        Podman completes names, with the registry it pulled from, or with `localhost` for what was built or loaded.
        """
        wanted = {f"{prefix}{reference}" for prefix in ("", "localhost/", "docker.io/library/")}
        return next((name for name in self.names if name in wanted), None)


class LocalEngine:
    """One engine on this machine; its methods are thread-safe.

    Args:
        docker_host: `unix:///path` or `tcp://` with a loopback address, as in DOCKER_HOST.

        timeout_s: Longest time to wait for a response, in seconds.

    Raises:
        EngineUnavailable: The address is of an engine on another machine, or of none at all.
    """

    def __init__(self, docker_host: str, *, timeout_s: float = 10.0) -> None:
        self.docker_host = docker_host
        self._timeout_s = timeout_s
        parts = urlsplit(docker_host)
        is_here = parts.path if parts.scheme == "unix" else is_loopback(parts.netloc)
        if parts.scheme not in ("unix", "tcp", "http") or not is_here:
            raise EngineUnavailable(
                f"the engine at {docker_host} cannot be used: it would not reach a registry on this machine's loopback",
                hint="unset DOCKER_HOST, or name an engine on this machine",
            )

    @cached_property
    def client(self) -> docker.DockerClient:
        """docker-py's client for it.

        Raises:
            DockerException: No engine answers.
        """
        return _Client(base_url=self.docker_host, version="auto", timeout=self._timeout_s, max_pool_size=32)

    def ping(self) -> bool:
        """Whether an engine answers."""
        parts = urlsplit(self.docker_host)
        if parts.scheme == "unix" and not Path(parts.path).exists():
            return False
        try:
            return bool(self.client.ping())
        except TROUBLE:
            return False

    def image_id(self, reference: str) -> str | None:
        """Look an image up by name; None if the engine does not have it."""
        with self._translated():
            try:
                return str(self.client.images.get(reference).id)
            except ImageNotFound:
                return None

    def load_image(self, archive: bytes) -> None:
        """Load an image archive in the format of `docker save`."""
        with self._translated():
            self.client.images.load(archive)

    def pull_image(self, repository: str, tag: str, *, login: dict[str, str] | None = None) -> None:
        """Have the engine pull an image; the timeout applies to the whole call.

        Args:
            login: `username` and `password` for the registry.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._translated():
            answer: Any = self.client.api.pull(repository, tag=tag, auth_config=login or {}, stream=True)
            # docker-py decodes a stream event by event only if it arrives in chunks.
            events: Iterator[Any] = json_stream(answer)
            for event in events:
                # `error` repeats the detail's message; engines are due to drop it.
                reason = (event.get("errorDetail") or {}).get("message") or event.get("error")
                if reason:
                    raise EngineError(f"the engine at {self.docker_host} failed: {reason}")
                if time.monotonic() > deadline:
                    raise TimeoutError("it took too long")

    def images(self) -> list[HeldImage]:
        """List the engine's images, except unnamed ones that others are built on."""
        with self._translated():
            return [
                HeldImage(image["Id"], tuple(_names(image)), image.get("Labels") or {})
                for image in self.client.api.images()
            ]

    def is_gone(self) -> bool:
        """Whether nobody listens at its address; a slow engine is not gone, nor one that may not be used."""
        parts = urlsplit(self.docker_host)
        try:
            if parts.scheme == "unix":
                with socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(self._timeout_s)
                    line.connect(parts.path)
            else:
                socket.create_connection((parts.hostname, parts.port or 2375), self._timeout_s).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        except OSError:
            return False
        return False

    def remove_image(self, reference: str) -> None:
        """Untag an image, and remove it with its last name; an image in use stays."""
        with self._translated():
            try:
                self.client.api.remove_image(reference)
            except APIError as error:
                if error.status_code not in (404, 409):
                    raise

    def remove_container(self, container_id: str) -> None:
        """Kill a container and remove it with its anonymous volumes; no error if it does not exist."""
        # Otherwise Podman's forced removal first asks the container to end, and waits ten seconds.
        with suppress(*TROUBLE):
            self.client.api.kill(container_id)
        with suppress(*TROUBLE):
            self.client.api.remove_container(container_id, force=True, v=True)

    def remove_labelled(self, label: str) -> list[str]:
        """Remove the containers, networks and volumes that have a label (`key=value`).

        Returns:
            Those that were there, as the docker command names them: `container NAME`.
        """
        carrying: Any = {"label": label}
        found = []
        with self._translated():
            for container in self.client.api.containers(all=True, filters=carrying):
                found.append(f"container {container['Id'][:12]}")
                self.remove_container(container["Id"])
            for network in self.client.api.networks(filters=carrying):
                found.append(f"network {network['Name']}")
                with suppress(*TROUBLE):
                    self.client.api.remove_network(network["Id"])
            for volume in self.client.api.volumes(filters=carrying)["Volumes"] or ():
                found.append(f"volume {volume['Name']}")
                with suppress(*TROUBLE):
                    self.client.api.remove_volume(volume["Name"])
        return found

    def close(self) -> None:
        """Close open connections; a later call reopens them."""
        if client := self.__dict__.pop("client", None):
            client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except APIError as error:
            raise EngineError(f"the engine at {self.docker_host} refused: {explain(error)}") from error
        except TROUBLE as error:
            raise EngineUnavailable(f"the engine at {self.docker_host} does not answer: {error}") from error


def find_engine(
    docker_host: str | None, *, environ: Mapping[str, str], progress: Callable[[str], None]
) -> LocalEngine | None:
    """Find this machine's engine.

    Args:
        docker_host: The engine to use; None for the one that the docker command would use, then the default socket.

        progress: Called with the reason if a configured engine cannot be used.

    Returns:
        None if none answers.

    Raises:
        EngineUnavailable: The engine asked for does not answer, or is not on this machine.
    """
    if docker_host is not None:
        engine = LocalEngine(docker_host)
        if not engine.ping():
            raise EngineUnavailable(
                f"no Docker Engine answers at {docker_host}", hint="start it, or name no engine"
            )
        return engine
    default = engine_address.EngineAddress(f"unix://{engine_address.DEFAULT_SOCKET}")
    try:
        named = engine_address.find_engine_address(environ)
    except SettingsError as error:
        progress(str(error))
        named = default
    for address in (named, default) if named.host != default.host else (named,):
        if address.tls is not None:
            progress(
                f"the engine at {address} asks for TLS, and an engine of this machine without it is needed"
            )
            continue
        try:
            engine = LocalEngine(address.host)
        except EngineUnavailable as error:
            progress(str(error))
            continue
        if engine.ping():
            return engine
        if address.source:
            progress(f"no engine answers at {address}")
    return None


def explain(error: BaseException) -> str:
    """An engine's error message, without the status that docker-py puts in front."""
    text = str(getattr(error, "explanation", None) or error) if isinstance(error, APIError) else str(error)
    return re.sub(r"^\d+ .*?: ", "", text).strip()


class _Client(docker.DockerClient):
    def __init__(self, **settings: Any) -> None:
        self.api = _Api(**settings)


class _Api(docker.APIClient):
    trust_env = property(lambda _: False, lambda *_: None)
    """Otherwise requests would use HTTP_PROXY for an engine at a tcp:// address."""

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        # docker-py sets no timeout for pulls.
        return kwargs | {"timeout": self.timeout}


def _names(image: dict[str, Any]) -> Iterator[str]:
    for name in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]:
        # Some engines call untagged images `<none>:<none>`.
        if not name.startswith("<none>"):
            yield name
