"""The bounds of Application Auto Scaling, where it may be asked."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ecr_widgets.adapters.ecs.calls import ERRORS, Calls
from ecr_widgets.errors import AuthorizationError, DeployTargetError
from ecr_widgets.model.services import Scaling

_ACTION = "application-autoscaling:DescribeScalableTargets"
_KEPT_S = 30.0
"""How long an answer is good for: a wait looks at its service every second."""


class ScalingBounds(Calls):
    """Reads what scales services by itself."""

    @cached_property
    def _autoscaling(self) -> Any:
        return self._aws.client("application-autoscaling")

    @cached_property
    def _bounds(self) -> dict[str, tuple[float, Scaling | None]]:
        """By resource: when they were read, and what they are."""
        return {}

    def _scaling(self, cluster: str, service: str) -> Scaling | None:
        """None where nothing scales it, or nobody may ask."""
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
            # It is good to know, and nothing depends on it.
            return None
