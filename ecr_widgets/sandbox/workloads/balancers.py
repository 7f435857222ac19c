"""Load balancers: each of their ports listens on 127.0.0.1, and forwards to the containers in service."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Iterator
from typing import Any

from ecr_widgets.sandbox.workloads.certificates import Certificates
from ecr_widgets.sandbox.workloads.forwarding import forward_http, forward_stream, refuse_http
from ecr_widgets.sandbox.workloads.health import Health, TargetState
from ecr_widgets.sandbox.workloads.records import Copy, LoadBalancer, Port, Records, Service, Status

_TICK_S = 0.2
_BACKLOG = 128


class Balancers:
    """All of a front's load balancers.

    Args:
        records: What says which service is behind which balancer.
    """

    def __init__(self, records: Records, certificates: Certificates) -> None:
        self._records = records
        self._certificates = certificates
        self._listening: dict[tuple[str, int], tuple[Port, asyncio.Server]] = {}
        self._health: dict[str, Health] = {}
        self._turn = itertools.count()
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self._loop: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Listen for every balancer."""
        self._loop = asyncio.create_task(self._run())

    async def listen(self, balancer: LoadBalancer) -> None:
        """Listen on exactly the balancer's current ports."""
        wanted = {port.host_port: port for port in balancer.ports}
        for key in [each for each in self._listening if each[0] == balancer.load_balancer_id]:
            port, server = self._listening[key]
            new = wanted.get(key[1])
            if new is None or _heard(new) != _heard(port):
                del self._listening[key]
                await _close(server)
            else:
                new.listening_port = port.listening_port
        for host_port, port in wanted.items():
            if (balancer.load_balancer_id, host_port) not in self._listening:
                await self._open(balancer, port)
        self._records.save_changes(balancer)

    async def stop(self, balancer: LoadBalancer) -> None:
        for key in [each for each in self._listening if each[0] == balancer.load_balancer_id]:
            await _close(self._listening.pop(key)[1])
        self._health.pop(balancer.load_balancer_id, None)

    async def close(self) -> None:
        """Stop all listening, and drop open connections."""
        if self._loop is not None:
            await _cancel(self._loop)
        for _, server in self._listening.values():
            await _close(server)
        for writer in self._connections.values():
            writer.transport.abort()
        for task in list(self._connections):
            await _cancel(task)
        await asyncio.sleep(0)  # lets aborted connections be closed

    def serves(self, service: Service, copy: Copy) -> bool:
        """Whether a copy is in service: always without a load balancer, else once it has passed its health checks."""
        return all(
            (health := self._health.get(balancer_id)) is not None and health.in_service(copy.copy_id)
            for balancer_id in self._records.load_balancers
            if service.is_behind(balancer_id)
        )

    def state(self, load_balancer_id: str, copy_id: str) -> TargetState | None:
        """The result of a copy's health checks; None if it was not checked."""
        health = self._health.get(load_balancer_id)
        return health.states.get(copy_id) if health is not None else None

    def addresses(self) -> dict[str, dict[str, str]]:
        """Where the balancers listen: a map from host port to address, by balancer id."""
        addresses: dict[str, dict[str, str]] = {}
        for (balancer_id, host_port), (port, _) in self._listening.items():
            addresses.setdefault(balancer_id, {})[str(host_port)] = f"127.0.0.1:{port.listening_port}"
        return addresses

    async def _open(self, balancer: LoadBalancer, port: Port) -> None:
        listener = _bind(port.host_port, port.listening_port)
        port.listening_port = listener.getsockname()[1]
        protocol = port.protocol.upper()
        context = None
        if protocol in ("SSL", "HTTPS"):
            context = await asyncio.to_thread(
                self._certificates.context, port.certificate_name, port.certificate_arn
            )

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections[task] = writer
            try:
                await self._forward(balancer.load_balancer_id, port, protocol, reader, writer)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                pass  # either side went away
            except asyncio.CancelledError:
                pass  # only `close` cancels; asyncio would report it as an error in the callback
            finally:
                self._connections.pop(task, None)
                writer.close()

        server = await asyncio.start_server(connected, sock=listener, ssl=context, backlog=_BACKLOG)
        self._listening[balancer.load_balancer_id, port.host_port] = (port, server)

    async def _forward(
        self,
        balancer_id: str,
        port: Port,
        protocol: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        balancer = self._records.load_balancers.get(balancer_id)
        if balancer is None:
            return  # deleted just now
        speaks_http = protocol in ("HTTP", "HTTPS")
        target = self._choose(balancer, port)
        if target is None:
            if speaks_http:
                await refuse_http(reader, writer, idle_s=balancer.idle_timeout)
            return
        if speaks_http:
            await forward_http(
                reader,
                writer,
                target,
                idle_s=balancer.idle_timeout,
                scheme=protocol.lower(),
                host_port=port.host_port,
            )
        else:
            await forward_stream(reader, writer, target, idle_s=balancer.idle_timeout)

    def _choose(self, balancer: LoadBalancer, port: Port) -> int | None:
        health = self._health.get(balancer.load_balancer_id)
        able = [
            ports[port.container_port]
            for copy_id, ports in self._targets(balancer)
            if port.container_port in ports and health is not None and health.in_service(copy_id)
        ]
        return able[next(self._turn) % len(able)] if able else None

    def _targets(self, balancer: LoadBalancer) -> Iterator[tuple[str, dict[int, int]]]:
        for service in self._records.services.values():
            if service.is_behind(balancer.load_balancer_id):
                for copy in service.copies_alive:
                    if copy.status == Status.RUNNING:
                        yield copy.copy_id, {k: v for each in copy.containers for k, v in each.ports.items()}

    async def _run(self) -> None:
        for balancer in list(self._records.load_balancers.values()):
            await self.listen(balancer)
        while True:
            await asyncio.sleep(_TICK_S)
            for balancer in list(self._records.load_balancers.values()):
                targets = dict(self._targets(balancer))
                health = self._health.setdefault(balancer.load_balancer_id, Health())
                if targets or health.states:
                    await health.run_due(balancer.health_check, targets, balancer.success_codes)


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _close(server: asyncio.Server) -> None:
    # asyncio leaks a connection accepted just as its server closes: accept no more, and let the last ones in first.
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    await asyncio.sleep(0)
    server.close()


def _heard(port: Port) -> tuple[str, str, str]:
    return port.protocol.upper(), port.certificate_name, port.certificate_arn


def _bind(host_port: int, listened_before: int) -> socket.socket:
    # The requested port if it is free on this machine, else the one from before a restart, else any.
    for number in (host_port, listened_before, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no port of 127.0.0.1 is free")
