"""Layer0's HTTP: authentication, quirks in headers and statuses, and routing to the calls."""

from __future__ import annotations

import inspect
import json
import re
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import tornado.web

from ecr_widgets.sandbox.layer0.api_errors import ApiError
from ecr_widgets.sandbox.layer0.bodies import decode
from ecr_widgets.sandbox.layer0.routes import ROUTES, TOP_LEVEL, Route
from ecr_widgets.sandbox.layer0.wire import without_reasons
from ecr_widgets.sandbox.visitors import refuse_visitor

_PLAIN = "text/plain; charset=utf-8"
_JSON = "application/json"
PREFERENCE = "reasons"
"""Put in a request's `Prefer` header to get the additions; a server without them ignores it."""
_MATCHERS = [(route.pattern, route) for route in ROUTES]


class Api(tornado.web.RequestHandler):
    """Answers every path; as in Layer0's own mux, `/deploy` and `/deploy/` are the same."""

    SUPPORTED_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")

    async def prepare(self) -> None:
        """Answer the request, whatever its method."""
        self.clear_header("Server")
        headers = self.request.headers
        refused = refuse_visitor(
            host=headers.get("Host"), origin=headers.get("Origin"), own_host=self.settings["own_host"]()
        )
        if refused is not None:
            return self.plain(403, refused)
        path = self.request.path
        if "//" in path:
            query = f"?{self.request.query}" if self.request.query else ""
            return self.redirected(301, re.sub("/+", "/", path) + query)
        path = path.rstrip("/")
        if not path or path.split("/")[1] not in TOP_LEVEL:
            return self.plain(404, "custom 404")
        self.set_header("Version", self.settings["world"].version)
        if self.request.headers.get("X-Forwarded-Proto", "").lower() == "http":
            self.set_header("Location", f"https://{self.request.host}{self.request.uri}")
            return self.answer(301, "")
        routes = [
            (route, match)
            for pattern, route in _MATCHERS
            if (match := pattern.fullmatch(path)) and (self.asks_for_reasons or not route.is_addition)
        ]
        if not routes:
            return self.plain(404, "404: Page Not Found")
        if self.request.method == "OPTIONS":
            self.clear_header("Content-Type")
            self.set_header("Allow", ", ".join(sorted({route.method for route, _ in routes} | {"OPTIONS"})))
            self.finish()
            return None
        for route, match in routes:
            if route.method == self.request.method:
                return await self.called(route, tuple(unquote(each) for each in match.groups()))
        return self.plain(405, "405: Method Not Allowed")

    async def called(self, route: Route, parts: tuple[str, ...]) -> None:
        """Check the request in the real server's order, then make the call."""
        refused = self.refusal()
        if refused is not None:
            return self.plain(*refused)
        if (
            not route.is_open
            and self.request.headers.get("Authorization") != f"Basic {self.settings['token']}"
        ):
            self.set_header("WWW-Authenticate", "Basic realm=Protected Area")
            return self.plain(401, "401: Not Authorized")
        return await self.call(route, parts)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode a query value; one that is not UTF-8 matches nothing, but is not an error."""
        return value.decode(errors="replace")

    def refusal(self) -> tuple[int, str] | None:
        """What is wrong with a request's content headers, as status and text; None if nothing is."""
        has_body = bool(self.request.body)
        label = self.request.headers.get("Content-Type", "")
        if has_body and not label.lower().startswith(_JSON):
            return 415, "415: Unsupported Media Type"
        accepted = self.request.headers.get("Accept", "")
        wanted = [each.partition(";")[0].strip().lower() for each in accepted.split(",")]
        admits = not accepted.strip() or any(each in ("*/*", "application/*", _JSON) for each in wanted)
        lacks_all = self.request.method in ("POST", "PUT") and not has_body and not label
        return (406, "406: Not Acceptable") if lacks_all or not admits else None

    async def call(self, route: Route, parts: tuple[str, ...]) -> None:
        """Make one call and send its result."""
        arguments: list[Any] = [self.settings["world"], *parts]
        try:
            if route.body is not None:
                arguments.append(decode(self.request.body, route.body))
            if route.query:
                arguments.append(
                    # If a key is given twice, Go takes the first one.
                    {
                        key: self.get_query_arguments(key, strip=False)[0]
                        for key in self.request.query_arguments
                    }
                )
            value = route.act(*arguments)
            if inspect.isawaitable(value):
                value = await value
            if not self.asks_for_reasons:
                value = without_reasons(value)
        except ApiError as error:
            self.journal(error.status, {})
            return self.answer(
                error.status, {"error_code": int(error.code), "message": error.message}, label=_PLAIN
            )
        self.journal(route.status, value)
        if route.status == 202:
            self.set_header("Location", f"/job/{value}")
            self.set_header("X-Jobid", value)
            return self.answer(202, "", label=_PLAIN)
        if route.status in (201, 204):
            self.set_status(route.status)
            self.clear_header("Content-Type")
            self.finish()
            return None
        return self.answer(200, value)

    @property
    def asks_for_reasons(self) -> bool:
        """Whether the client asks for what the real server lacks; only then is it included."""
        given = self.request.headers.get("Prefer", "").split(",")
        return PREFERENCE in [each.partition(";")[0].strip().lower() for each in given]

    def journal(self, status: int, value: Any) -> None:
        """Record a change in the sandbox's journal: ids and names only, no bodies."""
        if self.request.method in ("POST", "PUT", "DELETE"):
            ids = {k: v for k, v in value.items() if k.endswith("_id")} if isinstance(value, dict) else {}
            self.settings["journal"](
                {
                    "server": "layer0",
                    "method": self.request.method,
                    "path": self.request.path,
                    "status": status,
                    **ids,
                }
            )

    def answer(self, status: int, value: Any, *, label: str = _JSON) -> None:
        """Send JSON, indented by one space like the real server's."""
        self.set_status(status)
        self.set_header("Content-Type", label)
        self.finish(json.dumps(value, indent=1, ensure_ascii=False))

    def redirected(self, status: int, where: str) -> None:
        """Redirect as Go's `http.Redirect` does: with a page, but only in response to GET or HEAD."""
        self.set_status(status)
        self.set_header("Location", where)
        if self.request.method in ("GET", "HEAD"):
            self.set_header("Content-Type", "text/html; charset=utf-8")
        if self.request.method == "GET":
            self.write(f'<a href="{escape(where)}">{HTTPStatus(status).phrase}</a>.\n\n')
        self.finish()

    def plain(self, status: int, text: str) -> None:
        """Send plain text, as for every error before a call."""
        self.set_status(status)
        self.set_header("Content-Type", _PLAIN)
        self.finish(text)

    def compute_etag(self) -> None:
        """Send no ETag."""
