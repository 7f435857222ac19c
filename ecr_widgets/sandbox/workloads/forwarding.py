"""How a load balancer forwards a connection: byte for byte, or as an HTTP request with additional headers."""

from __future__ import annotations

import asyncio
import contextlib

_CHUNK_BYTES = 64 * 1024
_CAPACITY = (
    b"HTTP/1.1 503 Service Unavailable: Back-end server is at capacity\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
_TIMEOUT = b"HTTP/1.1 504 GATEWAY_TIMEOUT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OWN_HEADERS = (b"connection", b"x-forwarded-proto", b"x-forwarded-port")


async def forward_stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int, *, idle_s: float
) -> None:
    """Forward bytes both ways until the target closes, or nothing arrives for `idle_s` seconds."""
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", target)
    try:
        await _both_ways(reader, writer, back_reader, back_writer, idle_s=idle_s)
    finally:
        back_writer.transport.abort()


async def forward_http(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: int,
    *,
    idle_s: float,
    scheme: str,
    host_port: int,
) -> None:
    """Forward one request with `X-Forwarded-…` headers, and its answer back; then the connection ends."""
    try:
        async with asyncio.timeout(idle_s):
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return
    peer = writer.get_extra_info("peername")
    try:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.write(_BAD_GATEWAY)
        await writer.drain()
        return
    try:
        back_writer.write(_with_forwarded(head, peer[0] if peer else "", scheme, host_port))
        await back_writer.drain()
        failure = await _both_ways(reader, writer, back_reader, back_writer, idle_s=idle_s)
        if failure is not None:
            writer.write(failure)
            await writer.drain()
    finally:
        back_writer.transport.abort()


async def refuse_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle_s: float) -> None:
    """Answer that nothing is in service."""
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(idle_s):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(_CAPACITY)
        await writer.drain()


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    back_reader: asyncio.StreamReader,
    back_writer: asyncio.StreamWriter,
    *,
    idle_s: float,
) -> bytes | None:
    """Forward both ways; returns None if anything came back, else the error response for an HTTP client."""
    answered = ended = False
    loop = asyncio.get_running_loop()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        nonlocal answered
        while chunk := await source.read(_CHUNK_BYTES):
            idle.reschedule(loop.time() + idle_s)
            answered = answered or is_answer
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            with contextlib.suppress(OSError):
                sink.write_eof()

    there = asyncio.create_task(pump(reader, back_writer, is_answer=False))
    try:
        async with asyncio.timeout(idle_s) as idle:
            # Once the answer has ended there is nothing left to wait for; a client that has finished sending still reads.
            await pump(back_reader, writer, is_answer=True)
        ended = True
    except TimeoutError:
        pass
    except OSError:
        ended = True
    finally:
        there.cancel()
        await asyncio.gather(there, return_exceptions=True)
    if answered:
        return None
    return _BAD_GATEWAY if ended else _TIMEOUT


def _with_forwarded(head: bytes, peer: str, scheme: str, host_port: int) -> bytes:
    first, *lines = head[:-4].split(b"\r\n")
    before = [
        line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"x-forwarded-for:")
    ]
    kept = [
        line
        for line in lines
        if line.partition(b":")[0].strip().lower() not in (*_OWN_HEADERS, b"x-forwarded-for")
    ]
    chain = b", ".join((*before, peer.encode()))
    added = [
        b"X-Forwarded-For: " + chain,
        b"X-Forwarded-Proto: " + scheme.encode(),
        b"X-Forwarded-Port: " + str(host_port).encode(),
        b"Connection: close",
    ]
    return b"\r\n".join((first, *kept, *added)) + b"\r\n\r\n"
