"""Find a service and the deploy that it would go back to."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.deploy_service import ServiceOutcome
from ecr_widgets.steps.shared.earlier_deploy import earlier_deploy
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_service, nearest_service
from ecr_widgets.steps.step import Look


@dataclass(frozen=True)
class FindService(Look[ServiceOutcome]):
    """Find a service: what it runs, and the earlier deploy that a rollback would bring it to.

    Raises:
        EntityNotFound: No such service, or it has never been deployed to.
    """

    environment: str
    service: str

    def look(self, outside: Outside, progress: ProgressSink) -> ServiceOutcome:
        place, service = find_service(outside.services_of(self.environment), self.environment, self.service)
        if service is None or service.primary is None:
            raise EntityNotFound(
                f"service {self.service!r} is not in environment {self.environment!r}, or has never been deployed to",
                status=404,
                hint=nearest_service(
                    outside.services_of(self.environment),
                    place,
                    self.service,
                    "check its name, or create it with the deploy runbook",
                ),
            )
        service_id = service.service_id
        earlier = earlier_deploy(
            outside.services_of(self.environment),
            service,
            lambda: outside.connections.proven_deploys(service_id),
        )
        return ServiceOutcome(
            service_id,
            service.name,
            place.environment_id,
            place.name,
            service.primary.deploy_id,
            earlier,
            changed=False,
        )
