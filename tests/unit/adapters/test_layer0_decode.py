"""Layer0's answers as values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.errors import EcrWidgetsError, Layer0Unavailable
from ecr_widgets.model.layer0_load_balancer import Port, are_same_ports
from tests.unit.adapters.odd_members import with_odd_members

ZERO = datetime(1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("2026-11-23T12:00:00.1Z", datetime(2026, 11, 23, 12, 0, 0, 100000, tzinfo=UTC)),
        ("2026-11-23T12:00:00.123Z", datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)),
        ("2026-11-23T12:00:00.1234567Z", datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-23T12:00:00.123456789Z", datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-23T12:00:00.5+02:00", datetime(2026, 11, 23, 10, 0, 0, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", ZERO),
        ("0001-01-01T00:00:00+05:00", ZERO),
        ("yesterday", ZERO),
        ("2026-11-23T12:00:00", ZERO),
        (None, ZERO),
        (17, ZERO),
    ],
)
def test_times_have_any_number_of_digits(text: object, moment: datetime) -> None:
    """Times have 0 to 9 digits of a second, as Go writes them; an invalid time is Go's zero time."""
    service = decode.service({"service_id": "x", "deployments": [{"created": text}]})
    assert service.deployments[0].created_at == moment


def test_every_field_is_optional() -> None:
    """A missing or null field has its zero value and an unknown one is ignored, since releases differ."""
    for nothing in ({}, {"running_count": None, "deployments": None, "unknown": [1]}):
        service = decode.service(nothing)
        assert (service.name, service.running_count, service.deployments) == ("", 0, ())
        assert service.load_balancer_id is None
    task = decode.task({})
    assert (task.task_id, task.containers, task.is_stopped) == ("", (), True)
    assert decode.deploy({}).dockerrun is None
    assert decode.logs(None) == ()


def test_reasons_are_told_where_the_server_tells_them() -> None:
    """Events and stop reasons are read from servers that have them; if missing or malformed, there are none."""
    told = {"events": ["started"], "stopped_reasons": ["exit code 3"]}
    service = decode.service({"deployments": [told, {}, {"events": "started", "stopped_reasons": 7}]})
    assert [(each.events, each.stopped_reasons) for each in service.deployments] == [
        (("started",), ("exit code 3",)),
        ((), ()),
        ((), ()),
    ]


def test_the_primary_deployment_is_told_from_older_ones() -> None:
    """The primary deployment is the one with that status, whatever its position."""
    service = decode.service(
        {"deployments": [{"status": "ACTIVE"}, {"status": "PRIMARY", "deploy_id": "a.2"}]}
    )
    assert service.primary is not None
    assert service.primary.deploy_id == "a.2"


@pytest.mark.parametrize(("status", "code"), [("RUNNING", None), ("PENDING", None), ("STOPPED", 0)])
def test_an_exit_code_counts_once_stopped(status: str, code: int | None) -> None:
    """A container has an exit code only once it has stopped, since servers send 0 while it runs."""
    details = [{"container_name": "timeout", "exit_code": 0, "last_status": status}]
    assert decode.task({"copies": [{"details": details}]}).containers[0].exit_code == code


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("", 0), ("-1", 0), ("1.2", 0), ("٣", 0), ("latest", 0), ("9" * 5000, 0)],
)
def test_a_version_is_digits(text: str, number: int) -> None:
    """A version is a number in ASCII digits; anything else is 0."""
    assert decode.number_in(text) == number


def test_a_dockerrun_that_is_not_base64_is_none() -> None:
    """A deploy whose Dockerrun is not base64 is read without it."""
    assert decode.deploy({"deploy_id": "a.1", "dockerrun": "e30="}).dockerrun == b"{}"
    assert decode.deploy({"deploy_id": "a.1", "dockerrun": "é"}).dockerrun is None


@pytest.mark.parametrize("value", [None, 42, "text", [], {}, {"deploy_id": ""}, {"deploy_id": None}])
def test_an_entity_has_an_id(value: object) -> None:
    """An answer without the entity's id is an error, not an entity with zero values."""
    with pytest.raises(Layer0Unavailable):
        decode.entity(value, "deploy_id")


@pytest.mark.parametrize(
    ("copy_reason", "reasons", "codes"),
    [
        ("", ["CannotPullContainerError: no such image"], [None]),
        ("", ["CannotStartContainerError: exec: not found", ""], [None, 0]),
        ("CannotPullContainerError: no such image", ["", "CannotPullContainerError: x"], [0, None]),
        ("ResourceInitializationError: no secret", ["", ""], [None, None]),
        ("Task failed to start", [""], [None]),
        ("Essential container in task exited", [""], [0]),
        ("", ["OutOfMemoryError: Container killed due to memory usage"], [0]),
        ("", ["CannotStopContainerError: still there"], [0]),
    ],
)
def test_a_container_that_never_ran_has_no_exit_code(
    copy_reason: str, reasons: list[str], codes: list[int | None]
) -> None:
    """The reason decides whether a stopped container has the exit code 0 or, as it never ran, none."""
    details = [{"exit_code": 0, "last_status": "STOPPED", "reason": reason} for reason in reasons]
    task = decode.task({"copies": [{"details": details, "reason": copy_reason}]})
    assert [each.exit_code for each in task.containers] == codes
    assert task.is_stopped


@pytest.mark.parametrize("wanted", ["web", "arn:aws:iam::1:server-certificate/web"])
def test_a_listener_has_its_certificates_name_and_arn(wanted: str) -> None:
    """A listener equals the requested one if either its certificate's name or its ARN matches."""
    told = {
        "host_port": 443,
        "container_port": 80,
        "protocol": "https",
        "certificate_name": "web",
        "certificate_arn": "arn:aws:iam::1:server-certificate/web",
    }
    standing = decode.load_balancer({"ports": [told]}).ports
    assert are_same_ports(standing, [Port(443, 80, "HTTPS", wanted)])
    assert not are_same_ports(standing, [Port(443, 80, "HTTPS", "other")])
    assert not are_same_ports(standing, [Port(443, 80, "HTTPS", wanted), Port(80, 80)])


def test_a_listener_that_is_told_by_its_arn_alone_is_known_by_it() -> None:
    """A listener without a certificate name, as with ACM, has its ARN as the certificate."""
    told = {"host_port": 443, "certificate_name": "", "certificate_arn": "arn:aws:acm:1"}
    (port,) = decode.load_balancer({"ports": [told]}).ports
    assert (port.certificate, port.certificate_arn) == ("arn:aws:acm:1", "")


DEPLOYMENT = {
    "deployment_id": "1",
    "deploy_id": "d.1",
    "desired_count": 1,
    "created": "2026-11-23T12:00:00Z",
    "events": ["e"],
}
DETAIL = {"container_name": "c", "last_status": "STOPPED", "exit_code": 1, "reason": "r"}
PORT = {"host_port": 80, "container_port": 80, "protocol": "tcp", "certificate_name": "c"}
PROVIDER = {"id": "i", "in_use": True, "used_ports": ["80"], "available_memory": "1"}


@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (decode.service, {"service_id": "s", "desired_count": 1, "deployments": [DEPLOYMENT]}),
        (decode.task, {"task_id": "t", "copies": [{"reason": "r", "details": [DETAIL]}]}),
        (decode.job, {"job_id": "j", "job_status": 1, "meta": {"a": "b"}}),
        (decode.deploy, {"deploy_id": "d.1", "version": "1", "dockerrun": "e30="}),
        (decode.environment, {"environment_id": "e", "cluster_count": 1, "links": ["f"]}),
        (decode.load_balancer, {"load_balancer_id": "l", "ports": [PORT], "health_check": {"target": "TCP:80"}}),
        (decode.cluster_scale, {"pending_resources": [{"id": "p"}], "resource_providers": [PROVIDER]}),
        (decode.tags, {"tags": [{"key": "k", "value": "v"}]}),
        (decode.logs, [{"name": "n", "lines": ["a"]}]),
    ],
)  # fmt: skip
def test_an_entity_with_any_odd_member_is_read_or_refused(read: Callable[[Any], object], whole: Any) -> None:
    """Whatever type one member of an answer has, the entity is read or the error is one of ours."""
    for answer in with_odd_members(whole):
        with suppress(EcrWidgetsError):
            read(answer)
