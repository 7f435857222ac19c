"""The Layer0 server on its port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.web

from ecr_widgets.sandbox.free_port import bind_or_any
from ecr_widgets.sandbox.layer0.entities import Environment
from ecr_widgets.sandbox.layer0.handler import Api
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.logic import admin, environments
from ecr_widgets.sandbox.layer0.logic.world import World
from ecr_widgets.sandbox.layer0.store import Store
from ecr_widgets.sandbox.layer0.wire import Shapes
from ecr_widgets.sandbox.state import DEFAULT_LAYER0_VERSION
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.certificates import Certificates
from ecr_widgets.sandbox.workloads.containers import Containers
from ecr_widgets.sandbox.workloads.rules import Rules
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

_SEEDED = "demo"
"""Name of the environment that exists from the start, in addition to `api`."""


class _Rules(Rules):
    def __init__(self, balancers: Balancers) -> None:
        self.is_served = balancers.serves  # type: ignore[method-assign]


class Layer0Sandbox:
    """Layer0's API on 127.0.0.1.

    Args:
        containers: The engine's containers.

        authorization_token: What comes after `Basic ` in requests.

        folder: Keeps the state across a restart of the server.

        version: The version in the `Version` header; the `l0` command accepts only its own.

        journal: Called with each change, without secrets.
    """

    def __init__(
        self,
        containers: Containers,
        *,
        authorization_token: str,
        folder: Path,
        version: str = DEFAULT_LAYER0_VERSION,
        journal: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self.url = ""
        self._containers = containers
        self._store = Store(folder)
        self._balancers = Balancers(self._store, Certificates(folder / "certificates"))
        self._scheduler = Scheduler(self._store, containers, front="layer0", rules=_Rules(self._balancers))
        shapes = Shapes(self._store)
        world = World(self._store, self._scheduler, containers, self._balancers, shapes, version)
        self.world = world
        if self._store.is_new:
            admin.add_api(world)
            environments.add(
                world, Environment(entity_id(_SEEDED), _SEEDED, min_count=1, max_count=1, seeded=True)
            )
        else:
            world.end_interrupted()
        application = tornado.web.Application(
            [(r".*", Api)],
            world=world,
            token=authorization_token,
            journal=journal,
            own_host=lambda: self.url.removeprefix("http://"),
            log_function=lambda _: None,
        )
        self._server = tornado.httpserver.HTTPServer(application, max_body_size=16 << 20)

    def listen(self, port: int = 0) -> None:
        """Listen on the port on the running loop; a port that is 0 or taken is replaced by a free one."""
        (bound,) = bind_or_any(port)
        self._server.add_sockets([bound])
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._scheduler.begin()
        self._balancers.begin()

    async def close(self, *, remove: bool = True) -> None:
        """Stop answering.

        Args:
            remove: Whether to remove the containers; otherwise a new server on the same folder takes over.
        """
        self._server.stop()
        await self._balancers.close()
        await self._scheduler.close()
        if remove:
            await asyncio.to_thread(self._containers.remove_all)
        await self._server.close_all_connections()
        self._containers.close()
        self._store.close()
