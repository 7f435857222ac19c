"""What ECS can do and Layer0 cannot: these calls return nothing, or refuse."""

from __future__ import annotations

from ecr_widgets.adapters.layer0.calls import Calls
from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Copy, Deployment, Service, Settings


class EcsOnly(Calls):
    """Implements the part of `ports.services.Services` that Layer0 does not support."""

    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        return None

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        raise InputError("Layer0 cannot stop a deployment", hint="move the service to another deploy")

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        raise InputError("Layer0's deployments do not wait at pause hooks")

    def list_copies(self, service_id: str) -> tuple[Copy, ...] | None:
        return None

    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        return ()

    def read_settings(self, service_id: str) -> Settings | None:
        return None

    def never_fits(self, service_id: str, deploy_id: str) -> str:
        return ""

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        raise InputError("Layer0 does not accept a service file", hint="leave service_file empty")
