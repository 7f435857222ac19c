"""The Layer0 server on its port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

from ecr_widgets.sandbox.layer0.engine import Containers
from ecr_widgets.sandbox.layer0.logic import Logic
from ecr_widgets.sandbox.layer0.routes import Api, routes
from ecr_widgets.sandbox.layer0.scheduler import Scheduler
from ecr_widgets.sandbox.layer0.store import Environment, Store, entity_id


class Layer0Sandbox:
    """Layer0's API on 127.0.0.1; environment `demo` stands from the start.

    Args:
        docker_base_url: The engine; None looks in the usual places.

        authorization_token: What comes after `Basic ` in requests.

        version: What the `Version` header says; the `l0` command wants its own.

        pull_authorization: User and password for a registry host, or None.

        label: `name=value`, marks this server's containers on the engine.

        journal: Told of each change, without secrets.
    """

    def __init__(
        self,
        *,
        docker_base_url: str | None,
        authorization_token: str,
        version: str = "v0.12.6",
        pull_authorization: Callable[[str], tuple[str, str] | None] = lambda _: None,
        label: str = "ecr-widgets.layer0=1",
        journal: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.url = ""
        store = Store()
        demo = Environment(entity_id("demo"), "demo")
        store.environments[demo.environment_id] = demo
        self._containers = Containers(docker_base_url, label=label, pull_authorization=pull_authorization)
        self._scheduler = Scheduler(store, self._containers)
        application = tornado.web.Application(
            [(r".*", Api)],
            routes=routes(Logic(store, self._scheduler, self._containers), version),
            version=version,
            token=authorization_token,
            journal=journal or (lambda _: None),
            log_function=lambda _: None,
        )
        self._server = tornado.httpserver.HTTPServer(application, max_body_size=16 << 20)

    def listen(self, port: int = 0) -> None:
        """Take up the port on the running loop; 0 chooses."""
        (bound,) = tornado.netutil.bind_sockets(port, "127.0.0.1", family=socket.AF_INET)
        self._server.add_sockets([bound])
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._scheduler.begin()

    async def close(self) -> None:
        """Stop answering and remove all containers."""
        self._server.stop()
        await self._scheduler.close()
        await asyncio.to_thread(self._containers.remove_all)
        await self._server.close_all_connections()
        self._containers.close()
