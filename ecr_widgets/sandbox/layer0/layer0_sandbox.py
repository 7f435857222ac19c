"""The Layer0 server on its port."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
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
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.certificates import Certificates
from ecr_widgets.sandbox.workloads.containers import Containers
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

VERSION = "v0.12.6"
"""The release that this server follows."""


class Layer0Sandbox:
    """Layer0's API on 127.0.0.1.

    Args:
        containers: The engine's.

        authorization_token: What comes after `Basic ` in requests.

        folder: Keeps the state over a restart of the server; None keeps nothing.

        version: What the `Version` header says; the `l0` command wants its own.

        seeded: Names of environments that exist from the start, beside `api`.

        journal: Told of each change, without secrets.
    """

    def __init__(
        self,
        containers: Containers,
        *,
        authorization_token: str,
        folder: Path | None = None,
        version: str = VERSION,
        seeded: Sequence[str] = ("demo",),
        journal: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.url = ""
        self._containers = containers
        self._store = Store(folder)
        self._passing = Path(tempfile.mkdtemp(prefix="layer0-")) if folder is None else None
        self._scheduler = Scheduler(self._store, containers, front="layer0")
        certificates = Certificates((folder or self._passing or Path()) / "certificates")
        self._balancers = Balancers(self._store, certificates)
        self._scheduler.is_served = self._balancers.serves
        self._beginning: asyncio.Task[None] | None = None
        world = World(self._store, self._scheduler, containers, self._balancers, Shapes(self._store), version)
        if not self._store.is_new:
            world.end_interrupted()
        if self._store.is_new:
            admin.add_api(world)
            for name in seeded:
                environments.add(
                    world, Environment(entity_id(name), name, min_count=1, max_count=1, seeded=True)
                )
        application = tornado.web.Application(
            [(r".*", Api)],
            world=world,
            token=authorization_token,
            journal=journal or (lambda _: None),
            own_host=lambda: self.url.removeprefix("http://"),
            log_function=lambda _: None,
        )
        self._server = tornado.httpserver.HTTPServer(application, max_body_size=16 << 20)

    def listen(self, port: int = 0) -> None:
        """Take up the port on the running loop; 0 chooses, and so does one that is taken."""
        (bound,) = bind_or_any(port)
        self._server.add_sockets([bound])
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._scheduler.begin()
        self._beginning = asyncio.create_task(self._balancers.begin())

    async def close(self, *, remove: bool = True) -> None:
        """Stop answering.

        Args:
            remove: Whether containers go, too; else a new server on the same folder takes them up.
        """
        self._server.stop()
        if self._beginning is not None:
            self._beginning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beginning
        await self._balancers.close()
        await self._scheduler.close()
        if remove:
            await asyncio.to_thread(self._containers.remove_all)
        await self._server.close_all_connections()
        self._containers.close()
        self._store.close()
        if self._passing is not None:
            shutil.rmtree(self._passing, ignore_errors=True)
