"""A policy's rules on what is proven about one image. This makes no requests.

Only statements about exactly this digest count. A later run that failed in an environment, or rolled it back from the image,
cancels what an earlier one proved there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecr_widgets.model.evidence import ImageEvidence, Proof
from ecr_widgets.model.gate_policy import FindingLimits, Rules, environment_key
from ecr_widgets.model.registry import Findings
from ecr_widgets.model.times import to_rfc3339

_AHEAD = timedelta(hours=1)
"""How far ahead another machine's clock may be."""
_FAILED = frozenset(("failed", "interrupted", "tampered"))
_SCANNED = frozenset(("COMPLETE", "ACTIVE"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is required of one image."""

    rules: Rules
    digest: str
    environments: Sequence[Sequence[str]]
    """All names of each environment that matters: where it is to run, and where it must have been seen to run."""
    now: datetime


class EvidenceJudge:
    """One image's evidence, against the rules of one place."""

    def __init__(self, asked: Asked, evidence: ImageEvidence) -> None:
        self._asked = asked
        self._rules = asked.rules
        self._evidence = evidence
        known = sorted(evidence.proofs, key=lambda each: (each.sealed_at, each.n))
        self._names = {
            environment_key(n): environment_key(each[0]) for each in asked.environments for n in each
        }
        soon = asked.now + _AHEAD
        self._vouching = [each for each in known if each.key in self._rules.keys and each.sealed_at <= soon]
        # A statement that it failed needs less trust than one that it works: any key will do.
        valid = [each for at, each in enumerate(known) if not self._is_taken_back(each, known[at + 1 :])]
        self._recent = [each for each in self._vouching if self._is_recent(each)]
        self._proven = [each for each in self._recent if each.run.verdict == "proven" and each in valid]
        self._of_runbook = [
            each
            for each in self._proven
            if not self._rules.runbooks or each.run.runbook in self._rules.runbooks
        ]

    @property
    def counted(self) -> tuple[str, ...]:
        """Digests of the statements that count."""
        return tuple(each.referrer for each in self._proven)

    def unmet(self, *, is_own: bool, is_approved: bool) -> Iterator[str]:
        """Each rule that is not met, by its name and why.

        Args:
            is_own: Whether this run itself has pushed the image, so that nothing can be proven about it yet.

            is_approved: Whether another person has approved this run.
        """
        if self._evidence.left_out:
            yield f"evidence: not all that is attached was looked at: {self._evidence.left_out}"
        if not is_own:
            yield from self._unmet_by_runs()
        did = self._rules.did
        if did is not None and not any(self._ran_elsewhere(each) for each in self._proven):
            yield f"did: no proven run has {did.verb} it to {did.environment} and seen it run there"
        approved = (is_own and is_approved) or any(_is_approved(each) for each in self._of_runbook)
        if self._rules.approved and not approved:
            yield "approved: no proven run of it was approved by another person, with another key"

    def _unmet_by_runs(self) -> Iterator[str]:
        if not self._vouching:
            yield f"keys: no key that may vouch has signed a statement about it{self._others()}"
        elif not self._recent:
            newest = self._vouching[-1].sealed_at
            yield f"max_age_days: the newest statement about it is of {to_rfc3339(newest)}"
        elif not self._proven:
            newest_run = self._recent[-1].run
            yield f"verdict: no proven run of it stands; the newest, {newest_run.run_id}, is {newest_run.verdict}"
        elif not self._of_runbook:
            names = ", ".join(sorted({each.run.runbook or "-" for each in self._proven}))
            yield f"runbooks: proven runs of it are of {names} only"

    def _others(self) -> str:
        known, unread = len(self._evidence.proofs), len(self._evidence.discounted)
        others = [f"{known} by other keys"] * bool(known) + [f"{unread} that do not count"] * bool(unread)
        return f"; there are {' and '.join(others)}" if others else ""

    def _is_recent(self, proof: Proof) -> bool:
        days = self._rules.max_age_days
        return days is None or self._asked.now - proof.sealed_at <= timedelta(days=days)

    def _is_taken_back(self, proof: Proof, later: Sequence[Proof]) -> bool:
        places = self._places(proof)
        return any(places & self._places(each) for each in later if self._went_wrong(each))

    def _went_wrong(self, proof: Proof) -> bool:
        run, digest = proof.run, self._asked.digest
        went_back = any(each.step == "rollback" for each in run.steps)
        runs_it = any(each.step == "verify" and each.digest == digest for each in run.deeds)
        return run.verdict in _FAILED or run.state in _FAILED | {"unknown"} or (went_back and not runs_it)

    def _places(self, proof: Proof) -> frozenset[str]:
        """Environments in which a run did something with the image, each by one name."""
        deeds = (each.environment for each in proof.run.deeds if each.digest == self._asked.digest)
        tried = (each.rpartition("/")[0] for each in proof.run.deployed)
        return frozenset(self._one_name(each) for each in (*deeds, *tried) if each)

    def _one_name(self, environment: str) -> str:
        key = environment_key(environment)
        return self._names.get(key, key)

    def _ran_elsewhere(self, proof: Proof) -> bool:
        assert self._rules.did is not None
        wanted = self._one_name(self._rules.did.environment)
        return any(
            each.step == "verify"
            and each.digest == self._asked.digest
            and self._one_name(each.environment or "") == wanted
            for each in proof.run.deeds
        )


def _is_approved(proof: Proof) -> bool:
    approval = proof.run.approval
    if approval is None or not approval.approved_by or approval.approved_by == approval.requested_by:
        return False
    # Anybody can use two names. Two keys mean two people, or one person who was trusted with both.
    return approval.plan_key is not None and approval.plan_key != proof.key


def unmet_by_findings(limits: FindingLimits, findings: Findings | None, now: datetime) -> Iterator[str]:
    """How a scan's findings do not meet the limits."""
    if findings is None or findings.scanned_at is None or findings.status not in _SCANNED:
        yield f"findings: there is no finished scan of it ({findings.status if findings else 'never scanned'})"
        return
    if now - findings.scanned_at > timedelta(days=limits.scanned_within_days):
        yield f"findings: its last scan is of {to_rfc3339(findings.scanned_at)}"
    for each in limits.exceeded(findings.counts):
        yield f"findings: {each}"
