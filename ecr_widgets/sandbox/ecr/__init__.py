"""An ECR that behaves: moto's control plane, corrected, and an OCI registry endpoint over the same store.

`tokens` who may come in · `blobs` bytes on disk · `store` images and tags over moto's · `kept` the
same on disk · `control_plane` corrections to
moto · `registry` the OCI endpoint · `server` both on their ports.
"""

from __future__ import annotations

from ecr_widgets.sandbox.ecr.server import EcrSandbox

__all__ = ["EcrSandbox"]
