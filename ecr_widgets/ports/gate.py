"""What the steps need of a gate: its policy, and what is proven of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports import Registry

if TYPE_CHECKING:
    from ecr_widgets.model.authorization_token import AuthorizationToken
    from ecr_widgets.model.evidence import ImageEvidence
    from ecr_widgets.model.gate_policy import GatePolicy
    from ecr_widgets.model.image_reference import ImageReference


class Gate(Protocol):
    """Reads only, in a plan as in a run."""

    @property
    def is_set(self) -> bool:
        """Whether there is a policy at all."""
        ...

    @property
    def override(self) -> str:
        """Why the policy does not hold for this run; empty where it holds."""
        ...

    @property
    def is_sealed_run(self) -> bool:
        """Whether an engine of ours saves and seals this run, so that what it did itself will be proven or not."""
        ...

    def policy(self) -> GatePolicy:
        """The policy as it is now.

        Raises:
            SettingsError: It cannot be read, or is not the one that the run began with.
        """
        ...

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        """What is attached to an image, checked against the keys that are known here.

        Args:
            image: By digest.

        Raises:
            RegistryError: The registry does not say what is attached, or refused the token.
        """
        ...


class NoGate:
    """Where no policy is set, and nobody reads evidence."""

    is_set = False
    override = ""
    is_sealed_run = False

    def policy(self) -> GatePolicy:
        """There is none."""
        raise NotImplementedError

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        """Nobody asks."""
        raise NotImplementedError
