"""The few Docker Engine calls that the sandbox itself makes, over a local socket, on the standard library alone.

docker-py would read the user's Docker configuration and cost a quarter of the start-up time.

Source: Docker Engine API; calls without a version in their path take the engine's newest.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ecr_widgets.errors import EngineError, EngineUnavailable


@dataclass(frozen=True, slots=True)
class HeldImage:
    """An image of an engine.

    Args:
        names: By tag and by digest; none where it is untagged.
    """

    image_id: str
    names: tuple[str, ...]
    labels: dict[str, str]

    def named(self, reference: str) -> str | None:
        """The name that says the same as a short one (`name:tag`), None where it has no such name.

        Podman completes names: with where it pulled from, or with `localhost` for what was built or loaded.
        """
        wanted = {f"{prefix}{reference}" for prefix in ("", "localhost/", "docker.io/library/")}
        return next((name for name in self.names if name in wanted), None)


class EngineApi:
    """One engine on this machine.

    Args:
        docker_host: `unix:///path` or `tcp://` with a loopback address, as in DOCKER_HOST.

        timeout_s: Longest silence of the engine, in seconds.

    Raises:
        EngineUnavailable: The address names an engine that is not on this machine, or none at all.
    """

    def __init__(self, docker_host: str, *, timeout_s: float = 10.0) -> None:
        self.docker_host = docker_host
        self._timeout_s = timeout_s
        parts = urlsplit(docker_host)
        if parts.scheme == "unix" and parts.path:
            self._socket_path: str | None = parts.path
        elif parts.scheme in ("tcp", "http") and _is_loopback(parts.hostname):
            self._socket_path = None
            self._address = (str(parts.hostname), parts.port or 2375)
        else:
            raise EngineUnavailable(
                f"the engine at {docker_host} cannot be used: it would not reach a registry on this machine's loopback",
                hint="unset DOCKER_HOST, or name an engine on this machine",
            )

    def ping(self) -> bool:
        """Whether an engine answers."""
        try:
            status, _ = self._call("GET", "/_ping")
        except EngineError:
            return False
        return status == 200

    def image_id(self, reference: str) -> str | None:
        """Look an image up by name, None where the engine has none."""
        status, content = self._call("GET", f"/images/{quote(reference)}/json")
        if status == 404:
            return None
        image: dict[str, Any] = json.loads(self._checked(status, content))
        return str(image["Id"])

    def load_image(self, archive: bytes) -> None:
        """Load an archive as `docker save` writes it."""
        status, content = self._call(
            "POST", "/images/load?quiet=1", body=archive, headers={"Content-Type": "application/x-tar"}
        )
        self._check_events(self._checked(status, content))

    def pull_image(self, repository: str, tag: str, *, authorization: tuple[str, str] | None = None) -> None:
        """Have the engine pull an image from where it usually does, or with a user and password."""
        query = urlencode({"fromImage": repository, "tag": tag})
        headers = {}
        if authorization is not None:
            user, password = authorization
            login = json.dumps({"username": user, "password": password})
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(login.encode()).decode()
        status, content = self._call("POST", f"/images/create?{query}", headers=headers)
        self._check_events(self._checked(status, content))

    def images(self) -> list[HeldImage]:
        """List the engine's images, but those that others are built on and nothing names."""
        # Not with `digests=1`, which Podman answers with nothing at all; all engines tell digests without it.
        images = json.loads(self._checked(*self._call("GET", "/images/json")))
        return [
            HeldImage(
                image["Id"],
                # Untagged images are called `<none>:<none>` by some.
                tuple(
                    name
                    for name in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
                    if not name.startswith("<none>")
                ),
                image.get("Labels") or {},
            )
            for image in images
        ]

    def remove_image(self, reference: str) -> None:
        """Take a name off an image, and remove the image with its last one; one in use stays."""
        self._call("DELETE", f"/images/{quote(reference)}")

    def container_ids(self, label: str) -> list[str]:
        """List the containers, stopped ones too, that carry a label (`key=value`)."""
        return [str(entry["Id"]) for entry in self._labelled("/containers/json", label, all="1")]

    def remove_container(self, container_id: str) -> None:
        """Kill and remove a container with its anonymous volumes."""
        # Podman's forced removal asks the container to end first, and waits ten seconds for it.
        self._call("POST", f"/containers/{container_id}/kill")
        self._call("DELETE", f"/containers/{container_id}?force=1&v=1")

    def remove_networks_and_volumes(self, label: str) -> None:
        """Remove the unused networks and volumes that carry a label (`key=value`)."""
        for network in self._labelled("/networks", label):
            self._call("DELETE", f"/networks/{network['Id']}")
        volumes: dict[str, Any] = self._labelled("/volumes", label)
        for volume in volumes.get("Volumes") or ():
            self._call("DELETE", f"/volumes/{quote(volume['Name'])}")

    def _labelled(self, path: str, label: str, **query: str) -> Any:
        query["filters"] = json.dumps({"label": [label]})
        return json.loads(self._checked(*self._call("GET", f"{path}?{urlencode(query)}")))

    def _call(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_s
        connection = http.client.HTTPConnection("localhost", timeout=self._timeout_s)
        try:
            connection.sock = self._connect()
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            content = bytearray()
            # An engine that pulls keeps talking: the bound is for the whole call.
            while (piece := response.read1(65536)) and time.monotonic() < deadline:
                content += piece
            if piece:
                raise TimeoutError("it took too long")
            return response.status, bytes(content)
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnavailable(f"the engine at {self.docker_host} does not answer: {error}") from error
        finally:
            connection.close()

    def _connect(self) -> socket.socket:
        if self._socket_path is None:
            return socket.create_connection(self._address, timeout=self._timeout_s)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(self._socket_path)
        except OSError:
            connection.close()
            raise
        return connection

    def _checked(self, status: int, content: bytes) -> bytes:
        if status >= 400:
            raise EngineError(
                f"the engine at {self.docker_host} refused: {_message(content)} (HTTP {status})"
            )
        return content

    def _check_events(self, content: bytes) -> None:
        # The engine answers 200 first and tells of a failure inside the stream.
        for line in content.splitlines():
            event = json.loads(line) if line.strip() else {}
            if "error" in event:
                raise EngineError(f"the engine at {self.docker_host} failed: {event['error']}")


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode("utf-8", errors="replace")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
