"""A plain HTTP server that answers clients that start with TLS in plain text, so that they retry without it.

On loopback, Docker's graph drivers fall back to plain HTTP after any failure. containerd, and all that is built on it, do so
only after an HTTP response: a closed or reset connection counts as a registry that is down.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import tornado.httpserver
import tornado.iostream

_TLS_HANDSHAKE = b"\x16"
_FIRST_BYTE_TIMEOUT_S = 30.0
_GOODBYE_TIMEOUT_S = 5.0
_TEXT = b"This server speaks plain HTTP: ask again with http:// in place of https://\n"
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
    % (
        len(_TEXT),
        _TEXT,
    )
)


class PlainHttpServer(tornado.httpserver.HTTPServer):
    """tornado's server, which by itself would wait for the end of a TLS hello as if it were a request."""

    tls_hellos = 0
    """How many clients have started with TLS."""

    def handle_stream(self, stream: tornado.iostream.IOStream, address: Any) -> None:
        asyncio.get_running_loop().create_task(self._look(stream, address))

    async def _look(self, stream: tornado.iostream.IOStream, address: Any) -> None:
        first = await _peek(stream.socket)
        if first not in (b"", _TLS_HANDSHAKE):
            super().handle_stream(stream, address)
            return
        with contextlib.suppress(tornado.iostream.StreamClosedError, TimeoutError, OSError):
            if first:
                self.tls_hellos += 1
                await _refuse_tls(stream)
        stream.close()


async def _refuse_tls(stream: tornado.iostream.IOStream) -> None:
    await stream.write(_ANSWER)
    stream.socket.shutdown(socket.SHUT_WR)
    # Closing while bytes of the hello are unread would reset the connection, and the answer could be lost.
    async with asyncio.timeout(_GOODBYE_TIMEOUT_S):
        while True:
            await stream.read_bytes(65536, partial=True)


async def _peek(connection: socket.socket) -> bytes:
    """The first byte that a client sends, without consuming it; empty if none arrives."""
    peek = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    peek.setblocking(False)  # noqa: FBT003 -- the standard library takes it by position
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(peek.fileno(), readable.set)
    try:
        await asyncio.wait_for(readable.wait(), _FIRST_BYTE_TIMEOUT_S)
        return peek.recv(1, socket.MSG_PEEK)
    except (TimeoutError, OSError):
        return b""
    finally:
        loop.remove_reader(peek.fileno())
        peek.close()
