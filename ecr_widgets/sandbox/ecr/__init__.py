"""An ECR that behaves like AWS's: moto's control plane, corrected, and an OCI registry endpoint over the same images.

`door` which requests reach moto · `signing` who may call AWS's API · `tokens` who may use the registry · `blobs` bytes on
disk · `images` images and tags on top of moto's · `call_log` changes, for the folder's next sandbox · `control_plane`, with
`batches`, `lifecycle_preview`, `scan_findings`, `referrers`, `encryption` and `identity`, corrections to moto ·
`oci_endpoint` the registry · `ecr_sandbox` both on their ports.
"""

from __future__ import annotations

from ecr_widgets.sandbox.ecr.ecr_sandbox import EcrSandbox
from ecr_widgets.sandbox.ecr.signing import AccessKey

__all__ = ["AccessKey", "EcrSandbox"]
