"""A network that only the browser is in: containers that come and go change the machine's, which a browser takes amiss.

Chromium drops every request that is under way when an interface's address comes or goes (ERR_NETWORK_CHANGED).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class PrivateNetwork:
    """A network namespace with a loopback of its own; the machine's own network where we may make none (not root)."""

    def __init__(self) -> None:
        self._there: int | None = None
        with _brought_back():
            if _libc.unshare(_CLONE_NEWNET) == 0:
                self._there = _this_network()
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    @property
    def own(self) -> bool:
        """Whether it is another network than the machine's."""
        return self._there is not None

    def inode(self) -> int | None:
        """What the kernel tells it from others by; None where it is the machine's."""
        return None if self._there is None else os.fstat(self._there).st_ino

    def close(self) -> None:
        """It goes with the last process in it."""
        if self._there is not None:
            os.close(self._there)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread starts meanwhile, processes and sockets, is in the network and stays in it."""
        with _brought_back():
            if self._there is not None:
                _enter(self._there)
            yield

    @contextmanager
    def published(self, port: int) -> Iterator[None]:
        """Who connects to that port of 127.0.0.1 in there reaches the machine's."""
        if self._there is None:
            yield
            return
        with self.entered():
            listener = socket.create_server(("127.0.0.1", port))
        relay = _Relay(listener, port)
        relay.start()
        try:
            yield
        finally:
            relay.stop()


class _Relay(Thread):
    """Passes on, byte by byte, what comes to a listener."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        super().__init__(daemon=True)
        self._listener, self._port = listener, port
        self._loop = asyncio.new_event_loop()
        self._ready = Event()

    def stop(self) -> None:
        """Cut off who is still connected."""
        self._ready.wait()
        self._loop.call_soon_threadsafe(self._stopped.set)
        self.join()

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        self._ready.set()
        server = await asyncio.start_server(self._pass_on, sock=self._listener)
        await self._stopped.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, asyncio.CancelledError):  # cut off
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def _brought_back() -> Iterator[None]:
    here = _this_network()
    left = os.fstat(here).st_ino
    try:
        yield
    finally:
        now = _this_network()
        if os.fstat(now).st_ino != left:
            _enter(here)
        os.close(now)
        os.close(here)


def _this_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _enter(network: int) -> None:
    if _libc.setns(network, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
