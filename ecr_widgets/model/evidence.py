"""What is known about a run when its notebook is not at hand: in its seal, and on the images that it acted on.

No output, parameter value, path or host: many people can read a registry. docs/attestation.schema.json describes the JSON.
"""

from __future__ import annotations

import msgspec

from ecr_widgets.model.record import Moment

ATTEST_VARIABLE = "ECR_WIDGETS_ATTEST"
"""If set to 1, each finished run's seal is attached to the images that it acted on."""
RUN_TYPE = "https://ecr-widgets.invalid/attestation/run/v1"
"""Type of the statement about a run: only a name, in a domain that nobody can own."""
RETIREMENT_TYPE = "https://ecr-widgets.invalid/attestation/retirement/v1"
"""Type of the statement that a sealed run's file was removed on purpose. It proves nothing about an image."""


class Deed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one step of the run did with an image. Only looking at one is not a deed."""

    step: str
    """`push_image`, `copy_image`, `tag_image`, `create_deploy` or `verify`; always a step that succeeded."""
    repository: str
    """Including its registry."""
    digest: str
    changed: bool = False
    environment: str | None = None
    service: str | None = None
    deploy_id: str | None = None


class Move(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one step of the run moved a service to, or tried to, and from what; no step that found it there already."""

    step: str
    """`create_service`, `update_service` or `rollback`."""
    state: str
    service: str
    deploy_id: str
    environment: str | None = None
    previous_deploy_id: str | None = None
    """The service's deploy before; null if there was no service, or the record does not say."""


class StepDone(msgspec.Struct, frozen=True, gc=False):
    """One step, without its inputs and results."""

    step: str
    state: str
    changed: bool | None


class Approval(msgspec.Struct, frozen=True, gc=False):
    """A second person's approval."""

    requested_by: str | None = None
    approved_by: str | None = None
    approved_at: str | None = None
    plan: str | None = None
    """Id of the run that was the plan."""
    plan_key: str | None = None
    """Name of the key that sealed the plan, so the requester's; null if an earlier release did not say."""


class RunClaim(msgspec.Struct, frozen=True, gc=False):
    """What the signer says about a run; times are RFC 3339. Null if an earlier release did not say."""

    run_id: str | None
    runbook: str | None
    runbook_sha256: str | None
    state: str | None
    """As the run itself says."""
    verdict: str | None
    """The audit's verdict on the notebook's own evidence."""
    rules: int | None
    """Version of the rules it was judged by; a later release may ask for more."""
    origin: str | None
    actor: str | None
    started_at: str | None
    ended_at: str | None
    approval: Approval | None = None
    deeds: tuple[Deed, ...] = ()
    moves: tuple[Move, ...] = ()
    """Also empty if an earlier release sealed the run."""
    steps: tuple[StepDone, ...] = ()
    touched: dict[str, tuple[str, ...]] = {}
    """By kind (`digest`, `service`, `repository`, `environment`, `deploy`) all that the run names, looked at or changed; under
    `override` the environments and repositories whose policy it overrode."""
    deployed: tuple[str, ...] = ()
    """Services, as environment/service, that it deployed to or tried to."""
    verified: tuple[str, ...] = ()
    """Services that it found running what they should."""

    @property
    def digests(self) -> tuple[str, ...]:
        """The images that it acted on."""
        return tuple(dict.fromkeys(deed.digest for deed in self.deeds))


class Proof(msgspec.Struct, frozen=True):
    """A statement about an image that a known key signed."""

    referrer: str
    """Digest of the attached statement."""
    run: RunClaim
    sealed_at: Moment
    key: str
    project: str
    """Its chain, and its number there; a missing number was not attached, or was removed."""
    n: int
    note: str = ""
    """What a reader should know about it, such as that its key has been retired since."""


class Discounted(msgspec.Struct, frozen=True):
    """Something attached to an image that does not count, and why."""

    referrer: str
    why: str


class ImageEvidence(msgspec.Struct, frozen=True):
    """All that is attached to one image."""

    image: str
    """By digest, including its registry."""
    proofs: tuple[Proof, ...]
    """Oldest first."""
    discounted: tuple[Discounted, ...] = ()
    others: tuple[Discounted, ...] = ()
    """Referrers of other kinds: signatures, bills of materials, other people's statements. `why` says which kind."""
    left_out: str = ""
    """Why some of it was not looked at; empty if all was."""
