"""Layer0's HTTP: authentication, quirks of labels and statuses, and which path calls what."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tornado.web

from ecr_widgets.sandbox.layer0.errors import ApiError, Code
from ecr_widgets.sandbox.layer0.logic import Logic

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Route:
    """One call: `act` gets path parts, then the body where one is taken, then the query where that is read."""

    method: str
    pattern: re.Pattern[str]
    act: Callable[..., Any]
    body: bool = False
    query: bool = False
    job: bool = False
    """Whether the answer is 202 with a job's id."""


def routes(logic: Logic, version: str) -> list[Route]:
    """Everything that this server answers."""
    rows: list[tuple[str, str, Callable[..., Any], str]] = [
        ("GET", "/admin/version", lambda: version, ""),
        ("GET", "/tag", logic.tags, "query"),
        ("GET", "/environment", logic.list_environments, ""),
        ("POST", "/environment", logic.create_environment, "body"),
        ("GET", "/environment/ID", logic.read_environment, ""),
        ("GET", "/deploy", logic.list_deploys, ""),
        ("POST", "/deploy", logic.create_deploy, "body"),
        ("GET", "/deploy/ID", logic.read_deploy, ""),
        ("DELETE", "/deploy/ID", logic.delete_deploy, ""),
        ("GET", "/service", logic.list_services, ""),
        ("POST", "/service", logic.create_service, "body"),
        ("GET", "/service/ID", logic.read_service, ""),
        ("DELETE", "/service/ID", logic.delete_service, "job"),
        ("PUT", "/service/ID/deploy", logic.update_service, "body"),
        ("PUT", "/service/ID/scale", logic.scale_service, "body"),
        ("GET", "/service/ID/logs", logic.service_logs, "query"),
        ("GET", "/task", logic.list_tasks, ""),
        ("POST", "/task", logic.create_task, "body job"),
        ("GET", "/task/ID", logic.read_task, ""),
        ("DELETE", "/task/ID", logic.delete_task, ""),
        ("GET", "/task/ID/logs", logic.task_logs, "query"),
        ("GET", "/job", logic.list_jobs, ""),
        ("GET", "/job/ID", logic.read_job, ""),
        ("DELETE", "/job/ID", logic.delete_job, ""),
    ]
    return [
        Route(
            method,
            re.compile(path.replace("ID", "([^/]+)")),
            act,
            body="body" in words.split(),
            query="query" in words.split(),
            job="job" in words.split(),
        )
        for method, path, act, words in rows
    ]


class Api(tornado.web.RequestHandler):
    """Answers every path; Layer0's own mux does not tell apart `/deploy` and `/deploy/`."""

    SUPPORTED_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")

    async def prepare(self) -> None:
        """Answer, whatever the method."""
        path = self.request.path.rstrip("/") or "/"
        self.clear_header("Server")
        self.set_header("Version", self.settings["version"])
        if path == "/health" and self.request.method == "GET":
            return self.answer(200, "")
        if self.request.headers.get("Authorization") != f"Basic {self.settings['token']}":
            self.set_header("WWW-Authenticate", "Basic realm=Protected Area")
            return self.plain(401, "401: Not Authorized")
        matches = [(route, m) for route in self.settings["routes"] if (m := route.pattern.fullmatch(path))]
        if not matches:
            return self.plain(404, "404: Page Not Found")
        for route, match in matches:
            if route.method == self.request.method:
                return await self.call(route, match.groups())
        return self.plain(405, "405: Method Not Allowed")

    async def call(self, route: Route, parts: tuple[str, ...]) -> None:
        """Run one call and answer with what it gives."""
        arguments: list[Any] = list(parts)
        try:
            if route.body:
                arguments.append(self.body())
            if route.query:
                arguments.append({key: self.get_query_argument(key) for key in self.request.query_arguments})
            value = route.act(*arguments)
            if inspect.isawaitable(value):
                value = await value
        except ApiError as error:
            self.journal(error.status, {})
            return self.answer(
                error.status, {"error_code": int(error.code), "message": error.message}, label=_PLAIN
            )
        self.journal(202 if route.job else 200, value)
        if route.job:
            self.set_header("Location", f"/job/{value}")
            self.set_header("X-JobID", value)
            return self.answer(202, "", label=_PLAIN)
        return self.answer(200, value)

    def body(self) -> Mapping[str, Any]:
        """The request's JSON object.

        Raises:
            ApiError: It is none.
        """
        try:
            value = json.loads(self.request.body) if self.request.body.strip() else None
        except (ValueError, RecursionError) as error:
            raise ApiError(Code.INVALID_JSON, f"invalid JSON: {error}") from error
        if value is None:
            raise ApiError(Code.INVALID_JSON, "EOF")
        if not isinstance(value, dict):
            raise ApiError(Code.INVALID_JSON, "json: cannot unmarshal into Go value of type struct")
        # Go matches members in any case.
        return {str(key).lower(): item for key, item in value.items()}

    def journal(self, status: int, value: Any) -> None:
        """Tell the sandbox's journal of a change: ids and names, no bodies."""
        if self.request.method in ("POST", "PUT", "DELETE"):
            told = {k: v for k, v in value.items() if k.endswith("_id")} if isinstance(value, dict) else {}
            self.settings["journal"](
                {
                    "server": "layer0",
                    "method": self.request.method,
                    "path": self.request.path,
                    "status": status,
                    **told,
                }
            )

    def answer(self, status: int, value: Any, *, label: str = "application/json") -> None:
        """Answer JSON, indented by one space as the real server writes it."""
        self.set_status(status)
        self.set_header("Content-Type", label)
        self.finish(json.dumps(value, indent=1))

    def plain(self, status: int, text: str) -> None:
        """Answer plain text, as for everything that is wrong before a call."""
        self.set_status(status)
        self.set_header("Content-Type", _PLAIN)
        self.finish(text)
