"""Layer0's environments and links."""

from __future__ import annotations

import base64

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.calls import Calls, segment
from ecr_widgets.model.layer0 import Environment

_CREATING_S = 300.0
"""In seconds. The real server sleeps for 42 s in this call, and makes many calls to AWS."""


class Environments(Calls):
    """Implements `ports.layer0.Environments`."""

    def find_environment(self, name: str) -> Environment | None:
        found = self._named("environment", name)
        environment_id = self._only(found, "environment", name)
        return (
            None
            if environment_id is None
            else decode.tagged_environment(environment_id, found[environment_id])
        )

    def list_environments(self) -> tuple[Environment, ...]:
        environments = [decode.tagged_environment(*each) for each in self._tagged("environment").items()]
        return tuple(sorted(environments, key=lambda each: (each.name, each.environment_id)))

    def read_environment(self, environment_id: str) -> Environment:
        return decode.environment(self._entity("/environment/", environment_id, "environment_id"))

    def create_environment(
        self,
        name: str,
        *,
        instance_size: str = "m3.medium",
        min_count: int = 0,
        max_count: int = 0,
        operating_system: str = "linux",
        ami_id: str = "",
        user_data: bytes = b"",
    ) -> Environment:
        body = {
            "environment_name": name,
            "instance_size": instance_size,
            "user_data_template": base64.b64encode(user_data).decode() if user_data else None,
            "min_cluster_count": min_count,
            "max_cluster_count": max(min_count, max_count),
            # With a maximum of 0, any other value fails on v0.12.5 and v0.12.6 and leaves a half-made environment behind.
            "target_cap_size": 0,
            "operating_system": operating_system,
            "ami_id": ami_id,
        }
        answer = self._changed("POST", "/environment/", body, "environment_id", timeout_s=_CREATING_S)
        return decode.environment(answer)

    def update_environment(self, environment_id: str, *, min_count: int) -> None:
        # The answer describes the state before the change.
        path = f"/environment/{segment(environment_id)}"
        self._transport.change("PUT", path, {"min_cluster_count": min_count})

    def delete_environment(self, environment_id: str) -> str:
        return self._job("DELETE", f"/environment/{segment(environment_id)}")

    def link_environments(self, environment_id: str, other_id: str) -> None:
        path = f"/environment/{segment(environment_id)}/link"
        self._transport.change("POST", path, {"environment_id": other_id})

    def unlink_environments(self, environment_id: str, other_id: str) -> None:
        path = f"/environment/{segment(environment_id)}/link/{segment(other_id)}"
        self._transport.change("DELETE", path, None)
