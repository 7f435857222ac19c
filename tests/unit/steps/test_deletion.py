"""Deletions of Layer0's services, load balancers and environments."""

from __future__ import annotations

from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.steps.create_load_balancer import CreateLoadBalancer
from ecr_widgets.steps.delete_environment import DeleteEnvironment
from ecr_widgets.steps.delete_load_balancer import DeleteLoadBalancer
from ecr_widgets.steps.delete_service import DeleteService
from ecr_widgets.steps.deploy_service import DeployService
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes.connections import perform


def test_what_is_gone_is_not_deleted_again(outside: Outside) -> None:
    """Deleting each kind of entity changes something the first time only."""
    perform(DeployService("demo", "web", "d.1"), outside)
    perform(CreateLoadBalancer("demo", "web", [Port(80, 8080, "HTTP")], health_check=HealthCheck()), outside)
    for deletion in (
        DeleteService("demo", "web"),
        DeleteLoadBalancer("demo", "web"),
        DeleteEnvironment("demo"),
    ):
        assert [perform(deletion, outside).changed for _ in "ab"] == [True, False]
