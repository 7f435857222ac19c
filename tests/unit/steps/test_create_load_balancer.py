"""Load balancers that are created if they do not exist, and changed if they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.steps.create_load_balancer import CreateLoadBalancer
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes.connections import FakeConnections, perform

CHECK = HealthCheck("HTTP:80/")
WEB = CreateLoadBalancer("demo", "web", [Port(80, 8080, "HTTP")], health_check=CHECK)


def test_a_load_balancer_is_created_then_left_alone_then_changed(
    outside: Outside, to: FakeConnections
) -> None:
    """A load balancer is created, left alone, then changed only where it differs; what cannot be changed is refused."""
    first, same = (perform(WEB, outside) for _ in "ab")
    assert (first.changed, same.changed, first.url) == (True, False, "127.0.0.1")
    assert perform(replace(WEB, idle_timeout=90), outside).changed
    assert to.layer0.read_load_balancer(first.load_balancer_id).idle_timeout == 90
    # A server before v0.10.7 does not report these, which is not a difference.
    older = replace(to.layer0.read_load_balancer(first.load_balancer_id), idle_timeout=0, cross_zone=False)
    to.layer0.load_balancers[first.load_balancer_id] = older
    assert not perform(WEB, outside).changed
    with pytest.raises(VerifyError, match="already exists and is public"):
        perform(replace(WEB, is_public=False), outside)


def test_a_load_balancer_with_a_named_certificate_is_left_alone(
    outside: Outside, to: FakeConnections
) -> None:
    """A certificate given by name, which the server reports with its ARN as well, is not a difference."""
    wanted = Port(443, 80, "HTTPS", "web")
    secure = CreateLoadBalancer("demo", "web", [wanted], health_check=CHECK)
    made = perform(secure, outside)
    served = replace(wanted, certificate_arn="arn:aws:iam::1:server-certificate/web")
    to.layer0.update_load_balancer(made.load_balancer_id, ports=[served])
    assert not perform(secure, outside).changed
