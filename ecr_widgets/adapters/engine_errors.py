"""What a failed call to an engine means: our own error, with what to try."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ecr_widgets.adapters.engine_events import error_in
from ecr_widgets.adapters.http import of_time
from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.docker_library import APIError
from ecr_widgets.errors import EcrWidgetsError, EngineError, EngineLost, EngineUnavailable
from ecr_widgets.model.paths import exists
from ecr_widgets.settings.engine_address import EngineAddress, other_sockets

_INSTALL = (
    "start it, set DOCKER_HOST or a Docker context, or install one;"
    " on Debian or Ubuntu, as root: apt-get install docker.io"
)
_CHECK_ADDRESS = "check DOCKER_HOST or the Docker context, whether the engine expects TLS (DOCKER_TLS_VERIFY), and any proxy on the way"


def broken_off(address: EngineAddress, error: Exception, *, silence_s: float) -> EcrWidgetsError:
    """The error for a later call.

    Args:
        silence_s: How long was waited for its next output, in seconds.
    """
    reason = answered(error)
    if reason is not None:
        return EngineError(f"the Docker Engine refused: {reason}")
    if isinstance(_innermost(error), TimeoutError):
        return EngineLost(
            f"the Docker Engine at {address} sent nothing for {silence_s:g} s",
            hint="it may wait for a registry that does not answer: check the network between the two, then run again",
        )
    # It has answered before, so the connection broke, or the engine ended.
    return EngineLost(
        f"the Docker Engine at {address} does not answer any more: {_cause(error)}",
        hint=_hint(address, error)
        if address.is_ssh or _is_tls(error)
        else "its log may say why; start it if it has stopped, then run again",
    )


def not_reached(address: EngineAddress, error: Exception, *, patience_s: float) -> EcrWidgetsError:
    """The error for the first call, which asks for the version.

    Args:
        patience_s: How long was waited for its answer, in seconds.
    """
    if (reason := answered(error)) is not None:
        return EngineUnavailable(
            f"what answers at {address} refused to tell its version: {shortened(reason)}",
            hint=_CHECK_ADDRESS,
        )
    if isinstance(_innermost(error), TimeoutError):
        return EngineUnavailable(
            f"the Docker Engine at {address} has not answered within {patience_s:g} s",
            hint=_by_hand(address)
            if address.is_ssh
            else "it may be paused or stuck: look at its log, or restart it",
        )
    root = _innermost(error)
    is_connection = isinstance(root, OSError) and not isinstance(root, requests.RequestException)
    if is_connection or _is_tls(error):
        return EngineUnavailable(f"no Docker Engine answers at {address}: {root}", hint=_hint(address, error))
    return no_engine(address, error)


def no_engine(address: EngineAddress, error: Exception) -> EcrWidgetsError:
    """The error for an answer that is not an engine's."""
    root = _innermost(error)
    said = (
        f"it said {root.doc}" if isinstance(root, json.JSONDecodeError) else f"{type(root).__name__} {root}"
    )
    return EngineUnavailable(
        f"what answers at {address} is not a Docker Engine: {shortened(' '.join(said.split()))}",
        hint=f"`ssh {address.host} true` must print nothing: see what the shell there does as it starts"
        if address.is_ssh
        else _CHECK_ADDRESS,
    )


def _hint(address: EngineAddress, error: BaseException) -> str:
    socket, reason = address.socket, _innermost(error)
    if _is_tls(error):
        return of_time(error) + certificates(address)
    if address.is_ssh:
        return _by_hand(address)
    if isinstance(reason, PermissionError) and socket is not None:
        return f"this user may not use {socket}: {_admission(socket)}{_beside(address)}"
    if isinstance(reason, ConnectionRefusedError) and socket is not None:
        return f"{socket} exists, but nothing listens on it: start the engine{_beside(address)}"
    if socket is None:
        return "check the address, and that the engine listens there"
    return _INSTALL + _beside(address)


def _beside(address: EngineAddress) -> str:
    sockets = [path for path, _ in other_sockets() if exists(path) and path != address.socket]
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


def _by_hand(address: EngineAddress) -> str:
    place = address.host.removesuffix(urlsplit(address.host).path)
    return f"see what `ssh {place} docker version` says"


def certificates(address: EngineAddress) -> str:
    """What to try if the connection cannot be secured."""
    if address.tls is None:
        return _CHECK_ADDRESS
    missing = f" (there is no {' and no '.join(address.tls.missing)})" if address.tls.missing else ""
    return (
        f"check the certificates in {address.tls.folder}{missing}: ca.pem of the engine's authority, cert.pem and"
        " key.pem that the engine accepts; and that it expects TLS at this port"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it."""
    # A decoder's StopIteration says nothing.
    while error is not None and not isinstance(error, StopIteration):
        yield error
        error = error.__context__


def answered(error: BaseException) -> str | None:
    """The engine's answer that led to an error; None if there was no answer.

    Podman answers failed pushes with a body that docker-py cannot read: the resulting error says
    nothing, but its context still holds the answer.
    """
    for each in _chain(error):
        if isinstance(each, requests.HTTPError) and each.response is not None:
            return _reason(each.response) or str(each)
        if isinstance(each, APIError) and each.explanation:
            return str(each.explanation)
    return None


def _is_tls(error: BaseException) -> bool:
    """Whether the connection could not be secured."""
    return any(isinstance(each, ssl.SSLError | requests.exceptions.SSLError) for each in _chain(error))


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


def _innermost(error: BaseException) -> BaseException:
    """The first cause: the outer messages repeat urllib3's; this one says what went wrong."""
    return list(_chain(error))[-1]


def _cause(error: BaseException) -> str:
    """What went wrong, in words."""
    if any(isinstance(each, IncompleteRead) for each in _chain(error)):
        return "the connection ended in the middle of an answer"
    return str(_innermost(error))
