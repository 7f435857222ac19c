"""A kit that only looks: each step says what stands and what it would change, and nothing is changed anywhere."""

from __future__ import annotations

from ecr_widgets.planning.guard import LookingOnly
from ecr_widgets.planning.kit import PlanKit
from ecr_widgets.planning.requests import PlanRecorder

__all__ = ["LookingOnly", "PlanKit", "PlanRecorder"]
