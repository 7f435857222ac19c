"""Whether a request bears the signature of the sandbox's own access key.

Source: AWS Signature Version 4 for requests that are signed in their Authorization header.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM}\s+Credential=(?P<key_id>[^/,\s]+)/(?P<scope>(?P<day>\d{{8}})/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request)"
    r"\s*,\s*SignedHeaders=(?P<signed>[a-z0-9;_-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_SKEW = timedelta(minutes=15)
_MUST_BE_SIGNED = ("host", "x-amz-date", "x-amz-target")
"""Wherever a request has them."""


class Fault(Enum):
    """What is wrong with a request; the value is what AWS says of it."""

    UNSIGNED = "Request is missing Authentication Token"
    UNKNOWN_KEY = "The security token included in the request is invalid."
    EXPIRED = "Signature expired, or not yet current"
    WRONG = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access"
        " Key and signing method."
    )


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The one key that opens the sandbox."""

    key_id: str
    secret: str = field(repr=False)


def judge(
    environ: Mapping[str, Any], body: bytes, key: AccessKey, *, now: datetime | None = None
) -> str | Fault:
    """The service that a WSGI request is signed for, or what is wrong with it."""
    told = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", "").strip())
    if told is None:
        return Fault.UNSIGNED
    if not hmac.compare_digest(told["key_id"].encode(), key.key_id.encode()):
        return Fault.UNKNOWN_KEY
    headers, signed = _headers(environ), told["signed"].split(";")
    if any(name in headers and name not in signed for name in _MUST_BE_SIGNED):
        return Fault.WRONG
    date = headers.get("x-amz-date", "")
    if not _is_current(date, told["day"], now or datetime.now(UTC)):
        return Fault.EXPIRED
    asked = "\n".join(
        (
            environ["REQUEST_METHOD"],
            quote(environ.get("PATH_INFO", "") or "/", safe="/-_.~", encoding="latin-1"),
            _query(environ.get("QUERY_STRING", "")),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            told["signed"],
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(asked.encode("latin-1", "replace")).hexdigest()
    sealed = f"AWS4{key.secret}".encode()
    for part in (*told["scope"].split("/"), "\n".join((_ALGORITHM, date, told["scope"], digest))):
        sealed = hmac.digest(sealed, part.encode(), "sha256")
    return told["service"] if hmac.compare_digest(sealed.hex(), told["signature"]) else Fault.WRONG


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found[name.replace("_", "-").lower()] = str(environ[name])
    return found


def _query(query: str) -> str:
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "&".join(f"{name}={value}" for name, value in pairs)


def _is_current(date: str, day: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return date.startswith(day) and abs(now - signed_at) <= _SKEW
