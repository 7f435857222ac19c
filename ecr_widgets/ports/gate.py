"""What the steps need from a gate: its policy, and the evidence about an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports import Registry

if TYPE_CHECKING:
    from ecr_widgets.model.authorization_token import AuthorizationToken
    from ecr_widgets.model.evidence import ImageEvidence
    from ecr_widgets.model.gate_policy import GatePolicy
    from ecr_widgets.model.image_reference import ImageReference


class Gate(Protocol):
    """The gate; it only reads, in a plan and in a run."""

    @property
    def is_set(self) -> bool:
        """Whether there is a policy at all."""

    @property
    def override(self) -> str:
        """Why the policy is overridden for this run; empty if it applies."""

    @property
    def is_sealed_run(self) -> bool:
        """Whether an engine of ours saves and seals this run, which proves what the run itself did."""

    def policy(self) -> GatePolicy:
        """The current policy.

        Raises:
            SettingsError: It cannot be read, or has changed since the run began.
        """

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        """What is attached to an image, checked against the keys that are known here.

        Args:
            image: By digest.

        Raises:
            RegistryError: The registry does not list what is attached, or refused the token.
        """


class NoGate:
    """The gate when no policy is set and nobody reads evidence."""

    is_set = False
    override = ""
    is_sealed_run = False

    def policy(self) -> GatePolicy:
        """No policy; never called."""
        raise NotImplementedError

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        """No evidence; never called."""
        raise NotImplementedError
