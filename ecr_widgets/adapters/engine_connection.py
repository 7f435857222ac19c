"""A connection to one engine through docker-py, which raises our own errors.

Source: Docker Engine API, SystemVersion, SystemInfo; Podman's compatible API answers the same calls.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from ecr_widgets.adapters.engine_events import error_in
from ecr_widgets.adapters.http import proxy_for
from ecr_widgets.docker_library import (
    APIError,
    AuthConfig,
    DockerException,
    InvalidConfigFile,
    TLSConfig,
    TLSParameterError,
    docker,
    json_stream,
    load_config,
)
from ecr_widgets.errors import EcrWidgetsError, EngineError, EngineUnavailable, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore
from ecr_widgets.settings.engine_address import EngineAddress, find_engine_address, other_sockets

T = TypeVar("T")

_INSTALL = (
    "start it, set DOCKER_HOST or a Docker context, or install one;"
    " on Debian or Ubuntu, as root: apt-get install docker.io"
)
_PATCHING = Lock()
_SILENCE_S = 120
"""Longest wait for the engine's next output, in seconds."""
_LONG_SILENCE_S = 4 * 3600
"""The same for calls in which it says nothing until they are done."""


_logins: ContextVar[Mapping[str, Any]] = ContextVar(
    "logins of the build under way", default=MappingProxyType({})
)


class _LoginsGiven(AuthConfig):
    """Logins that docker-py uses as its own: those given to the current build, else none.

    An empty AuthConfig is not enough: docker-py would then read the user's file again at each build, and send every
    password in it to the engine.
    """

    @property
    def is_empty(self) -> bool:
        return False

    def get_all_credentials(self) -> dict[str, Any]:
        return {**_logins.get()}


@contextmanager
def sending_logins(logins: Mapping[str, Any]) -> Iterator[None]:
    """Have builds that this thread starts within the block send these logins, by registry."""
    before = _logins.set(logins)
    try:
        yield
    finally:
        _logins.reset(before)


def auth_of(token: AuthorizationToken) -> dict[str, str]:
    """A token as a login for docker-py."""
    return {"username": token.user, "password": token.password, "serveraddress": token.registry}


def users_login(registry: str) -> dict[str, Any] | None:
    """The login that the user's own configuration has for a registry; None if it has none that can be read.

    docker-py reads the configuration without checking it, and starts helpers that may not exist.
    """
    unusable = (DockerException, AttributeError, KeyError, TypeError, ValueError, OSError)
    with suppress(*unusable), warnings.catch_warnings(action="ignore"):
        found = load_config().resolve_authconfig(registry)
        return dict(found) if found else None
    return None


@contextmanager
def _no_logins() -> Iterator[None]:
    """Keep docker-py from reading logins: a single unreadable one, for any registry, would fail every call."""
    with _PATCHING:
        read, docker.auth.load_config = docker.auth.load_config, lambda *_, **__: _LoginsGiven({})
        try:
            yield
        finally:
            docker.auth.load_config = read


class EngineConnection:
    """The engine that the docker command would use; contacted at the first call.

    Raises:
        SettingsError: At the first call: Docker's own settings cannot be used.

        EngineUnavailable: At any call: no engine answers.
    """

    @cached_property
    def address(self) -> EngineAddress:
        """The engine's address, and why this one."""
        return find_engine_address()

    @cached_property
    def client(self) -> docker.DockerClient:
        """docker-py's client for it, without the user's logins."""
        address = self.address
        _check_ssh(address)
        try:
            with _no_logins():
                return _Client(
                    base_url=address.host,
                    tls=_tls(address),
                    version="auto",
                    timeout=_SILENCE_S,
                    # As the docker command does: the user's ssh knows keys, agents, jump hosts and trusted hosts.
                    use_ssh_client=True,
                )
        except (InvalidConfigFile, TLSParameterError) as error:
            raise _unusable_settings(error) from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(
                f"no Docker Engine answers at {address}: {_root(error)}", hint=self._hint(error)
            ) from error
        except (AttributeError, TypeError, ValueError) as error:
            # docker-py reads the user's config.json without checking it.
            raise _unusable_settings(error) from error

    @cached_property
    def facts(self) -> EngineFacts:
        """What kind of engine it is; asked once."""

        def call() -> EngineFacts:
            version, info = self.client.version(), {}
            # A proxy in front of the socket may block it; the rest works without it.
            with suppress(APIError):
                info = self.client.info()
            name = str(next((each["Name"] for each in version.get("Components") or ()), "Docker Engine"))
            driver_status = dict(each[:2] for each in info.get("DriverStatus") or () if len(each) > 1)
            if "podman" in name.lower():
                store = ImageStore.PODMAN
            elif driver_status.get("driver-type") == "io.containerd.snapshotter.v1":
                store = ImageStore.CONTAINERD
            else:
                store = ImageStore.GRAPH_DRIVER
            options = [str(each) for each in info.get("SecurityOptions") or ()]
            return EngineFacts(
                "Docker Engine" if name == "Engine" else name,
                str(version["Version"]),
                str(version["ApiVersion"]),
                store,
                str(info.get("Driver") or "unknown"),
                str(self.address),
                rootless=any("rootless" in each for each in options),
            )

        return self.ask(call)

    def close(self) -> None:
        """Close open connections; a later call opens them again."""
        if client := self.__dict__.pop("client", None):
            client.close()

    def ask(self, call: Callable[[], T]) -> T:
        """Make a docker-py call; failures are raised as our own errors."""
        try:
            return call()
        except (DockerException, requests.RequestException, OSError) as error:
            raise self._translated(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if (reason := _answered(error)) is not None:
                raise EngineError(f"the Docker Engine refused: {reason}") from error
            raise EngineUnavailable(
                f"what answers at {self.address} is not a Docker Engine: {type(error).__name__} {error}",
                hint=_INSTALL,
            ) from error

    def events(
        self,
        start: Callable[[], Iterable[Any]],
        refused: Callable[[str], EcrWidgetsError],
        *,
        may_be_silent: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """All events of one stream.

        Args:
            refused: Makes an error from the failure that the engine or an event reports.

            may_be_silent: Whether the engine may say nothing for hours without being stuck.
        """
        api: Any = self.client.api
        api.timeout = _LONG_SILENCE_S if may_be_silent else _SILENCE_S
        try:
            yield from self._checked(start, refused)
        finally:
            api.timeout = _SILENCE_S

    def _checked(
        self, start: Callable[[], Iterable[Any]], refused: Callable[[str], EcrWidgetsError]
    ) -> Iterator[dict[str, Any]]:
        for event in self._received(start, refused):
            if not isinstance(event, dict):
                raise EngineError(f"the Docker Engine sent {type(event).__name__} instead of an event")
            text = error_in(event)
            if text is not None:
                raise refused(text)
            yield event

    def _received(
        self, start: Callable[[], Iterable[Any]], refused: Callable[[str], EcrWidgetsError]
    ) -> Iterator[Any]:
        try:
            # Decoded here: docker-py decodes a stream event by event only if it comes in chunks.
            yield from json_stream(iter(start()))
        except EcrWidgetsError:
            raise
        except Exception as error:
            # docker-py reads streams below requests, so errors of any lower layer may come through.
            reason = _answered(error)
            raise (self._translated(error) if reason is None else refused(reason)) from error

    def _translated(self, error: Exception) -> EcrWidgetsError:
        reason = _answered(error)
        if reason is not None:
            return EngineError(f"the Docker Engine refused: {reason}")
        if isinstance(_innermost(error), TimeoutError):
            return EngineUnavailable(
                f"the Docker Engine at {self.address} sent nothing for {_SILENCE_S:g} s",
                hint="it may wait for a registry that does not answer: check the network between the two, then run again",
            )
        return EngineUnavailable(
            f"the Docker Engine at {self.address} does not answer: {_root(error)}", hint=self._hint(error)
        )

    def _hint(self, error: BaseException) -> str:
        socket, reason = self.address.socket, _innermost(error)
        if self.address.host.startswith("ssh://"):
            return f"see what `ssh {self.address.host} docker version` says"
        if isinstance(reason, PermissionError) and socket is not None:
            return f"this user may not use {socket}: {_admission(socket)}{self._beside()}"
        if isinstance(reason, ConnectionRefusedError) and socket is not None:
            return f"{socket} exists, but nothing listens on it: start the engine{self._beside()}"
        return _INSTALL + self._beside()

    def _beside(self) -> str:
        sockets = [path for path, _ in other_sockets() if path.is_socket() and path != self.address.socket]
        return f"; another engine may answer with DOCKER_HOST=unix://{sockets[0]}" if sockets else ""


def _admission(socket: Path) -> str:
    try:
        group = socket.group()
    except (OSError, KeyError):
        group = "root"
    if group == "root":
        return "use root, or a rootless engine"
    return (
        f"as root, `usermod -aG {group} USER`, then log in again (members of that group are root on the machine),"
        " or use a rootless engine"
    )


class _Client(docker.DockerClient):
    """docker-py's client, with the docker command's view of the network."""

    def __init__(self, **settings: Any) -> None:
        self.api = _Api(**settings)


class _Api(docker.APIClient):
    trust_env = property(lambda _: False, lambda *_: None)
    """Otherwise requests would send calls to this machine's engines through HTTP_PROXY, and would prefer REQUESTS_CA_BUNDLE,
    which is for web servers, to the authority that the engine's address names."""

    def merge_environment_settings(self, url: Any, proxies: Any, *settings: Any) -> Any:
        """Use the proxy for the engine's address; never one for this machine and its sockets."""
        proxy = proxy_for(url)
        given = {urlsplit(url).scheme: proxy} if proxy else {}
        return super().merge_environment_settings(url, given, *settings)


def _tls(address: EngineAddress) -> TLSConfig | bool:
    if address.tls is None:
        return False
    ca = address.tls.authority
    client = address.tls.client
    return TLSConfig(
        client_cert=(str(client[0]), str(client[1])) if client else None,
        ca_cert=str(ca) if ca else None,
        verify=address.tls.verify,
    )


def _check_ssh(address: EngineAddress) -> None:
    if not address.host.startswith("ssh://"):
        return
    if importlib.util.find_spec("paramiko") is None:
        raise SettingsError(
            f"the engine at {address} cannot be reached: docker-py needs paramiko for ssh",
            hint="pip install 'ecr-widgets[ssh]'",
        )
    if shutil.which("ssh") is None:
        raise SettingsError(
            f"the engine at {address} cannot be reached: there is no ssh command",
            hint="on Debian or Ubuntu, as root: apt-get install openssh-client",
        )


def _unusable_settings(error: Exception) -> SettingsError:
    return SettingsError(
        f"Docker's settings cannot be used: {error}",
        hint="check DOCKER_HOST, and config.json in DOCKER_CONFIG or ~/.docker",
    )


def _answered(error: BaseException | None) -> str | None:
    """The engine's answer that led to an error; None if there was no answer.

    Podman answers failed pushes with a body that docker-py cannot read: the resulting error says
    nothing, but its context still holds the answer.
    """
    while error is not None:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return _reason(error.response) or str(error)
        if isinstance(error, APIError) and error.explanation:
            return str(error.explanation)
        error = error.__context__
    return None


def _reason(response: requests.Response) -> str:
    text = response.text.strip()
    for candidate in (text, *text.splitlines()):
        try:
            body = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(body, dict):
            named = error_in(body) or body.get("message") or body.get("cause")
            if named:
                return str(named)
    return text


def _root(error: BaseException) -> str:
    # The outer messages repeat urllib3's; the innermost one says what went wrong.
    return str(_innermost(error))


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error
