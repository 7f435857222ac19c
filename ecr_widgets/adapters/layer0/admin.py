"""Layer0's administration."""

from __future__ import annotations

from collections.abc import Mapping

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.calls import Calls, segment
from ecr_widgets.errors import EntityNotFound, Layer0Unavailable
from ecr_widgets.model.layer0_cluster import ClusterScale


class Admin(Calls):
    """Calls that no step needs, for people who operate a Layer0."""

    def is_healthy(self) -> bool:
        """Whether the server reports itself healthy; older servers do so under another path."""
        for path in ("/health", "/admin/health"):
            try:
                self._transport.read(path)
            except (EntityNotFound, Layer0Unavailable) as error:
                if error.status != 404:
                    return False
            else:
                return True
        return False

    def config(self) -> Mapping[str, object]:
        """The instance's configuration: its prefix, VPC and subnets."""
        return decode.an_object(self._transport.read("/admin/config").value)

    def scale_environment(self, environment_id: str) -> ClusterScale:
        path = f"/admin/scale/{segment(environment_id)}"
        return decode.cluster_scale(decode.an_object(self._transport.change("PUT", path, "").value))

    def restore_own_tags(self) -> None:
        self._transport.change("POST", "/admin/sql", {"version": "latest", "message": None})
