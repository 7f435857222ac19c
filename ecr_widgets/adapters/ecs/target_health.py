"""A load balancer's health checks of a service's copies, if this identity may read them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ecr_widgets.adapters.ecs.calls import ERRORS, Calls
from ecr_widgets.adapters.ecs.decode import decoded, objects
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import AuthorizationError, DeployTargetError

_ACTION = "elasticloadbalancing:DescribeTargetHealth"
_GOOD = frozenset(("healthy", "initial", "draining", "unused"))


class TargetHealth(Calls):
    """Reads the health of targets."""

    @cached_property
    def _balancing(self) -> Any:
        return self._aws.client("elbv2")

    @cached_property
    def _may_ask(self) -> list[bool]:
        return [True]

    def _unhealthy(self, raw: Wire) -> tuple[str, ...]:
        """Sentences about a service's targets that fail their checks; empty if they cannot be read."""
        groups = [arn for each in objects(raw, "loadBalancers") if (arn := each.get("targetGroupArn"))]
        sentences: list[str] = []
        for group in groups if self._may_ask[0] else ():
            try:
                sentences += self._unhealthy_in(str(group))
            except AuthorizationError:
                self._may_ask[0] = False
                break
            except DeployTargetError:
                # The health is useful, but nothing depends on it.
                continue
        return tuple(sentences)

    def _unhealthy_in(self, group: str) -> list[str]:
        answer = ERRORS.translated(
            _ACTION, lambda: self._balancing.describe_target_health(TargetGroupArn=group)
        )
        return _sentences(answer, group)


@decoded
def _sentences(answer: Wire, group: str) -> list[str]:
    sentences = []
    # arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID
    name = group.split("/")[1] if "/" in group else group
    for each in answer["TargetHealthDescriptions"]:
        health, target = each["TargetHealth"], each["Target"]
        if health["State"] not in _GOOD:
            why = ", ".join(filter(None, (health.get("Reason"), health.get("Description"))))
            where = f"{target['Id']}:{target.get('Port', '')}".rstrip(":")
            sentences.append(f"target {where} of {name} is {health['State']}" + (f": {why}" if why else ""))
    return sentences
