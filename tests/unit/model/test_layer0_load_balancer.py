"""Load balancer settings that are refused before anything is created."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.layer0_load_balancer import (
    HealthCheck,
    Port,
    check_health_check,
    check_idle_timeout,
    check_ports,
)
from ecr_widgets.model.layer0_version import version_warning


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("80:8080", Port(80, 8080, "TCP")),
        ("80:8080/http", Port(80, 8080, "HTTP")),
        ("443:8080/https", Port(443, 8080, "HTTPS", "mine")),
    ],
)
def test_a_port_is_read_as_the_l0_command_writes_it(text: str, port: Port) -> None:
    """A port is read in the l0 command's form; only a TLS protocol keeps the certificate."""
    assert Port.parse(text, certificate="mine") == port


@pytest.mark.parametrize(
    "text", ["", "80", "80:", ":80", "80:80/", "80:80/http/x", "a:b", "-1:80", "８０:80"]
)
def test_a_port_that_is_written_otherwise_is_refused(text: str) -> None:
    """A port in another form is refused."""
    with pytest.raises(InputError):
        Port.parse(text)


@pytest.mark.parametrize(
    "ports",
    [
        [Port(0, 80)],
        [Port(80, 65536)],
        [Port(80, 80, "http")],
        [Port(80, 80, "UDP")],
        [Port(443, 80, "HTTPS")],
        [Port(443, 80, "SSL")],
        [Port(80, 80), Port(80, 81)],
    ],
)
def test_ports_that_aws_refuses_are_refused(ports: list[Port]) -> None:
    """Port numbers out of range, lower-case or unknown protocols, TLS without a certificate and double ports are refused."""
    with pytest.raises(InputError):
        check_ports(ports)


@pytest.mark.parametrize(
    "check",
    [
        HealthCheck(""),
        HealthCheck("HTTP:8500"),
        HealthCheck("TCP:80/path"),
        HealthCheck("TCP:0"),
        HealthCheck("TCP:70000"),
        HealthCheck("http:80/"),
        HealthCheck(interval=4),
        HealthCheck(interval=301),
        HealthCheck(timeout=1),
        HealthCheck(timeout=61, interval=300),
        HealthCheck(interval=10, timeout=10),
        HealthCheck(healthy_threshold=1),
        HealthCheck(unhealthy_threshold=11),
    ],
)
def test_a_health_check_that_aws_refuses_is_refused(check: HealthCheck) -> None:
    """A health check outside AWS's limits is refused."""
    with pytest.raises(InputError):
        check_health_check(check)


@pytest.mark.parametrize("check", [HealthCheck(), HealthCheck("HTTPS:443/health?x=1", 300, 60, 10, 10)])
def test_a_health_check_within_bounds_is_given_back(check: HealthCheck) -> None:
    """A health check at the limits is returned unchanged."""
    assert check_health_check(check) == check


@pytest.mark.parametrize(("idle_s", "good"), [(0, False), (1, True), (4000, True), (4001, False)])
def test_idle_timeouts_have_bounds(idle_s: int, *, good: bool) -> None:
    """An idle timeout is accepted from 1 to 4000 seconds."""
    if good:
        assert check_idle_timeout(idle_s) == idle_s
    else:
        with pytest.raises(InputError):
            check_idle_timeout(idle_s)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("v0.12.6", None),
        ("v0.10.4", None),
        ("v0.12.0-rc1", None),
        ("v0.10.3", "several copies"),
        ("v0.9.0", "cannot be created"),
        ("v0.12.11", "newer by its number"),
        ("v13.0.0", "newer by its number"),
        ("unset/developer", "is not a release"),
    ],
)
def test_versions_that_differ_are_warned_of(version: str, says: str | None) -> None:
    """A version that differs in a way that users should know has a warning; others have none."""
    warning = version_warning(version)
    assert warning is None if says is None else says in (warning or "")
