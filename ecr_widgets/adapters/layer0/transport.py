"""Requests to Layer0: each returns an answer or raises one of our errors.

Layer0 labels errors and 202 answers as plain text, so bodies are read as JSON whatever their label. Reads are repeated
with back-off, changes never: if a change was sent and no usable answer came back, its outcome is unknown.
"""

from __future__ import annotations

import json
import ssl
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from ecr_widgets.adapters.http import EnvironmentPools, of_time
from ecr_widgets.errors import (
    EcrWidgetsError,
    EntityNotFound,
    Layer0Error,
    Layer0Unavailable,
    OutcomeUnknown,
    SettingsError,
)
from ecr_widgets.model.layer0_version import version_warning
from ecr_widgets.model.loopback import is_loopback
from ecr_widgets.settings import Layer0Settings

_LARGEST_BODY_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_SHOWN = 200
_SHOWN_OF_MESSAGE = 1000
_READ_TRIES = 4
_PASSING = frozenset((429, 502, 503, 504))
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)
_NOT_FOUND_CODES = frozenset((23, 24, 25, 26, 28, 29))


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, decoded."""

    status: int
    headers: Mapping[str, str]
    value: Any


class _TooLarge(Exception):
    """The body is larger than any answer of Layer0."""


class Transport:
    """Talks to one Layer0 API.

    Args:
        sleep: Waits between the attempts of a read.

    Raises:
        SettingsError: The token would cross a network unencrypted, a header cannot hold it, or the address holds a login.
    """

    def __init__(self, settings: Layer0Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            parts = urllib3.util.parse_url(settings.endpoint)
        except urllib3.exceptions.LocationParseError as error:
            raise SettingsError(
                f"LAYER0_API_ENDPOINT is not an address: {error}", hint="get it from `l0-setup endpoint`"
            ) from error
        if parts.auth is not None:
            raise SettingsError(
                "LAYER0_API_ENDPOINT holds a user or password",
                hint="leave it out; Layer0 takes LAYER0_AUTH_TOKEN only",
            )
        if parts.scheme == "http" and not is_loopback(parts.host or ""):
            raise SettingsError(
                f"Layer0's token is not sent over plain http to {parts.host}", hint="use the https endpoint"
            )
        token = settings.authorization_token
        if not token.isascii() or not token.isprintable():
            raise SettingsError(
                "LAYER0_AUTH_TOKEN holds characters that a header cannot have",
                hint="take it from `l0-setup endpoint`",
            )
        self._endpoint = settings.endpoint
        self._token = token
        self._sleep = sleep
        self._version: str | None = None
        self._compared = False
        self.requests = 0
        """Number of requests sent so far."""
        self._http = EnvironmentPools(verify=not settings.skip_ssl_verify, retries=False)

    def read(self, path: str, query: Mapping[str, str] | None = None, *, timeout_s: float = 30.0) -> Answer:
        """GET, repeated if that may help.

        Raises:
            EntityNotFound: No such entity.

            Layer0Unavailable: No usable answer.

            Layer0Error: Layer0 refused.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        pause_s = 0.2
        for last in (*(False,) * (_READ_TRIES - 1), True):
            try:
                return self._ask("GET", target, None, timeout_s)
            except Layer0Error as error:
                if last or not error.retryable:
                    raise
            self._sleep(pause_s)
            pause_s *= 2
        raise AssertionError  # the last try returns or raises

    def change(self, method: str, path: str, body: Any, *, timeout_s: float = 120.0) -> Answer:
        """POST, PUT or DELETE, once.

        Raises:
            OutcomeUnknown: The request went out and no usable answer came back.

            Layer0Unavailable: It was not sent, or something in front of Layer0 refused it.

            Layer0Error: Layer0 refused.
        """
        self._warn_of_version()
        return self._ask(method, path, body, timeout_s)

    def _warn_of_version(self) -> None:
        """Warn once, before the first change, if the server's version is not one that the kit knows well."""
        if self._compared or self._version is None:
            return
        self._compared = True
        warning = version_warning(self._version)
        if warning is not None:
            warnings.warn(warning, stacklevel=5)

    def _ask(self, method: str, target: str, body: Any, timeout_s: float) -> Answer:
        self.requests += 1
        headers = {
            "Authorization": f"Basic {self._token}",
            "Accept": "application/json",
            # Layer0 does not report why a service's containers stopped; a server that does takes this header.
            "Prefer": "reasons",
        }
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        try:
            answer = self._http.request(
                method,
                self._endpoint + target,
                body=content,
                headers=headers,
                timeout=urllib3.Timeout(connect=5.0, read=timeout_s),
                redirect=False,
                preload_content=False,
            )
            try:
                text = _read_bounded(answer, timeout_s)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, _TooLarge) as error:
            raise self._translate(method, target, error) from error
        return self._judge(method, target, answer.status, answer.headers, text)

    def _translate(self, method: str, target: str, error: Exception) -> EcrWidgetsError:
        if isinstance(error, _NOT_SENT):
            return Layer0Unavailable(
                f"Layer0 at {self._endpoint} does not answer: {error}",
                hint="check LAYER0_API_ENDPOINT and the network",
                retryable=True,
            )
        # Other TLS errors may come after the request went out; this one comes before.
        if isinstance(error, urllib3.exceptions.SSLError) and any(
            isinstance(cause, ssl.SSLCertVerificationError) for cause in (error.__cause__, *error.args)
        ):
            return Layer0Unavailable(
                f"the certificate of Layer0 at {self._endpoint} is not trusted: {error}",
                hint=f"{of_time(error)}have it signed, or set LAYER0_SKIP_SSL_VERIFY=1 if you know why",
            )
        if method != "GET":
            return _lost(f"{method} {target}", str(error))
        return Layer0Unavailable(
            f"the connection to Layer0 broke during {method} {target}: {error}",
            hint="check the network and LAYER0_API_ENDPOINT",
            retryable=not isinstance(error, _TooLarge),
        )

    def _judge(
        self, method: str, target: str, status: int, headers: Mapping[str, str], text: bytes
    ) -> Answer:
        if self._version is None:
            self._version = headers.get("Version")
        is_json, value = _decode(text)
        what = f"{method} {target.partition('?')[0]}"
        if status == 401:
            raise Layer0Error(
                f"Layer0 refused the token for {what}", status=401, hint="check LAYER0_AUTH_TOKEN"
            )
        if isinstance(value, dict) and isinstance(value.get("error_code"), int) and "message" in value:
            code, message = value["error_code"], self._show(str(value["message"]), _SHOWN_OF_MESSAGE)
            if status == 404 or code in _NOT_FOUND_CODES:
                raise EntityNotFound(f"{what}: {message}", status=status, code=code)
            raise Layer0Error(
                f"Layer0 refused {what}: {message}", status=status, code=code, retryable=status in _PASSING
            )
        if 200 <= status < 300 and (is_json or (status in (201, 204) and not text)):
            return Answer(status, headers, value)
        shown = self._show(text.decode(errors="replace"), _SHOWN)
        if 300 <= status < 400:
            shown = f"a redirect to {self._show(headers.get('Location', 'nowhere'), _SHOWN)}"
        if method != "GET" and (200 <= status < 300 or status >= 500):
            # Something between us and Layer0 answered; Layer0 itself may have made the change.
            raise _lost(what, f"status {status} with {shown or 'an empty body'}")
        raise Layer0Unavailable(
            f"what answered {what} with status {status} is not Layer0: {shown or 'an empty body'}",
            status=status,
            hint="check LAYER0_API_ENDPOINT, and any proxy on the way",
            retryable=status in _PASSING,
        )

    def _show(self, text: str, length: int) -> str:
        # Mask before cutting: half a token is a secret too.
        return text.replace(self._token, "***")[:length].strip()


def _lost(what: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Layer0's reply to {what} was lost: {why}", hint="check whether it was done before you ask again"
    )


def _read_bounded(answer: urllib3.BaseHTTPResponse, timeout_s: float) -> bytes:
    # urllib3's time-out applies to each read, so a body that trickles in would never reach it.
    deadline_s = time.monotonic() + timeout_s
    body = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > _LARGEST_BODY_BYTES:
            raise _TooLarge(f"the answer is larger than {_LARGEST_BODY_BYTES} bytes")
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the answer is not complete after {timeout_s:.0f} s")
    return bytes(body)


def _decode(text: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, None
