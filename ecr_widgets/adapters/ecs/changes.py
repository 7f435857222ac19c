"""Services: created, moved and scaled."""

from __future__ import annotations

from typing import Any

from ecr_widgets.adapters.ecs.reading import Reading
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Service, Settings

_BREAKER = {"enable": True, "rollback": False}
"""ECS stops a failing deployment but does not roll back: the run does, since it knows which deploy was verified."""


class Changes(Reading):
    """Implements the changes of `ports.services.Services`."""

    def create_service(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        *,
        load_balancer_id: str = "",
        settings: Settings | None = None,
        token: str = "",
    ) -> Service:
        if load_balancer_id:
            raise InputError(
                "ECS cannot put a service behind a Layer0 load balancer",
                hint="name target groups in a service file, and leave load_balancer empty",
            )
        asked = {
            **_with_defaults(settings or {}),
            "cluster": self._address.cluster_name(environment_id),
            "serviceName": name,
            "taskDefinition": deploy_id,
        }
        if token:
            asked["clientToken"] = token
        return self._changed("ecs:CreateService", self._answered, **asked)

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        return self._update(service_id, taskDefinition=deploy_id)

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        return self._update(service_id, desiredCount=desired_count)

    def _update(self, service_id: str, **members: Any) -> Service:
        cluster, name = self._address.in_cluster(service_id, "service")
        return self._changed("ecs:UpdateService", self._answered, cluster=cluster, service=name, **members)

    def _answered(self, answer: Wire) -> Service:
        service = answer.get("service")
        return self._decoded(service if isinstance(service, dict) else {})


def _with_defaults(settings: Settings) -> dict[str, Any]:
    """One copy and a circuit breaker, unless the settings say otherwise."""
    asked = dict(settings)
    if asked.get("schedulingStrategy", "REPLICA") == "REPLICA":
        asked.setdefault("desiredCount", 1)
    configuration = dict(asked.get("deploymentConfiguration") or {})
    controller = (asked.get("deploymentController") or {}).get("type", "ECS")
    # Other controllers and strategies have no breaker, and refuse it.
    if controller == "ECS" and configuration.get("strategy", "ROLLING") == "ROLLING":
        configuration.setdefault("deploymentCircuitBreaker", _BREAKER)
        asked["deploymentConfiguration"] = configuration
    return asked
