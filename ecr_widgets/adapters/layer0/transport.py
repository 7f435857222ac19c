"""One request to Layer0 and its answer, or one of our errors.

Layer0 labels errors and 202 answers as plain text, so bodies are read as JSON whatever their label. Reads are repeated
with back-off, changes never: a reply that got lost is an unknown outcome.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from ecr_widgets.adapters.registry import is_loopback
from ecr_widgets.errors import EntityNotFound, Layer0Error, Layer0Unavailable, OutcomeUnknown, SettingsError
from ecr_widgets.settings import Layer0Settings

_LARGEST_BODY_BYTES = 8 * 1024 * 1024
_SHOWN = 200
_READ_TRIES = 4
_PASSING = frozenset((429, 502, 503, 504))
_NOT_FOUND_CODES = frozenset((23, 24, 25, 26, 28, 29))


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded success."""

    status: int
    headers: Mapping[str, str]
    value: Any


class Transport:
    """Talks to one Layer0 API.

    Raises:
        SettingsError: The token would cross a network unencrypted.
    """

    def __init__(self, settings: Layer0Settings) -> None:
        parts = urllib3.util.parse_url(settings.endpoint)
        if parts.scheme == "http" and not is_loopback(parts.host or ""):
            raise SettingsError(
                f"Layer0's token is not sent over plain http to {parts.host}", hint="use the https endpoint"
            )
        self._endpoint = settings.endpoint
        self._token = settings.authorization_token
        self._http = urllib3.PoolManager(
            cert_reqs="CERT_NONE" if settings.skip_ssl_verify else "CERT_REQUIRED", retries=False
        )

    def read(self, path: str, query: Mapping[str, str] | None = None, *, timeout_s: float = 30.0) -> Answer:
        """GET, repeated where that may help.

        Raises:
            EntityNotFound: No such thing.

            Layer0Unavailable: No usable answer.

            Layer0Error: It refused.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        pause_s = 0.2
        for last in (*(False,) * (_READ_TRIES - 1), True):
            try:
                return self._ask("GET", target, None, timeout_s)
            except Layer0Error as error:
                if last or not error.retryable:
                    raise
            time.sleep(pause_s)
            pause_s *= 2
        raise AssertionError  # the last try returns or raises

    def change(self, method: str, path: str, body: Any, *, timeout_s: float = 120.0) -> Answer:
        """POST, PUT or DELETE, once.

        Raises:
            OutcomeUnknown: The request went out and no answer came back.

            Layer0Error: It refused.
        """
        return self._ask(method, path, body, timeout_s)

    def _ask(self, method: str, target: str, body: Any, timeout_s: float) -> Answer:
        headers = {"Authorization": f"Basic {self._token}", "Accept": "application/json"}
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
                text = _read_bounded(answer)
            finally:
                answer.close()
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise Layer0Unavailable(
                f"Layer0 at {self._endpoint} does not answer: {error}",
                hint="check LAYER0_API_ENDPOINT and the network",
                retryable=True,
            ) from error
        except urllib3.exceptions.SSLError as error:
            raise Layer0Unavailable(
                f"the certificate of Layer0 at {self._endpoint} is not trusted: {error}",
                hint="have it signed, or set LAYER0_SKIP_SSL_VERIFY=1 if you know why",
            ) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if method == "GET":
                raise Layer0Unavailable(
                    f"the connection to Layer0 broke during {method} {target}: {error}", retryable=True
                ) from error
            raise OutcomeUnknown(
                f"Layer0's reply to {method} {target} was lost: {error}",
                hint="look whether it was done before asking again",
            ) from error
        return self._judge(method, target, answer.status, dict(answer.headers), text)

    def _judge(
        self, method: str, target: str, status: int, headers: Mapping[str, str], text: bytes
    ) -> Answer:
        is_json, value = _decode(text)
        what = f"{method} {target.partition('?')[0]}"
        if status == 401:
            raise Layer0Error(
                f"Layer0 refused the token for {what}", status=401, hint="check LAYER0_AUTH_TOKEN"
            )
        if isinstance(value, dict) and isinstance(value.get("error_code"), int) and "message" in value:
            code, message = value["error_code"], str(value["message"])
            if status == 404 or code in _NOT_FOUND_CODES:
                raise EntityNotFound(f"{what}: {message}", status=status, code=code)
            raise Layer0Error(
                f"Layer0 refused {what}: {message}", status=status, code=code, retryable=status in _PASSING
            )
        if 200 <= status < 300 and (is_json or (status in (201, 204) and not text)):
            return Answer(status, headers, value)
        shown = text[:_SHOWN].decode(errors="replace").replace(self._token, "***").strip()
        if status in (301, 302):
            shown = f"a redirect to {headers.get('Location', 'nowhere')}"
        raise Layer0Unavailable(
            f"what answered {what} with status {status} is not Layer0: {shown or 'an empty body'}",
            status=status,
            hint="check LAYER0_API_ENDPOINT, and what stands between you and it",
            retryable=status in _PASSING,
        )


def _read_bounded(answer: urllib3.BaseHTTPResponse) -> bytes:
    text = answer.read(_LARGEST_BODY_BYTES + 1)
    if len(text) > _LARGEST_BODY_BYTES:
        raise urllib3.exceptions.HTTPError(f"the answer is larger than {_LARGEST_BODY_BYTES} bytes")
    return text


def _decode(text: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, None
