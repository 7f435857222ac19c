"""A proxy on loopback before a registry that lets each request through, or does to it what a try asks for."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from tests.unit.adapters.scripted import http

TLS = b"\x16"


class Do(Enum):
    """What becomes of a request."""

    PASS = "passed on"
    RESET = "reset once the request is in"
    EOF = "closed without an answer"
    HALF_REQUEST = "half of it passed on, then cut"
    HALF_REPLY = "half of the reply, then cut"
    LOST_REPLY = "passed on, its reply swallowed"
    TWICE = "passed on twice, as by a balancer that lost patience; the second reply passed on"
    SLOW = "its reply comes in small pieces"
    NOTHING = "never answered"


@dataclass(frozen=True)
class Asked:
    """One request; header names in lower case."""

    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    at_s: float
    """By the monotonic clock, in seconds."""


Behaviour = Callable[[Asked], "Do | bytes"]
"""What to do, or the whole answer."""


@dataclass
class Proxy:
    """Where it listens, and what it was asked so far."""

    host: str
    asked: list[Asked] = field(default_factory=list)
    mended: threading.Event = field(default_factory=threading.Event)
    """Once set, lines that were dead are closed; the engine waits for them, and lets nobody else send the same layer."""


@contextmanager
def proxy(upstream: str, behave: Behaviour) -> Iterator[Proxy]:
    """Stand before a registry that speaks plain HTTP at `host:port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Proxy(f"127.0.0.1:{listener.getsockname()[1]}")
    lock = threading.Lock()

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError, ValueError):
            read = _read_head(line)
            if read is None:
                return
            head, rest = read
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
            }
            method, target, _ = first.split(" ")
            body = _read_body(line, headers, rest)
            with lock:
                asked = Asked(len(made.asked) + 1, method, target, headers, time.monotonic())
                made.asked.append(asked)
            what = behave(asked)
            kept = [each for each in lines if not each.lower().startswith(("connection:", "expect:"))]
            request = "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1") + body
            _act(what, line, request, upstream, made.mended)

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(line,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield made
    finally:
        made.mended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def kth(number: int, what: Do | bytes) -> Behaviour:
    """Do it to one request, counted from 1, and let all others through."""
    return lambda asked: what if asked.number == number else Do.PASS


def refused(status: int, *, after_s: int | None = None) -> bytes:
    """An answer as load balancers give it: no JSON, perhaps with `Retry-After` in seconds."""
    more = {} if after_s is None else {"Retry-After": str(after_s)}
    return http(status, b"<html>not now</html>", label="text/html", more=more)


def _act(
    what: Do | bytes, line: socket.socket, request: bytes, upstream: str, mended: threading.Event
) -> None:
    if isinstance(what, bytes):
        line.sendall(what)
        return
    if what is Do.RESET:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if what in (Do.RESET, Do.EOF):
        return
    if what is Do.NOTHING:
        mended.wait(300)
        return
    if what is Do.HALF_REQUEST:
        _exchange(upstream, request[: len(request) // 2], whole=False)
        return
    reply = _exchange(upstream, request)
    if what is Do.TWICE:
        reply = _exchange(upstream, request)
    if what is Do.LOST_REPLY:
        return
    if what is Do.HALF_REPLY:
        line.sendall(reply[: len(reply) // 2])
    elif what is Do.SLOW:
        for start in range(0, len(reply), 100):
            line.sendall(reply[start : start + 100])
            mended.wait(0.05)
    else:
        line.sendall(reply)


def _exchange(upstream: str, request: bytes, *, whole: bool = True) -> bytes:
    host, _, port = upstream.rpartition(":")
    reply = b""
    with socket.create_connection((host, int(port)), timeout=60) as up:
        up.sendall(request)
        while whole and (more := up.recv(65536)):
            reply += more
    return reply


def _read_head(line: socket.socket) -> tuple[bytes, bytes] | None:
    received = b""
    while b"\r\n\r\n" not in received:
        more = line.recv(65536)
        # A client that tries TLS first hears at once that there is none.
        if not more or (received + more).startswith(TLS):
            return None
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def _read_body(line: socket.socket, headers: Mapping[str, str], body: bytes) -> bytes:
    def more() -> bytes:
        got = line.recv(1 << 20)
        if not got:
            raise ValueError("the request ended early")
        return got

    if headers.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += more()
    if headers.get("expect", "").lower() == "100-continue":
        line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(headers.get("content-length", 0)):
        body += more()
    return body
