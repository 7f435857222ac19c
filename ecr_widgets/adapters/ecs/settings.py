"""How a service is run, in the form of CreateService."""

from __future__ import annotations

from ecr_widgets.adapters.ecs.changes import Changes
from ecr_widgets.adapters.ecs.decode import decoded, objects
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import InputError
from ecr_widgets.model.services import FIXED_SETTINGS, Service, Settings

_NOT_SETTINGS = frozenset(
    (
        *("serviceArn", "serviceName", "clusterArn", "status", "runningCount", "pendingCount"),
        *("taskDefinition", "taskSets", "deployments", "events", "createdAt", "createdBy"),
        *("currentServiceDeployment", "currentServiceRevisions", "platformFamily"),
        *("resourceManagementType", "roleArn"),
    )
)
"""What DescribeServices reports besides settings; a member newer than this list counts as a setting."""
_OF_THE_DEPLOYMENT = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
"""Settings that only a deployment shows."""


class ServiceSettings(Changes):
    """Implements the settings of `ports.services.Services`."""

    def read_settings(self, service_id: str) -> Settings:
        return _settings(self._raw(service_id, include=["TAGS"]))

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        fixed = sorted(settings.keys() & FIXED_SETTINGS)
        if fixed:
            raise InputError(
                f"ECS does not change {', '.join(fixed)} of a service that exists",
                hint="leave it as it is, or create another service",
            )
        return self._update(service_id, **settings)


@decoded
def _settings(raw: Wire) -> Settings:
    primary = next((each for each in objects(raw, "deployments") if each.get("status") == "PRIMARY"), {})
    return {
        **{name: value for name, value in raw.items() if name not in _NOT_SETTINGS},
        **{name: primary[name] for name in _OF_THE_DEPLOYMENT if primary.get(name)},
        **({"role": raw["roleArn"]} if raw.get("roleArn") else {}),
    }
