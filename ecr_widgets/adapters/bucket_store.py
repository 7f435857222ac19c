"""The bucket as the engine uses it: saved runs, and leases on those that are being written."""

from __future__ import annotations

import re
from typing import Any

from ecr_widgets.actor import actor
from ecr_widgets.adapters.locks import Holder
from ecr_widgets.adapters.s3_leases import TTL_S, S3Lease, S3Leases
from ecr_widgets.adapters.s3_store import Retention, S3Store
from ecr_widgets.errors import TargetBusy
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.model.run_id import RUN_ID


class BucketStore(S3Store):
    """Implements `ports.run_store.RunStore`; names are held by leases.

    Args:
        holder: This process.
    """

    is_fenced = True

    def __init__(
        self,
        place: BucketPath,
        *,
        holder: Holder,
        retention: Retention | None = None,
        ttl_s: float = TTL_S,
        client: Any = None,
    ) -> None:
        super().__init__(place, retention=retention, client=client)
        self.leases = S3Leases(self, holder, actor=actor(), ttl_s=ttl_s)

    def hold(self, name: str) -> S3Lease | None:
        run_id = re.match(RUN_ID, name)
        try:
            return self.leases.take(_lease_of(name), name, run_id=run_id[0] if run_id else "")
        except TargetBusy:
            return None

    def holder(self, name: str) -> str | None:
        return self.leases.holder(_lease_of(name))

    def close(self) -> None:
        """Do nothing: no room is reserved, since a bucket is never full."""


def _lease_of(name: str) -> str:
    return f"leases/{'run' if name.endswith('.ipynb') else 'slot'}/{name}.json"
