"""An ECR that behaves: moto's control plane, corrected, and an OCI registry endpoint over the same store.

`door` which requests reach moto · `signing` who may ask AWS's API · `tokens` who may use the registry · `blobs` bytes on
disk · `store` images and tags over moto's · `kept` the same on disk · `control_plane` corrections to moto · `registry`
the OCI endpoint · `server` both on their ports.
"""

from __future__ import annotations

from ecr_widgets.sandbox.ecr.server import EcrSandbox
from ecr_widgets.sandbox.ecr.signing import AccessKey

__all__ = ["AccessKey", "EcrSandbox"]
