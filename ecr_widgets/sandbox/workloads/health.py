"""A load balancer's health checks, which decide what copies get connections."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from ecr_widgets.sandbox.workloads.records import HealthCheck

_TARGET = re.compile(r"(?P<protocol>TCP|SSL|HTTP|HTTPS):(?P<port>\d{1,5})(?P<path>/.*)?", re.IGNORECASE)
_FIRST_CHECKS_S = 0.2
"""Interval between the checks of a new copy: a real balancer uses its configured interval, a sandbox need not wait."""


@dataclass
class TargetState:
    """The result of one copy's checks."""

    in_service: bool = False
    good: int = 0
    bad: int = 0
    next_at_s: float = 0.0
    new: bool = True

    def take(self, check: HealthCheck, *, passed: bool, at_s: float) -> None:
        """Count one result; a new copy goes into service as soon as it meets the threshold."""
        self.good, self.bad = (self.good + 1, 0) if passed else (0, self.bad + 1)
        if self.good >= check.healthy_threshold:
            self.in_service, self.new = True, False
        elif self.bad >= check.unhealthy_threshold and not self.new:
            self.in_service = False
        self.next_at_s = at_s + (_FIRST_CHECKS_S if self.new else check.interval)


@dataclass
class Health:
    """The state of each of a balancer's copies."""

    states: dict[str, TargetState] = field(default_factory=dict)

    async def run_due(
        self, check: HealthCheck, targets: Mapping[str, Mapping[int, int]], success_codes: str = "200"
    ) -> None:
        """Check the copies that are due; `targets` has each copy's ports on 127.0.0.1 by instance port."""
        for gone in self.states.keys() - targets.keys():
            del self.states[gone]
        at_s = asyncio.get_running_loop().time()
        due = [each for each in targets if self.states.setdefault(each, TargetState()).next_at_s <= at_s]
        results = await asyncio.gather(*(passes(check, targets[each], success_codes) for each in due))
        for each, passed in zip(due, results, strict=True):
            if each in self.states:
                self.states[each].take(check, passed=passed, at_s=at_s)

    def in_service(self, copy_id: str) -> bool:
        """Whether a copy gets connections."""
        state = self.states.get(copy_id)
        return state is not None and state.in_service


async def passes(check: HealthCheck, ports: Mapping[int, int], success_codes: str = "200") -> bool:
    """Check one copy once."""
    match = _TARGET.fullmatch(check.target)
    port = ports.get(int(match["port"])) if match is not None else None
    if match is None or port is None:
        return False
    try:
        async with asyncio.timeout(max(check.timeout, 1)):
            return await _ask(match["protocol"].upper(), port, match["path"] or "/", success_codes)
    except (OSError, TimeoutError, ValueError):
        return False


def is_success(status: str, codes: str) -> bool:
    """Whether an HTTP status is in a list such as `200,302` or `200-399`."""
    for each in codes.split(","):
        first, _, last = each.strip().partition("-")
        if status.isdigit() and first.isdigit() and int(first) <= int(status) <= int(last or first):
            return True
    return False


async def _ask(protocol: str, port: int, path: str, success_codes: str) -> bool:
    context = None
    if protocol in ("SSL", "HTTPS"):
        # A real balancer does not verify its targets' certificates either.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        if protocol in ("HTTP", "HTTPS"):
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: ELB-HealthChecker/1.0\r\n"
                "Accept: */*\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
            status_line = (await reader.readline()).split()
            return len(status_line) > 1 and is_success(status_line[1].decode("latin-1"), success_codes)
        # Docker's proxy accepts even if nothing listens in the container, and then closes immediately.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                return await reader.read(1) != b""
        return True
    finally:
        writer.transport.abort()
