"""Ports on 127.0.0.1 to listen on."""

from __future__ import annotations

import socket

import tornado.netutil


def bind_or_any(port: int) -> list[socket.socket]:
    """A socket listening on the port, or on any free one if it is 0 or another program has it."""
    try:
        return tornado.netutil.bind_sockets(port, "127.0.0.1", family=socket.AF_INET)
    except OSError:
        return tornado.netutil.bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
