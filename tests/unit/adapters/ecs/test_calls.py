"""Calls that are refused, throttled or never answered."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import (
    AuthorizationError,
    ConcurrentChange,
    DeployTargetUnavailable,
    EcrWidgetsError,
    EcsError,
    EntityNotFound,
    InputError,
    OutcomeUnknown,
)
from tests.fakes import NOW
from tests.unit.adapters.ecs.samples import WEB, service
from tests.unit.adapters.ecs.scripted_aws import Answer, Refused, ScriptedAws

URL = "https://ecs.us-east-1.amazonaws.com/"
LOST = (
    boto.ReadTimeoutError(endpoint_url=URL),
    boto.ConnectionClosedError(endpoint_url=URL),
    boto.HTTPClientError(error=OSError("broken")),
    Refused("ServerException", "internal", 500),
    Refused("", "bad gateway", 502),
    b"<html>",
    {"service": None},
    {},
)
NOT_SENT = (
    boto.EndpointConnectionError(endpoint_url=URL),
    boto.ConnectTimeoutError(endpoint_url=URL),
    boto.ProxyConnectionError(proxy_url=URL),
    boto.SSLError(endpoint_url=URL, error="[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"),
)


@pytest.mark.parametrize("answer", LOST)
def test_a_change_without_a_usable_answer_may_be_done(aws: ScriptedAws, ecs: BotoEcs, answer: Answer) -> None:
    """A change whose reply is lost or unusable is sent once, without botocore's retries, and reported as of unknown outcome."""
    aws.answer("UpdateService", answer)
    with pytest.raises(OutcomeUnknown, match="reply to ecs:UpdateService was lost"):
        ecs.update_service(WEB, "web:3")
    assert len(aws.asked) == 1


@pytest.mark.parametrize("answer", NOT_SENT)
def test_a_change_that_never_went_out_is_not_done(aws: ScriptedAws, ecs: BotoEcs, answer: Exception) -> None:
    """A change for which no connection was made is reported as not done, since ECS never received it."""
    aws.answer("UpdateService", answer)
    with pytest.raises(DeployTargetUnavailable, match="ecs:UpdateService got no answer"):
        ecs.update_service(WEB, "web:3")


@pytest.mark.parametrize("answer", [*LOST[:5], *NOT_SENT[:3]])
def test_a_read_is_repeated(aws: ScriptedAws, ecs: BotoEcs, answer: Answer) -> None:
    """A read that gets no usable answer is retried."""
    aws.answer("ListClusters", answer, {"clusterArns": []})
    assert ecs.list_environments() == ()


THROTTLED = Refused("ThrottlingException", "Rate exceeded")


def test_a_throttled_change_is_asked_for_again(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A throttled change, which did nothing, is retried after a growing pause with jitter."""
    aws.answer("UpdateService", THROTTLED, THROTTLED, {"service": service()})
    ecs.update_service(WEB, "web:3")
    assert len(aws.asked) == 3
    assert 0.75 <= (aws.world.now - NOW).total_seconds() <= 2.25


def test_a_change_that_is_always_throttled_is_an_error(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A change is tried six times; if each is throttled, the error says that it was not done."""
    aws.answer("UpdateService", THROTTLED)
    with pytest.raises(DeployTargetUnavailable, match="try again later"):
        ecs.update_service(WEB, "web:3")
    assert len(aws.asked) == 6


@pytest.mark.parametrize(
    ("code", "message", "kind", "hint"),
    [
        ("AccessDeniedException", "no", AuthorizationError, "have ecs:UpdateService allowed"),
        ("ClusterNotFoundException", "Cluster not found.", EntityNotFound, "list-clusters"),
        ("ServiceNotFoundException", "Service not found.", EntityNotFound, "service list"),
        ("ServiceNotActiveException", "Service was not ACTIVE.", EcsError, "deleted"),
        ("ClientException", "TaskDefinition is inactive", EcsError, "register its document again"),
        (
            "InvalidParameterException",
            "Unable to update task definition on services with a CODE_DEPLOY deployment controller.",
            InputError,
            "deploy it with CodeDeploy",
        ),
        (
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            InputError,
            "name its subnets in a service file",
        ),
        ("InvalidParameterException", "Creation of service was not idempotent.", EcsError, "somebody else"),
        ("InvalidParameterException", "Unable to Start a service that is still Draining.", EcsError, "wait"),
        (
            "ClientException",
            "Too many concurrent attempts to create a new revision of the specified family.",
            ConcurrentChange,
            "somebody else registers",
        ),
        ("ClientException", "anything else", EcsError, "anything else"),
    ],
)
def test_a_refusal_is_one_of_our_errors(
    aws: ScriptedAws, ecs: BotoEcs, code: str, message: str, kind: type[EcrWidgetsError], hint: str
) -> None:
    """A refused change raises an error that names the call, quotes ECS and says what to try."""
    aws.answer("UpdateService", Refused(code, message))
    with pytest.raises(kind, match=hint) as raised:
        ecs.update_service(WEB, "web:3")
    assert "ecs:UpdateService" in str(raised.value)
    assert message in str(raised.value)
    assert len(aws.asked) == 1


def test_a_failure_with_status_200_is_an_error(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A failure other than MISSING in an answer with status 200 is an error, not an absent entry."""
    aws.answer(
        "DescribeServices", {"failures": [{"arn": WEB, "reason": "ACCESS_DENIED", "detail": "not yours"}]}
    )
    with pytest.raises(
        EcsError, match=r"ecs:DescribeServices failed: ACCESS_DENIED not yours \(service/demo/web\)"
    ):
        ecs.read_service(WEB)


def test_a_list_that_goes_round_is_an_error(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A list whose pages never end is an error, since a partial list would look complete."""
    aws.answer("ListClusters", {"clusterArns": ["a/b"], "nextToken": "t"})
    with pytest.raises(EcsError, match="does not end"):
        ecs.list_environments()
