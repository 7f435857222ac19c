"""A gate whose policy and evidence a test writes down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.evidence import Approval, Deed, ImageEvidence, Proof, RunClaim, StepDone
from ecr_widgets.model.gate_policy import GatePolicy, read_policy
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Registry
from tests.fakes.world import NOW, digest_of

ALICE, BOB, EVE = ("a" * 32, "b" * 32, "e" * 32)
"""Names of keys."""


@dataclass
class FakeGate:
    """Implements `ports.gate.Gate`."""

    document: dict[str, Any] = field(default_factory=dict)
    """The policy without its version."""
    proofs: list[Proof] = field(default_factory=list)
    left_out: str = ""
    fails: EcrWidgetsError | None = None
    """What the registry answers in place of evidence."""
    unreadable: EcrWidgetsError | None = None
    """What comes of reading the policy."""
    override: str = ""
    is_sealed_run: bool = True
    asked: list[str] = field(default_factory=list)
    """Images whose evidence was read."""
    meanwhile: Callable[[], object] = lambda: None
    """What somebody else does while the evidence is read."""
    is_set: bool = True

    @property
    def rules(self) -> dict[str, Any]:
        """Those of `demo`, which a test adds to."""
        rules: dict[str, Any] = self.document.setdefault("environments", {}).setdefault(
            "demo", {"keys": [ALICE]}
        )
        return rules

    def policy(self) -> GatePolicy:
        """As the test wrote it."""
        if self.unreadable is not None:
            raise self.unreadable
        return read_policy({"version": 1, **self.document}, "5" * 64)

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        """Those of the proofs that are about this digest, as the real reader gives them."""
        self.asked.append(str(image))
        self.meanwhile()
        if self.fails is not None:
            raise self.fails
        proofs = [each for each in self.proofs if image.digest in each.run.digests]
        ordered = tuple(sorted(proofs, key=lambda each: (each.sealed_at, each.n)))
        return ImageEvidence(str(image), ordered, left_out=self.left_out)


def proof(
    digest: str,
    *,
    days_ago: float = 1.0,
    key: str = ALICE,
    runbook: str = "release",
    verdict: str = "proven",
    state: str = "succeeded",
    ran_in: str | None = None,
    tried_in: str | None = None,
    steps: tuple[str, ...] = (),
    approval: Approval | None = None,
    now: datetime = NOW,
) -> Proof:
    """A statement of a run that pushed an image.

    Args:
        ran_in: Environment in which it verified that the image runs.

        tried_in: Environment to which it set out to deploy it.
    """
    deeds = [Deed("push_image", "registry/app", digest, changed=True)]
    if ran_in:
        deeds.append(Deed("verify", "registry/app", digest, environment=ran_in, service="web"))
    places = tuple(f"{each}/web" for each in (ran_in, tried_in) if each)
    sealed_at = now - timedelta(days=days_ago)
    run = RunClaim(
        run_id=f"run-{days_ago:g}",
        runbook=runbook,
        runbook_sha256="0" * 64,
        state=state,
        verdict=verdict,
        rules=1,
        origin="engine",
        actor="alice",
        started_at=None,
        ended_at=None,
        approval=approval,
        deeds=tuple(deeds),
        steps=tuple(StepDone(each, "succeeded", True) for each in steps),  # noqa: FBT003
        deployed=places,
    )
    return Proof(digest_of(f"{digest}{days_ago}{key}{verdict}"), run, sealed_at, key, "project", 1)
