"""The instances of a Layer0 environment, as its scaler reports them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance; memory as the server reports it, such as `7226MiB`."""

    instance_id: str
    in_use: bool
    used_ports: tuple[int, ...]
    available_memory: str


@dataclass(frozen=True, slots=True)
class ClusterScale:
    """What one run of the scaler found and did; `waiting` lists what has no room."""

    environment_id: str
    before: int
    desired: int
    after: int
    unused: int
    waiting: tuple[str, ...]
    instances: tuple[Instance, ...]
