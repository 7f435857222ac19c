"""Whether a request is signed with the sandbox's own access key.

Source: AWS Signature Version 4, Authorization header; Linux `proc(5)` for `/proc/net/tcp`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM}\s+Credential=(?P<key_id>[^/,\s]+)/(?P<day>\d{{8}})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
    r"\s*,\s*SignedHeaders=(?P<signed>[a-z0-9;_-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_SKEW = timedelta(minutes=15)
_MUST_BE_SIGNED = ("x-amz-date", "x-amz-target")
"""If a request has them."""
_BODY_DIGEST = "x-amz-content-sha256"
_TCP_SOCKETS = Path("/proc/net/tcp")
_LISTENING = "0A"
_REACHED_BY_LOOPBACK = ("0100007F", "00000000")


class Fault(Enum):
    """What is wrong with a request; the value is AWS's message."""

    UNSIGNED = "Request is missing Authentication Token"
    UNKNOWN_KEY = "The security token included in the request is invalid."
    EXPIRED = "Signature expired, or not yet current"
    WRONG = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access"
        " Key and signing method."
    )


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The one key that the sandbox accepts."""

    key_id: str
    secret: str = field(repr=False)


def judge(
    environ: Mapping[str, Any], body: bytes, key: AccessKey, *, now: datetime | None = None
) -> str | Fault:
    """The service that a WSGI request is signed for, or what is wrong with the request.

    A program between a client and this server may change the Host header. So a signature for the Host of any program that
    listens on this machine's loopback is as good as one for ours: its maker has the key.
    """
    given = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", "").strip())
    if given is None:
        return Fault.UNSIGNED
    if not hmac.compare_digest(given["key_id"].encode(), key.key_id.encode()):
        return Fault.UNKNOWN_KEY
    headers, names = _headers(environ), given["signed"].split(";")
    if "host" not in names or any(name in headers and name not in names for name in _MUST_BE_SIGNED):
        return Fault.WRONG
    if not _is_current(headers.get("x-amz-date", ""), given["day"], now or datetime.now(UTC)):
        return Fault.EXPIRED
    signed = {name: headers.get(name, "") for name in names}
    if signed.get(_BODY_DIGEST, sha256(body).hexdigest()) != sha256(body).hexdigest():
        return Fault.WRONG
    request = AWSRequest(
        environ["REQUEST_METHOD"],
        f"http://any{environ.get('PATH_INFO', '')}",
        headers=signed,
        params=parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True),  # type: ignore[arg-type]  # it takes pairs, too
        data=body,
    )
    request.context["timestamp"] = signed["x-amz-date"]
    signer = _Signer(Credentials(key.key_id, key.secret), given["service"], given["region"])
    for host in chain((headers.get("host", ""),), _hosts_listening()):
        request.headers.replace_header("host", host)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if hmac.compare_digest(signer.signature(text, request), given["signature"]):
            return given["service"]
    return Fault.WRONG


class _Signer(SigV4Auth):
    def headers_to_sign(self, request: AWSRequest) -> Any:
        """Sign all headers that are there, and no others."""
        return request.headers


def _hosts_listening() -> Iterator[str]:
    """Loopback addresses and ports that programs on this machine listen on."""
    for line in _TCP_SOCKETS.read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, port = local.partition(":")
        if state == _LISTENING and address in _REACHED_BY_LOOPBACK:
            yield from (f"{name}:{int(port, 16)}" for name in ("127.0.0.1", "localhost"))


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    names = {
        name.removeprefix("HTTP_"): str(value)
        for name, value in environ.items()
        if name.startswith(("HTTP_", "CONTENT_"))
    }
    return {name.replace("_", "-").lower(): value for name, value in names.items() if value}


def _is_current(date: str, day: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return date.startswith(day) and abs(now - signed_at) <= _SKEW
