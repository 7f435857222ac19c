"""The door to AWS's API: it admits only requests of this machine's programs signed with the sandbox's own key."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import Any, Literal
from xml.sax.saxutils import escape

from ecr_widgets.sandbox.ecr.signing import AccessKey, Fault, judge
from ecr_widgets.sandbox.visitors import refuse_visitor

SERVICES: tuple[Literal["ecr", "sts"], ...] = ("ecr", "sts")
"""The services that are available as soon as the door is open."""
_CODES = {
    Fault.UNSIGNED: ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    Fault.UNKNOWN_KEY: ("UnrecognizedClientException", "InvalidClientTokenId"),
    Fault.EXPIRED: ("InvalidSignatureException", "SignatureDoesNotMatch"),
    Fault.WRONG: ("InvalidSignatureException", "SignatureDoesNotMatch"),
}
"""Each fault's error code in ECR, and in STS."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Door:
    """A WSGI application in front of others.

    Args:
        services: The applications behind it, by the service name that requests are signed for.

        own_host: Returns its address and port, once it listens.
    """

    def __init__(
        self, services: Mapping[str, Application], access_key: AccessKey, own_host: Callable[[], str]
    ) -> None:
        self._services = services
        self._access_key = access_key
        self._own_host = own_host

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, with the time as AWS does: clients learn from it that their clock is wrong."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Date", formatdate(usegmt=True))], *more)

        return self._answer(environ, start)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        refused = refuse_visitor(
            host=environ.get("HTTP_HOST"), origin=environ.get("HTTP_ORIGIN"), own_host=self._own_host()
        )
        if refused is not None:
            start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{refused}\n".encode()]
        body = environ["wsgi.input"].read()
        judged = judge(environ, body, self._access_key)
        as_json = "HTTP_X_AMZ_TARGET" in environ
        if isinstance(judged, Fault):
            code = _CODES[judged][0 if as_json else 1]
            return _refuse(start_response, code, judged.value, as_json=as_json)
        if judged not in self._services or environ.get("PATH_INFO") != "/":
            served = ", ".join(sorted(self._services))
            text = f"the sandbox serves {served}, and this asks {judged} for {environ.get('PATH_INFO')}"
            return _refuse(start_response, "UnsupportedOperationException", text, as_json=as_json)
        environ["wsgi.input"] = io.BytesIO(body)
        return self._services[judged](environ, start_response)


def _refuse(start_response: Callable[..., Any], code: str, message: str, *, as_json: bool) -> Iterable[bytes]:
    if as_json:
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps({"__type": code, "message": message}).encode()]
    start_response("403 Forbidden", [("Content-Type", "text/xml")])
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return [f"<ErrorResponse>{error}</ErrorResponse>".encode()]
