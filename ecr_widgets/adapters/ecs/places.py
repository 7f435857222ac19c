"""Clusters as environments, and the address of ECS itself."""

from __future__ import annotations

from ecr_widgets.adapters.ecs.calls import Calls
from ecr_widgets.adapters.ecs.decode import last_part
from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.services import Dialect, Place

_REQUESTS = {
    "create_deploy": "RegisterTaskDefinition",
    "create_service": "CreateService",
    "update_service": "UpdateService",
    "scale_service": "UpdateService",
    "apply_settings": "UpdateService",
    "start_task": "RunTask",
    "stop_deployment": "StopServiceDeployment",
    "continue_deployment": "ContinueServiceDeployment",
}


class Places(Calls):
    """Implements the environments of `ports.services.Services`."""

    def dialect(self) -> Dialect:
        return Dialect.ECS

    def address(self) -> str:
        return str(self._address)

    def request(self, call: str) -> str:
        return f"ECS: {_REQUESTS[call]}"

    def version(self) -> str:
        # ECS has no version number.
        return ""

    def find_environment(self, name: str) -> Place | None:
        cluster = self._address.cluster_name(name)
        found = next(self._described("ecs:DescribeClusters", "clusters", [cluster], at_once=100), None)
        if found is None:
            return None
        status = found.get("status")
        if status != "ACTIVE":
            raise EntityNotFound(
                f"cluster {cluster!r} is {status}" + ": it was deleted" * (status == "INACTIVE"),
                hint="create it again, or name another",
            )
        return self._place(cluster)

    def list_environments(self) -> tuple[Place, ...]:
        arns = self._listed("ecs:ListClusters", "clusterArns", maxResults=100)
        return tuple(map(self._place, sorted(map(last_part, arns))))

    def _place(self, cluster: str) -> Place:
        return Place(self._address.cluster(cluster), f"ecs:{cluster}")

    def _clusters(self, environment_id: str | None) -> list[str]:
        """The name of one cluster, or the names of all."""
        if environment_id is not None:
            return [self._address.cluster_name(environment_id)]
        return [self._address.cluster_name(each.environment_id) for each in self.list_environments()]
