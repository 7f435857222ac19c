"""Which Docker Engine is used: found by the docker command's own rules, in this one place.

The first that applies: DOCKER_HOST, DOCKER_CONTEXT, the current context in config.json, the default socket. If the default
socket does not exist, the sockets of rootless Docker and of Podman are tried; the docker command needs a context for those.

    python -m ecr_widgets.settings.engine_address

prints the address, and exits with 0 if something may answer there.

Source: Docker documentation, "Docker contexts", "Environment variables", "Rootless mode"; Podman documentation,
podman-system-service.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.paths import exists, is_file, is_folder

DEFAULT_SOCKET = Path("/var/run/docker.sock")
PODMAN_SOCKET = Path("/run/podman/podman.sock")
UNUSABLE = "ecr-widgets-unusable"
"""Member of a run's own config.json: why the user's cannot be used."""
_CORRECT = "make the file readable for this user, correct it or remove it"
_HOST = re.compile(r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|[0-9a-f]*:[0-9a-f:.]+(?:%[\w.-]+)?")
"""A host's name or an IP address."""
_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@dataclass(frozen=True, slots=True)
class EngineTls:
    """How a connection to an engine is secured."""

    folder: Path
    """Holds ca.pem, cert.pem and key.pem, or some of them."""
    verify: bool
    """Whether the engine's certificate is checked."""

    @property
    def authority(self) -> Path | None:
        """The authority's certificate for the engine; None for the authorities that the machine trusts."""
        return self._file("ca.pem")

    @property
    def client(self) -> tuple[Path, Path] | None:
        """The client certificate to present to the engine, and its key; None if either is missing."""
        certificate, key = self._file("cert.pem"), self._file("key.pem")
        return (certificate, key) if certificate and key else None

    @property
    def missing(self) -> list[str]:
        """Names of the files that are not there, or that this user may not see."""
        return [each for each in ("ca.pem", "cert.pem", "key.pem") if self._file(each) is None]

    def _file(self, name: str) -> Path | None:
        path = self.folder / name
        return path if is_file(path) else None


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """An engine's address and why this one; as text, both."""

    host: str
    """As in DOCKER_HOST: `unix:///path`, `tcp://host:port` or `ssh://user@host`, there with the socket's path if it is another."""
    source: str = ""
    """Which setting names it, in words; empty for the default."""
    tls: EngineTls | None = None

    def __str__(self) -> str:
        return f"{self.host} ({self.source})" if self.source else self.host

    @property
    def is_ssh(self) -> bool:
        """Whether the user's ssh connects to it."""
        return self.host.startswith("ssh://")

    @property
    def socket(self) -> Path | None:
        """The socket's path, if it is on this machine."""
        return Path(self.host.removeprefix("unix://")) if self.host.startswith("unix://") else None

    def environ(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """An environment in which a child process uses this engine, whatever the user's configuration says."""
        merged = {name: value for name, value in base.items() if name not in _VARIABLES}
        merged["DOCKER_HOST"] = self.host
        if self.tls is not None:
            merged["DOCKER_CERT_PATH"] = str(self.tls.folder)
            merged["DOCKER_TLS_VERIFY" if self.tls.verify else "DOCKER_TLS"] = "1"
        return merged


def find_engine_address(environ: Mapping[str, str] = os.environ) -> EngineAddress:
    """Find the engine that the docker command would use.

    Raises:
        SettingsError: The setting that names the engine cannot be used, such as a context that does not exist.
    """
    config = docker_folder(environ)
    if named := environ.get("DOCKER_HOST", "").strip():
        tls = None
        if environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS"):
            folder = environ.get("DOCKER_CERT_PATH")
            tls = EngineTls(Path(folder) if folder else config, bool(environ.get("DOCKER_TLS_VERIFY")))
        return EngineAddress(_usable(named, "DOCKER_HOST", port=2375), "DOCKER_HOST", tls)
    if name := environ.get("DOCKER_CONTEXT", ""):
        source = f"context {name!r} of DOCKER_CONTEXT"
    else:
        name = _current_context(environ)
        source = f"current context {name!r}"
    if name and name != "default":
        return _of_context(config, name, source)
    return _default(environ)


def docker_folder(environ: Mapping[str, str]) -> Path:
    """Where the docker command keeps its configuration."""
    if named := environ.get("DOCKER_CONFIG"):
        return Path(named)
    try:
        return Path(environ.get("HOME") or Path.home(), ".docker")
    except RuntimeError:
        # A user without a home has no configuration.
        return Path("/nonexistent/.docker")


def read_docker_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """The user's config.json; empty if there is none, or nothing in it.

    Raises:
        SettingsError: It cannot be read, or is not JSON.
    """
    config = _json(docker_folder(environ) / "config.json") or {}
    if UNUSABLE in config:
        raise SettingsError(str(config[UNUSABLE]), hint=_CORRECT)
    return config


def _current_context(environ: Mapping[str, str]) -> str:
    name = read_docker_config(environ).get("currentContext") or ""
    if not isinstance(name, str):
        raise SettingsError(
            "Docker's settings cannot be used: currentContext in"
            f" {docker_folder(environ) / 'config.json'} is not a string",
            hint="set it with `docker context use NAME`",
        )
    return name


def _of_context(config: Path, name: str, source: str) -> EngineAddress:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = _json(config / "contexts" / "meta" / key / "meta.json")
    if meta is None:
        raise SettingsError(
            f"the engine is not known: {source} does not exist in {config / 'contexts'}",
            hint="`docker context ls` lists the existing ones; `docker context use default` resets it",
        )
    endpoints = meta.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(endpoint, dict):
        raise SettingsError(
            f"the engine is not known: {source} has no endpoint for Docker",
            hint="recreate it with `docker context create`",
        )
    folder = config / "contexts" / "tls" / key / "docker"
    skipped = bool(endpoint.get("SkipTLSVerify"))
    tls = EngineTls(folder, not skipped) if is_folder(folder) or skipped else None
    host = endpoint.get("Host") or f"unix://{DEFAULT_SOCKET}"
    # The docker command reads DOCKER_HOST, but not a context, with a default port of its own.
    return EngineAddress(_usable(host, source, port=80 if tls is None else 443), source, tls)


def _default(environ: Mapping[str, str]) -> EngineAddress:
    if not exists(DEFAULT_SOCKET):
        for socket, whose in other_sockets(environ):
            if exists(socket):
                return EngineAddress(f"unix://{socket}", f"{whose}, as there is no {DEFAULT_SOCKET}")
    return EngineAddress(f"unix://{DEFAULT_SOCKET}")


def other_sockets(environ: Mapping[str, str] = os.environ) -> list[tuple[Path, str]]:
    """Where other engines of this machine and user listen by default, each with its engine's name."""
    own = environ.get("XDG_RUNTIME_DIR")
    return [
        *([(Path(own, "docker.sock"), "rootless Docker")] if own else []),
        *([(Path(own, "podman", "podman.sock"), "Podman of this user")] if own else []),
        (PODMAN_SOCKET, "Podman"),
    ]


def _usable(host: object, source: str, *, port: int) -> str:
    """The address in one spelling, with this port if it names none; an error does not repeat it: it may hold a password."""
    given = host if isinstance(host, str) and host.isprintable() else ""
    scheme, separator, rest = given.partition("://")
    if not separator:
        # The docker command accepts a bare host and port.
        scheme, rest = "tcp", given
    if scheme in ("unix", "http+unix") and (not rest or rest.startswith("/")):
        return f"unix://{rest or DEFAULT_SOCKET}"
    scheme = "tcp" if scheme in ("http", "https") else scheme
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        usable = scheme in ("tcp", "ssh") and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
        usable = usable and not (
            parts.password or parts.query or parts.fragment or parts.netloc.endswith(":")
        )
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{source} is not an address of a Docker Engine",
            hint="write unix:///path, tcp://host:port or ssh://user@host, without a password",
        )
    if scheme == "tcp" and parts.port is None:
        rest = f"{parts.netloc}:{port}{parts.path}"
    return f"{scheme}://{rest}".rstrip("/")


def _json(path: Path) -> dict[str, Any] | None:
    """The object in one of Docker's files; None if there is no such file. As for docker, an empty file is an empty object."""
    try:
        content = path.read_bytes()
        document = json.loads(content) if content.strip() else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"Docker's settings cannot be used: {path} cannot be read: {why}",
            hint=_CORRECT,
        ) from error
    if not isinstance(document, dict | None):
        raise SettingsError(
            f"Docker's settings cannot be used: {path} does not hold a JSON object",
            hint=_CORRECT,
        )
    return document or {}


def main() -> int:
    """Print the address. Return 1 if nothing can answer this user there, 2 if it is not known."""
    try:
        address = find_engine_address()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    print(address)  # noqa: T201
    return 0 if address.socket is None or os.access(address.socket, os.W_OK) else 1


if __name__ == "__main__":
    sys.exit(main())
