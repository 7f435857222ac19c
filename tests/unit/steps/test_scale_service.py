"""Scaling services to a number of copies."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.ports import ignore_progress
from ecr_widgets.steps.deploy_service import DeployService
from ecr_widgets.steps.scale_service import ScaleService
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes.connections import perform


def test_a_service_is_scaled_and_waited_for(outside: Outside) -> None:
    """Scaling waits for the copies and gives counts before and after; the same count changes nothing."""
    perform(DeployService("demo", "web", "d.1"), outside)
    outcome = perform(ScaleService("demo", "web", 3), outside)
    assert (outcome.previous_count, outcome.desired_count, outcome.running_count) == (1, 3, 3)
    assert outcome.changed
    assert not perform(ScaleService("demo", "web", 3), outside).changed
    with pytest.raises(EntityNotFound, match="'nobody' does not exist in environment 'demo'"):
        perform(ScaleService("demo", "nobody", 1), outside)
    with pytest.raises(InputError):
        perform(ScaleService("demo", "web", -1), outside)


def test_a_plan_scales_what_it_would_create(outside: Outside) -> None:
    """A plan assumes one copy for a service that it would create."""
    deploy, scale = DeployService("demo", "new", "d.1"), ScaleService("demo", "new", 3)
    deploy.plan(outside, deploy.look(outside, ignore_progress))
    outcome = scale.plan(outside, scale.look(outside, ignore_progress))
    assert (outcome.previous_count, outcome.desired_count, outcome.changed) == (1, 3, True)
