"""A service's deployments, in progress and afterwards."""

from __future__ import annotations

from ecr_widgets.adapters.ecs.reading import Reading
from ecr_widgets.adapters.ecs.rollouts import Rollout, as_deployment
from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Deployment


class Deployments(Reading):
    """Implements the deployments of `ports.services.Services`."""

    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        listed = self.read_service(service_id).deployments
        current = next((each for each in listed if each.deployment_id == deployment_id), None)
        if current is not None:
            return current
        cluster, name = self._address.in_cluster(service_id, "service")
        found = self._find_rollout(cluster, name, deployment_id)
        return as_deployment(found[0], deployment_id, found[1]) if found is not None else None

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        rollout = self._required(service_id, deployment_id)
        self._change("ecs:StopServiceDeployment", serviceDeploymentArn=rollout.arn, stopType="ROLLBACK")

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        rollout = self._required(service_id, deployment_id)
        if not rollout.hook_id:
            raise InputError(
                f"deployment {deployment_id} does not wait at a pause hook", hint="look at the service"
            )
        self._change(
            "ecs:ContinueServiceDeployment",
            serviceDeploymentArn=rollout.arn,
            hookId=rollout.hook_id,
            action="ROLLBACK" if roll_back else "CONTINUE",
        )

    def _required(self, service_id: str, deployment_id: str) -> Rollout:
        """ECS's record of a deployment; the service itself names the current one.

        Raises:
            InputError: ECS has no record of it.
        """
        raw = self._raw(service_id)
        primary, current = self._decoded(raw).primary, raw.get("currentServiceDeployment")
        if current and primary is not None and primary.deployment_id == deployment_id:
            rollout = self._rollout(str(current))
            if rollout is not None:
                return rollout
        cluster, name = self._address.in_cluster(service_id, "service")
        found = self._find_rollout(cluster, name, deployment_id)
        if found is None:
            raise InputError(f"ECS has no record of deployment {deployment_id}", hint="look at the service")
        return found[0]
