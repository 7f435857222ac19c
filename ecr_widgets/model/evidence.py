"""What is said of one run where its notebook is not at hand: in its seal, and on the images that it acted on.

No output, no value of a parameter, no path, no host: a registry is read by many. docs/attestation.schema.json describes it as JSON.
"""

from __future__ import annotations

import msgspec

from ecr_widgets.model.record import Moment

ATTEST_VARIABLE = "ECR_WIDGETS_ATTEST"
"""Set to 1, each finished run's seal is attached to the images that it acted on."""
RUN_TYPE = "https://ecr-widgets.invalid/attestation/run/v1"
"""Names the statement about a run; it is a name alone, in a domain that nobody can own."""
RETIREMENT_TYPE = "https://ecr-widgets.invalid/attestation/retirement/v1"
"""Of the statement that a sealed run's file was removed on purpose. It proves nothing of an image."""


class Deed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one step of the run did with an image; what the run only looked at is none."""

    step: str
    """`push_image`, `copy_image`, `tag_image`, `create_deploy` or `verify`; it succeeded."""
    repository: str
    """With its registry."""
    digest: str
    changed: bool = False
    environment: str | None = None
    service: str | None = None
    deploy_id: str | None = None


class Move(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one step of the run brought a service to, or set out to, and the way back; no step that found it there already."""

    step: str
    """`create_service`, `update_service` or `rollback`."""
    state: str
    service: str
    deploy_id: str
    environment: str | None = None
    previous_deploy_id: str | None = None
    """What the service was on before; null where there was no service, and where the record does not say."""


class StepDone(msgspec.Struct, frozen=True, gc=False):
    """One step, without what it was asked and what it found."""

    step: str
    state: str
    changed: bool | None


class Approval(msgspec.Struct, frozen=True, gc=False):
    """A second person's yes."""

    requested_by: str | None = None
    approved_by: str | None = None
    approved_at: str | None = None
    plan: str | None = None
    """Id of the run that was the plan."""
    plan_key: str | None = None
    """Name of the key that sealed the plan, and so that of whoever asked; null where an earlier release did not say."""


class RunClaim(msgspec.Struct, frozen=True, gc=False):
    """What the signer says of a run; times are RFC 3339. Null where an earlier release did not say."""

    run_id: str | None
    runbook: str | None
    runbook_sha256: str | None
    state: str | None
    """As the run says itself."""
    verdict: str | None
    """As an audit says, by the notebook's own evidence."""
    rules: int | None
    """Of the release that judged; a later release may ask for more."""
    origin: str | None
    actor: str | None
    started_at: str | None
    ended_at: str | None
    approval: Approval | None = None
    deeds: tuple[Deed, ...] = ()
    moves: tuple[Move, ...] = ()
    """Empty as well where an earlier release sealed the run."""
    steps: tuple[StepDone, ...] = ()
    touched: dict[str, tuple[str, ...]] = {}
    """By kind (`digest`, `service`, `repository`, `environment`, `deploy`) all that the run names, looked at or changed; and as
    `override` the environments and repositories whose policy it overrode."""
    deployed: tuple[str, ...] = ()
    """Services, as environment/service, that it deployed to or set out to."""
    verified: tuple[str, ...] = ()
    """Services that it found to run what they should."""

    @property
    def digests(self) -> tuple[str, ...]:
        """The images that it acted on."""
        return tuple(dict.fromkeys(deed.digest for deed in self.deeds))


class Proof(msgspec.Struct, frozen=True):
    """A statement about an image that a known key signed."""

    referrer: str
    """Digest of what is attached."""
    run: RunClaim
    sealed_at: Moment
    key: str
    project: str
    """The chain that it is of, and its place in that; a number that is missing was not attached, or was taken away."""
    n: int
    note: str = ""
    """What a reader should know of it, such as that its key was retired since."""


class Discounted(msgspec.Struct, frozen=True):
    """What is attached to an image and does not count, with the reason."""

    referrer: str
    why: str


class ImageEvidence(msgspec.Struct, frozen=True):
    """All that is attached to one image."""

    image: str
    """By digest, with its registry."""
    proofs: tuple[Proof, ...]
    """Oldest first."""
    discounted: tuple[Discounted, ...] = ()
    others: tuple[Discounted, ...] = ()
    """Referrers of other kinds: signatures, bills of materials, other people's statements. `why` says which kind."""
    left_out: str = ""
    """Why not all that is attached was looked at; empty where all was."""
