"""Ports on loopback for servers that must be given one."""

from __future__ import annotations

import os
import socket
from random import SystemRandom

_LANES = 8
_LANE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _LANES
_BELOW_EPHEMERAL = range(10_000 + _LANE, 32_000, _LANES)
"""The kernel gives connections none of these: no connection takes one before its server does, or connects to itself. Workers of
pytest have different ones: a server can take seconds to listen on what was free.
"""


def free_port() -> int:
    """A port that nobody listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    # Not the shared generator: Hypothesis seeds it, so all processes would try the same.
    ports = SystemRandom().sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL))
    free = (port for port in ports if _is_free(port))
    return [next(free) for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
