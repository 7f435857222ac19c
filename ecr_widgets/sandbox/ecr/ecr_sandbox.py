"""The API and the registry on their ports, on the event loop of the sandbox's one process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.web
import tornado.wsgi

from ecr_widgets.sandbox.ecr.blobs import Blobs
from ecr_widgets.sandbox.ecr.call_log import Call, CallLog
from ecr_widgets.sandbox.ecr.door import SERVICES, Application, Door
from ecr_widgets.sandbox.ecr.signing import AccessKey
from ecr_widgets.sandbox.ecr.tokens import Tokens
from ecr_widgets.sandbox.free_port import bind_or_any
from ecr_widgets.sandbox.plain_http import PlainHttpServer
from ecr_widgets.sandbox.registry_reach import Heard

_LOG = logging.getLogger(__name__)
_TARGET = "AmazonEC2ContainerRegistry_V20150921"
_JSON = "application/x-amz-json-1.1"
_PULL = "BatchGetImage"
_CHANGES = ("Create", "Put", "Delete", "BatchDelete", "Set", "Tag", "Untag", "Start")


class EcrSandbox:
    """ECR and STS on one port, the registry on another; 127.0.0.1 only.

    Args:
        folder: Where everything is kept; a new EcrSandbox on the same folder resumes it.

        access_key: The key that requests to ECR and STS have to be signed with.

        token_lifetime_s: Lifetime of an authorization token, in seconds.

        journal: Called with each change, without secrets.
    """

    def __init__(
        self,
        folder: Path,
        *,
        access_key: AccessKey,
        account: str = "111222333444",
        region: str = "us-east-1",
        token_lifetime_s: float = 43200.0,
        journal: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:

        # moto reads the account from here once, when it is imported.
        os.environ["MOTO_ACCOUNT_ID"] = account
        from moto.ecr.models import ecr_backends
        from moto.moto_server.werkzeug_app import create_backend_app

        from ecr_widgets.sandbox.ecr import control_plane, oci_endpoint
        from ecr_widgets.sandbox.ecr.images import Images

        self.account, self.region = account, region
        self._journal = journal or (lambda _: None)
        self._tokens = Tokens(token_lifetime_s)
        self.registry_host = ""
        self.api_url = ""
        ecr_backends.reset()
        self._store = Images(account, region)
        control_plane.correct_moto(self._store, self._tokens, lambda: self.registry_host)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="aws-api")
        # One by one: moto's own server has all of AWS, its own admin API, and what runs containers for Batch.
        self._services: dict[str, Any] = {name: create_backend_app(name) for name in SERVICES}
        self._served = {name: self._recorded(application) for name, application in self._services.items()}
        door = Door(self._served, access_key, lambda: self.api_url.removeprefix("http://"))
        wsgi = tornado.wsgi.WSGIContainer(door, self._threads)
        self._api = tornado.httpserver.HTTPServer(wsgi, max_body_size=32 << 20)
        self._blobs = Blobs(folder)
        self._calls = CallLog(folder / "calls.jsonl")
        self._expected, self._arrived = "", False
        endpoint = oci_endpoint.application(
            self._store,
            self._blobs,
            self._tokens,
            journal=self._journal,
            calls=self._calls,
            own_host=lambda: self.registry_host,
        )
        endpoint.settings["log_function"] = self._note
        self._registry = PlainHttpServer(endpoint, chunk_size=1 << 20, max_buffer_size=64 << 20)

    def serve_also(self, services: Mapping[str, Application]) -> None:
        """Serve more of AWS's API at the same address, by the service names that requests are signed for."""
        self._served |= services

    def listen(self, api_port: int = 0, registry_port: int = 0) -> None:
        """Listen on both ports on the running loop; a port that is 0 or taken is replaced by a free one."""
        self.api_url = f"http://127.0.0.1:{_listen(self._api, api_port)}"
        self.registry_host = f"127.0.0.1:{_listen(self._registry, registry_port)}"
        self._repeat(self._calls.earlier)

    async def hear(self, repository: str, ask: Callable[[], str]) -> tuple[Heard, str]:
        """Watch what the registry receives of a request for a repository.

        Args:
            ask: Sends the request, called in a thread; returns the sender's message.
        """
        hellos, self._expected, self._arrived = self._registry.tls_hellos, repository, False
        words = await asyncio.to_thread(ask)
        if self._arrived:
            return Heard.REQUEST, words
        return (Heard.TLS if self._registry.tls_hellos > hellos else Heard.NOTHING), words

    def listen_also(self, listener: socket.socket) -> None:
        """Serve the registry on another socket as well, which may be in another network namespace."""
        self._registry.add_sockets([listener])

    def issue_login(self) -> dict[str, str]:
        """`username` and `password` to pull with, as an ECS execution role would get them."""
        return {"username": "AWS", "password": self._tokens.issue()[0]}

    async def close(self) -> None:
        """Stop answering."""
        for server in (self._api, self._registry):
            server.stop()
            await server.close_all_connections()
        # A call still in progress writes to the log, which is closed next.
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._calls.close()

    def _repeat(self, calls: Iterable[Call]) -> None:
        """Repeat calls, each with its original time."""
        client = self._services["ecr"].test_client()
        for call in calls:
            self._store.at_s = call.at_s
            headers = {"X-Amz-Target": f"{_TARGET}.{call.operation}", "Content-Type": _JSON}
            client.post("/", headers=headers, data=json.dumps(call.parameters))
        self._store.at_s = None
        for repository in self._store.backend.repositories.values():
            for image in repository.images:
                self._blobs.link(repository.name, json.loads(image.image_manifest))

    def _note(self, handler: tornado.web.RequestHandler) -> None:
        if self._expected and self._expected in handler.request.path:
            self._arrived = True

    def _recorded(self, application: Any) -> Any:
        def call(environ: dict[str, Any], start_response: Any) -> Any:
            operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
            parameters = environ["wsgi.input"].getvalue()

            def started(status: str, *more: Any) -> Any:
                if operation.startswith((*_CHANGES, _PULL)) and status.startswith("2"):
                    self._calls.add(operation, json.loads(parameters))
                if operation.startswith(_CHANGES):
                    self._journal({"server": "ecr", "operation": operation, "status": int(status[:3])})
                return start_response(status, *more)

            try:
                return application(environ, started)
            except NotImplementedError:
                # With a 500, clients would keep retrying.
                started("400 Bad Request", [("Content-Type", _JSON)])
                refused = {
                    "__type": "UnsupportedOperationException",
                    "message": f"{operation} is not in the sandbox",
                }
                return [json.dumps(refused).encode()]
            except Exception:  # noqa: BLE001 -- whatever it is, the client must hear of it
                # Left to the server, the request would never be answered, and the client would wait for its timeout.
                _LOG.exception("%s failed", operation)
                started("500 Internal Server Error", [("Content-Type", _JSON)])
                return [b'{"__type": "ServerException", "message": "the sandbox failed; see its log"}']

        return call


def _listen(server: tornado.httpserver.HTTPServer, port: int) -> int:
    (bound,) = bind_or_any(port)
    server.add_sockets([bound])
    chosen: int = bound.getsockname()[1]
    return chosen
