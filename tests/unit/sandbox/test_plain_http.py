"""A plain HTTP server also answers clients that start with TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import tornado.web

from ecr_widgets.sandbox.free_port import bind_or_any
from ecr_widgets.sandbox.plain_http import PlainHttpServer

T = TypeVar("T")


class _Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish("hello")


def asked(ask: Callable[[int], Awaitable[T]]) -> T:
    """Run a client against the server, whose port it is given, and return its result."""

    async def both() -> T:
        server = PlainHttpServer(tornado.web.Application([("/", _Hello)]))
        (bound,) = bind_or_any(0)
        server.add_sockets([bound])
        try:
            return await ask(bound.getsockname()[1])
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(both())


async def sent(port: int, *pieces: bytes) -> bytes:
    """Send the pieces one by one and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    try:
        return await reader.read()
    finally:
        writer.close()


def test_a_request_in_plain_http_is_served() -> None:
    """A request in plain HTTP is served whole."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert asked(lambda port: sent(port, request)).endswith(b"hello")


def test_a_tls_client_hears_http() -> None:
    """A TLS client gets an answer that is recognizably not TLS, instead of a closed connection."""

    async def ask(port: int) -> None:
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())

    with pytest.raises(ssl.SSLError) as refused:
        asked(ask)
    assert refused.value.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"), refused.value
    assert not isinstance(refused.value, ssl.SSLEOFError)


@pytest.mark.parametrize("pieces", [[b"\x16"], [b"\x16\x03\x01", b"x" * 1000], [b"\x16" + b"x" * 200_000]])
def test_the_answer_to_tls_arrives_whole(pieces: list[bytes]) -> None:
    """The answer to a TLS hello arrives whole, however long the hello is and however it is split."""
    answer = asked(lambda port: sent(port, *pieces))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"plain HTTP" in body


def test_a_client_that_says_nothing_is_told_nothing() -> None:
    """A client that closes without sending anything gets no answer."""

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write_eof()
        try:
            return await reader.read()
        finally:
            writer.close()

    assert asked(ask) == b""
