"""The bounds of Application Auto Scaling, if this identity may read them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ecr_widgets.adapters.ecs.calls import ERRORS, Calls
from ecr_widgets.errors import AuthorizationError, DeployTargetError
from ecr_widgets.model.services import Scaling

_ACTION = "application-autoscaling:DescribeScalableTargets"
_KEPT_S = 30.0
"""How long an answer is reused: a wait reads its service every second."""


class ScalingBounds(Calls):
    """Reads a service's automatic scaling."""

    @cached_property
    def _autoscaling(self) -> Any:
        return self._aws.client("application-autoscaling")

    @cached_property
    def _bounds(self) -> dict[str, tuple[float, Scaling | None]]:
        """By resource: when the bounds were read, in seconds of the clock, and the bounds."""
        return {}

    def _scaling(self, cluster: str, service: str) -> Scaling | None:
        """The scaling bounds; None if nothing scales the service, or they cannot be read."""
        resource, now_s = f"service/{cluster}/{service}", self._clock.monotonic_s()
        read_s, bounds = self._bounds.get(resource, (now_s - _KEPT_S, None))
        if now_s - read_s >= _KEPT_S:
            bounds = self._read_bounds(resource)
            self._bounds[resource] = now_s, bounds
        return bounds

    def _read_bounds(self, resource: str) -> Scaling | None:
        def call() -> Scaling | None:
            answer = self._autoscaling.describe_scalable_targets(
                ServiceNamespace="ecs",
                ResourceIds=[resource],
                ScalableDimension="ecs:service:DesiredCount",
            )
            targets = answer["ScalableTargets"]
            return Scaling(targets[0]["MinCapacity"], targets[0]["MaxCapacity"]) if targets else None

        try:
            return ERRORS.translated(_ACTION, call)
        except (AuthorizationError, DeployTargetError):
            # The bounds are useful, but nothing depends on them.
            return None
