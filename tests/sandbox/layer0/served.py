"""A Layer0 server in a thread of its own, and plain requests to it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.sandbox.layer0.layer0_sandbox import Layer0Sandbox
from ecr_widgets.sandbox.workloads.containers import Containers
from tests.sandbox.workloads.fake_containers import in_quick_rounds

TOKEN = "bGF5ZXIwOm5vaGF4cGx6"
REASONS = {"Authorization": f"Basic {TOKEN}", "Prefer": "reasons"}
"""Headers of one who asks for what the real server has not."""


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    token: str = TOKEN

    def value(self, method: str, path: str, **body: Any) -> Any:
        """What a call gives that must not fail; of a job its id."""
        reply = self.ask(method, path, json.dumps(body) if body else None)
        assert reply.status in (200, 202), reply.body
        return reply.headers["X-Jobid"] if reply.status == 202 else reply.value

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        to_host: str | None = None,
    ) -> Reply:
        """Send exactly this; without `headers`, what the `l0` command sends. `to_host` is what a rebound name would send."""
        if headers is None:
            headers = {"Authorization": f"Basic {self.token}"} | (
                {"Content-Type": "application/json"} if body else {}
            )
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=to_host is not None, skip_accept_encoding=True)
            if to_host is not None:
                connection.putheader("Host", to_host)
            for name, value in headers.items():
                if name.lower() not in ("host", "content-length"):
                    connection.putheader(name, value)
            content = (body or "").encode()
            if content:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()


@contextlib.contextmanager
def serve(
    containers: Containers, *, folder: Path | None = None, keep: bool = False, **more: Any
) -> Iterator[Served]:
    """Serve until the block ends; `keep` leaves containers for the next server on the folder."""
    loop = asyncio.new_event_loop()
    passing = tempfile.TemporaryDirectory(prefix="layer0-")

    async def start() -> Layer0Sandbox:
        made = Layer0Sandbox(
            containers, authorization_token=TOKEN, folder=folder or Path(passing.name), **more
        )
        made.listen()
        return made

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        with in_quick_rounds():
            yield Served(server.url)
    finally:
        try:
            asyncio.run_coroutine_threadsafe(server.close(remove=not keep), loop).result(30)
        finally:
            # Even if closing fails, no thread may be left that would keep the whole test run from ending.
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            passing.cleanup()
