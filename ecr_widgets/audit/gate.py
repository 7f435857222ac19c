"""The gate's two sources: the policy file, and the evidence on images."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.of_image import evidence_of
from ecr_widgets.audit.policy_file import read_policy_file
from ecr_widgets.errors import SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.evidence import ImageEvidence
from ecr_widgets.model.gate_policy import GatePolicy
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Registry


class FileGate:
    """Implements `ports.gate.Gate`.

    Args:
        path: The policy file.

        sha256: The file's hash when the run began; empty if no engine passed it.

        override: Why the policy is overridden for this run; empty if it is not.

        is_sealed_run: Whether an engine saves and seals the run.
    """

    is_set = True

    def __init__(
        self, path: Path, *, sha256: str = "", override: str = "", is_sealed_run: bool = False
    ) -> None:
        self._path = path
        self._sha256 = sha256
        self.override = override
        self.is_sealed_run = is_sealed_run

    def policy(self) -> GatePolicy:
        policy = read_policy_file(self._path)
        if self._sha256 and policy.sha256 != self._sha256:
            raise SettingsError(
                f"the policy {str(self._path)!r} was changed since the run began",
                hint="look at what changed, then start a new run",
            )
        return policy

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        return evidence_of(image, registry, token, default_ring().known())
