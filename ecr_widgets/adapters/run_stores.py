"""The store for a place where runs are saved; chosen here and nowhere else."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecr_widgets.adapters.folder_store import FolderStore
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.ports.run_store import RunStore
from ecr_widgets.settings import RETENTION_VARIABLE, lease_s

if TYPE_CHECKING:
    from ecr_widgets.adapters.bucket_store import BucketStore


def store_of(place: Place) -> RunStore:
    """The store of a folder, or of a prefix in a bucket; makes no request yet.

    Raises:
        SettingsError: The retention that the environment names cannot be used.
    """
    return FolderStore(place) if isinstance(place, Path) else bucket_store(place)


def bucket_store(place: BucketPath) -> BucketStore:
    """One store per place and process: its leases are renewed together, and a client takes time to make."""
    return _bucket_store(place, os.environ.get(RETENTION_VARIABLE, ""), os.getpid())


@lru_cache
def _bucket_store(place: BucketPath, retention: str, pid: int) -> BucketStore:
    # These imports load boto3, which a run in a folder needs later or not at all.
    from ecr_widgets.adapters.bucket_store import BucketStore
    from ecr_widgets.adapters.locks import Holder
    from ecr_widgets.adapters.s3_store import Retention

    return BucketStore(
        place,
        retention=Retention.parse(retention) if retention else None,
        holder=Holder("", socket.gethostname(), pid),
        ttl_s=lease_s(),
    )
