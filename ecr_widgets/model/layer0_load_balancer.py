"""Load balancers as the kit uses them, with what AWS would refuse checked before anything is created."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ecr_widgets.errors import InputError

PROTOCOLS = ("TCP", "SSL", "HTTP", "HTTPS")
_TARGET = re.compile(r"(?:(TCP|SSL):(\d{1,5})|(HTTP|HTTPS):(\d{1,5})/\S*)", re.ASCII)
_PORT = re.compile(r"(\d{1,5}):(\d{1,5})(?:/([A-Za-z]+))?", re.ASCII)
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Port:
    """One listener.

    Args:
        host_port: Port that the balancer listens on.

        container_port: Port on the host instance: a Dockerrun's hostPort, not its containerPort.

        protocol: TCP, SSL, HTTP or HTTPS.

        certificate: Name or ARN; required for SSL and HTTPS.

        certificate_arn: Reported by a server along with the name; not needed in a request.
    """

    host_port: int
    container_port: int
    protocol: str = "TCP"
    certificate: str = ""
    certificate_arn: str = ""

    def is_same_as(self, wanted: Port) -> bool:
        """Whether this listener, as a server reports it, is the wanted one, whose certificate is given by name or ARN."""
        return (self.host_port, self.container_port, self.protocol) == (
            wanted.host_port,
            wanted.container_port,
            wanted.protocol,
        ) and wanted.certificate in (self.certificate, self.certificate_arn)

    @classmethod
    def parse(cls, text: str, *, certificate: str = "") -> Port:
        """Parse `HOST:CONTAINER/PROTOCOL`; the protocol is TCP by default.

        Raises:
            InputError: Not in this form.
        """
        match = _PORT.fullmatch(text)
        if match is None:
            raise InputError(
                f"port {text!r} refused", hint="write HOST:CONTAINER/PROTOCOL, such as 80:8080/http"
            )
        protocol = (match[3] or "TCP").upper()
        shown = certificate if protocol in ("SSL", "HTTPS") else ""
        return cls(int(match[1]), int(match[2]), protocol, shown)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a balancer checks its targets; interval and timeout in seconds."""

    target: str = "TCP:80"
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A Layer0 load balancer."""

    load_balancer_id: str
    name: str
    environment_id: str
    url: str
    is_public: bool
    ports: tuple[Port, ...]
    health_check: HealthCheck
    idle_timeout: int
    cross_zone: bool
    service_id: str | None


def are_same_ports(current: Iterable[Port], wanted: Iterable[Port]) -> bool:
    """Whether a balancer's listeners, as a server reports them, are the wanted ones, in any order."""
    have, want = (sorted(each, key=lambda port: port.host_port) for each in (current, wanted))
    return len(have) == len(want) and all(map(Port.is_same_as, have, want))


def check_ports(ports: Iterable[Port]) -> tuple[Port, ...]:
    """Return the ports if AWS accepts them.

    Raises:
        InputError: AWS would refuse a number, protocol or certificate, or a host port is given twice.
    """
    given = tuple(ports)
    for port in given:
        if port.protocol not in PROTOCOLS:
            raise InputError(
                f"protocol {port.protocol!r} refused", hint=f"use one of {', '.join(PROTOCOLS)}, in capitals"
            )
        for number in (port.host_port, port.container_port):
            if not 1 <= number <= _LARGEST_PORT:
                raise InputError(f"port {number} refused", hint=f"ports go from 1 to {_LARGEST_PORT}")
        if port.protocol in ("SSL", "HTTPS") and not port.certificate:
            raise InputError(
                f"port {port.host_port} speaks {port.protocol} without a certificate",
                hint="name one, or give its ARN",
            )
    numbers = [port.host_port for port in given]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise InputError(f"port {twice[0]} is given twice", hint="a balancer listens on each port once")
    return given


def check_health_check(check: HealthCheck) -> HealthCheck:
    """Return the health check if it is complete and AWS accepts it.

    Raises:
        InputError: AWS would refuse the target or a number, with the balancer already half created.
    """
    match = _TARGET.fullmatch(check.target)
    if match is None or not 1 <= int(match[2] or match[4]) <= _LARGEST_PORT:
        raise InputError(
            f"health check target {check.target!r} refused",
            hint="write TCP:80 or SSL:443, or with a path HTTP:80/health or HTTPS:443/health",
        )
    for word, value, least, most in (
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, 60),
        ("healthy threshold", check.healthy_threshold, 2, 10),
        ("unhealthy threshold", check.unhealthy_threshold, 2, 10),
    ):
        if not least <= value <= most:
            raise InputError(f"health check {word} {value} refused", hint=f"it goes from {least} to {most}")
    if check.timeout >= check.interval:
        raise InputError(
            f"health check timeout {check.timeout} refused", hint="it must be shorter than the interval"
        )
    return check


def check_idle_timeout(idle_s: int) -> int:
    """Return the idle timeout, in seconds, if AWS accepts it.

    Raises:
        InputError: Out of bounds.
    """
    if not 1 <= idle_s <= 4000:
        raise InputError(f"idle timeout {idle_s} refused", hint="it goes from 1 to 4000 seconds")
    return idle_s
