"""A loopback server that sends exactly the bytes a test gives it, and records its requests."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

RESET = b"<reset>"
"""No answer: the connection is reset once the request has arrived."""


@dataclass(frozen=True)
class Request:
    """One request as received; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Request], bytes]


@dataclass
class Scripted:
    """The server's address and its requests so far."""

    host: str
    asked: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}"


@contextmanager
def answering(*answers: bytes | Answer) -> Iterator[Scripted]:
    """Answer each connection with the next answer, and repeat the last one."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(f"127.0.0.1:{listener.getsockname()[1]}")
    left = list(answers)

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            # The client may give up at any byte.
            with line, suppress(OSError):
                request = _read(line)
                if request is None:
                    continue
                server.asked.append(request)
                answer = left.pop(0) if len(left) > 1 else left[0]
                said = answer if isinstance(answer, bytes) else answer(request)
                if said == RESET:
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                line.sendall(said)
                # Closed only after the client has read everything, so that a reset loses nothing.
                line.shutdown(socket.SHUT_WR)
                while line.recv(65536):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def http(
    status: int,
    body: bytes = b"",
    *,
    label: str = "application/json",
    length: int | None = None,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Build a complete response; a `length` longer than the body promises more than is sent."""
    headers = {
        "Content-Type": label,
        "Content-Length": str(len(body) if length is None else length),
        "Connection": "close",
        **(more or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + body


def chunked(*chunks: bytes, ended: bool = True) -> bytes:
    """Build a chunked stream, as the Docker Engine sends its events."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    parts = [f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks]
    return head + b"".join(parts) + (b"0\r\n\r\n" if ended else b"")


def _read(line: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        more = line.recv(65536)
        if not more:
            return None
        received += more
        if received.startswith(b"\x16"):
            # A TLS handshake; a plain server rejects it immediately.
            return Request("TLS", "", {}, b"")
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65536)
    while headers.get("transfer-encoding") == "chunked" and not body.endswith(b"0\r\n\r\n"):
        body += line.recv(65536)
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_chunks(body))
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


def _chunks(body: bytes) -> Iterator[bytes]:
    while body:
        length, _, body = body.partition(b"\r\n")
        size = int(length, 16)
        yield body[:size]
        body = body[size + 2 :]
