"""A connection to one engine through docker-py, which raises our own errors.

Source: Docker Engine API, SystemVersion, SystemInfo; Podman's compatible API answers the same calls.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from threading import Lock, Thread
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from ecr_widgets.adapters.build_tool import read_config
from ecr_widgets.adapters.engine_errors import answered, broken_off, certificates, no_engine, not_reached
from ecr_widgets.adapters.engine_events import error_in
from ecr_widgets.adapters.http import accept_silently, proxy_for
from ecr_widgets.adapters.programs import run_in_time
from ecr_widgets.adapters.ssh_transport import SshAdapter
from ecr_widgets.docker_library import (
    APIError,
    AuthConfig,
    CredentialsNotFound,
    DockerException,
    InvalidVersion,
    Store,
    TLSConfig,
    TLSParameterError,
    docker,
    json_stream,
)
from ecr_widgets.errors import EcrWidgetsError, EngineError, EngineUnavailable, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore
from ecr_widgets.settings.engine_address import (
    EngineAddress,
    find_engine_address,
)

T = TypeVar("T")

_FOREIGN = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What docker-py raises if an answer is not an engine's."""
_PATCHING = Lock()
_FIRST_ANSWER_S = 30
"""Longest wait for the engine's version, the first thing it is asked, in seconds, from its first byte to its last."""
_SSH_S = 60
"""The same if it is asked by ssh, which may wait for a person."""
_BY_SSH = "tcp://engine-by-ssh:22"
"""For docker-py and requests, which want an address that they can read."""
_SILENCE_S = 120
"""Longest wait for the engine's next output, in seconds."""
_LONG_SILENCE_S = 4 * 3600
"""The same for calls in which it says nothing until they are done."""
_HELPER_S = 30
"""Longest wait for a credential helper, in seconds."""
_NO_LOGIN = b"credentials not found"
"""What credential helpers print for a registry that they have no login for."""

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


class _LoginUnread(Exception):
    """A credential helper gave no answer; the message says why, without its own words, which may hold secrets."""


class _UsersLogins(AuthConfig):
    """The user's own logins. Their helpers may wait for a person, and write secrets to stderr."""

    def _get_store_instance(self, name: str) -> Store:
        return _Helper(name)


class _Helper(Store):
    def get(self, server: str) -> Any:
        try:
            return super().get(server)  # type: ignore[no-untyped-call]
        except _FOREIGN as error:
            raise _LoginUnread(f"what {self.program} printed is no login") from error

    def _execute(self, subcmd: str, data_input: bytes) -> bytes:
        try:
            done = run_in_time(
                [self.program, subcmd], longest_s=_HELPER_S, given=data_input, stderr=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise _LoginUnread(f"{self.program} did not end within {_HELPER_S:g} s") from error
        except OSError as error:
            raise _LoginUnread(f"{self.program} cannot be started: {error.strerror}") from error
        if done.returncode:
            if _NO_LOGIN in done.stdout:
                raise CredentialsNotFound
            raise _LoginUnread(f"{self.program} failed with exit code {done.returncode}")
        return done.stdout


def users_login(registry: str, *, unread: Callable[[str], None]) -> dict[str, Any] | None:
    """The login that the user's own configuration has for a registry; None if it has none that can be read.

    docker-py reads the configuration without checking it, and starts helpers that may not exist.

    Args:
        unread: Is told why a credential helper gave no answer.
    """
    unusable = (DockerException, AttributeError, LookupError, TypeError, ValueError, OSError, RecursionError)
    try:
        with suppress(*unusable), warnings.catch_warnings(action="ignore"):
            found = _UsersLogins.load_config(None, None).resolve_authconfig(registry)
            return dict(found) if found else None
    except _LoginUnread as error:
        unread(f"the login for {registry} could not be read: {error}")
    return None


def _users_headers() -> dict[str, str]:
    """The headers that the user's config.json adds to each call, such as for a proxy in front of the engine."""
    headers = read_config(os.environ).get("HttpHeaders") or {}
    if isinstance(headers, dict) and all(
        isinstance(each, str) and each.isascii() and each.isprintable() and each == each.strip()
        for pair in headers.items()
        for each in pair
    ):
        return headers
    raise SettingsError(
        "Docker's settings cannot be used: HttpHeaders in config.json is not an object of one-line texts",
        hint="correct or remove it",
    )


@contextmanager
def _without_users_config() -> Iterator[None]:
    """Keep docker-py from reading config.json: it checks nothing, and one unreadable login would fail every call."""
    headers = _users_headers()
    config = docker.utils.config  # type: ignore[attr-defined]
    with _PATCHING:
        logins, settings = docker.auth.load_config, config.load_general_config
        docker.auth.load_config = lambda *_, **__: _LoginsGiven({})
        config.load_general_config = lambda *_: {"HttpHeaders": headers} if headers else {}
        try:
            yield
        finally:
            docker.auth.load_config, config.load_general_config = logins, settings


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
        try:
            with _without_users_config():
                client = _Client(
                    ssh=_ssh(address),
                    base_url=_BY_SSH if address.is_ssh else address.host,
                    tls=_tls(address),
                    version="auto",
                    timeout=_patience_s(address),
                )
        except EcrWidgetsError:
            raise
        except TLSParameterError as error:
            raise SettingsError(
                f"Docker's settings cannot be used: {error}", hint=certificates(address)
            ) from error
        except InvalidVersion as error:
            raise EngineUnavailable(
                f"the engine at {address} is too old: {error}",
                hint="update it to Docker Engine 20.10 or newer",
            ) from error
        except (DockerException, requests.RequestException, OSError, *_FOREIGN) as error:
            raise not_reached(self.address, error, patience_s=_patience_s(self.address)) from error
        client.api.timeout = _SILENCE_S
        return client

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
            raise broken_off(self.address, error, silence_s=_SILENCE_S) from error
        except _FOREIGN as error:
            if (reason := answered(error)) is not None:
                raise EngineError(f"the Docker Engine refused: {reason}") from error
            raise no_engine(self.address, error) from error

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
            reason = answered(error)
            raise (
                broken_off(self.address, error, silence_s=_SILENCE_S) if reason is None else refused(reason)
            ) from error


class _Client(docker.DockerClient):
    """docker-py's client, with the docker command's view of the network."""

    def __init__(self, **settings: Any) -> None:
        self.api = _Api(**settings)


class _Api(docker.APIClient):
    trust_env = property(lambda _: False, lambda *_: None)
    """Otherwise requests would send calls to this machine's engines through HTTP_PROXY, and would prefer REQUESTS_CA_BUNDLE,
    which is for web servers, to the authority that the engine's address names."""
    _about: Mapping[str, Any] | None = None

    def __init__(self, *, ssh: SshAdapter | None, **settings: Any) -> None:
        self._ssh = ssh
        super().__init__(**settings)

    def get_adapter(self, url: Any) -> Any:
        """What sends requests: for an engine by ssh, our own."""
        return self._ssh or super().get_adapter(url)

    def close(self) -> None:
        """Close kept connections."""
        super().close()
        if self._ssh is not None:
            self._ssh.close()

    def version(self, *words: Any, **named: Any) -> Any:
        """What the engine is; asked once, as docker-py connects, since engines start other programs to answer this."""
        if self._about is None:
            call = super().version
            self._about = _within(self.timeout, lambda: call(*words, **named))
        return self._about

    def merge_environment_settings(self, url: Any, proxies: Any, *settings: Any) -> Any:
        """Use the proxy for the engine's address; never one for this machine and its sockets."""
        proxy = proxy_for(url)
        given = {urlsplit(url).scheme: proxy} if proxy else {}
        return super().merge_environment_settings(url, given, *settings)


def _within(longest_s: float, call: Callable[[], T]) -> T:
    """Make a call that has this time in total; requests' own limit is for each byte.

    Raises:
        TimeoutError: It is not done; its thread is left behind.
    """
    found: Future[T] = Future()

    def make() -> None:
        try:
            found.set_result(call())
        except BaseException as error:  # noqa: BLE001 -- raised where the call is waited for
            found.set_exception(error)

    Thread(target=make, daemon=True).start()
    return found.result(longest_s)


def _patience_s(address: EngineAddress) -> float:
    return _SSH_S if address.is_ssh else _FIRST_ANSWER_S


def _tls(address: EngineAddress) -> TLSConfig | bool:
    if address.tls is None:
        return False
    if not address.tls.verify:
        accept_silently()
    ca = address.tls.authority
    client = address.tls.client
    return TLSConfig(
        client_cert=(str(client[0]), str(client[1])) if client else None,
        ca_cert=str(ca) if ca else None,
        verify=address.tls.verify,
    )


def _ssh(address: EngineAddress) -> SshAdapter | None:
    """As the docker command does: the user's ssh knows keys, agents, jump hosts and trusted hosts."""
    if not address.is_ssh:
        return None
    if shutil.which("ssh") is None:
        raise SettingsError(
            f"the engine at {address} cannot be reached: there is no ssh command",
            hint="on Debian or Ubuntu, as root: apt-get install openssh-client",
        )
    return SshAdapter(address.host)
