"""A Layer0 service, and the service of ECS that it is."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from tests.fakes.connections import FakeConnections
from tests.fakes.ecs import ADDRESS

CLUSTER = "l0-p-demo24e9e412"
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "l0-p", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "l0"},
}


class OnBoth:
    """Service `name` of environment `demo`, in two copies of these containers."""

    def __init__(self, to: FakeConnections, name: str, *containers: dict[str, Any]) -> None:
        self.to = to
        document = {"containerDefinitions": [copy.deepcopy(each) for each in containers]}
        layer0, ecs = to.layer0, to.ecs
        ecs.clusters = ["demo", CLUSTER]
        deploy = layer0.create_deploy(name, json.dumps(document).encode())
        service = layer0.create_service("demo24e9e412", name, deploy.deploy_id)
        layer0.scale_service(service.service_id, 2)
        for each in document["containerDefinitions"]:
            each["logConfiguration"] = LOGS
        stored = ecs.create_deploy(f"l0-p-{name}", json.dumps(document).encode())
        self.service_id, self.ecs_name = service.service_id, f"l0-p-{service.service_id}"
        self.arn = ecs.create_service(ADDRESS.cluster(CLUSTER), self.ecs_name, stored.deploy_id).service_id
        ecs.scale_service(self.arn, 2)
        for _ in range(2):
            layer0.read_service(self.service_id)
        self.deployments_are_one()

    def deployments_are_one(self) -> None:
        """Have Layer0 report the deployment by ECS's id."""
        service = self.to.layer0.read_service(self.service_id)
        (of_ecs,) = self.to.ecs.services[self.arn].deployments
        one = replace(service.deployments[0], deployment_id=of_ecs.deployment_id)
        self.to.layer0.services[self.service_id] = replace(service, deployments=(one,))

    def switch_off(self) -> None:
        """No copies, on both sides."""
        self.to.layer0.scale_service(self.service_id, 0)
        self.to.ecs.scale_service(self.arn, 0)
        self.deployments_are_one()
