"""Checks images against the policy before they run in an environment or are copied. What is not known is not met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from ecr_widgets.errors import EcrWidgetsError, GateRefused
from ecr_widgets.model.ecs_names import LAYER0_PREFIX, bare_cluster, is_ecs
from ecr_widgets.model.evidence import ImageEvidence
from ecr_widgets.model.gate_policy import GatePolicy, Rules
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.record import JsonObject, StepState
from ecr_widgets.model.registry_host import Sameness, registry_id_of
from ecr_widgets.steps.shared.evidence_rules import Asked, EvidenceJudge, unmet_by_findings
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from ecr_widgets.steps.step import NOT_YET

PASSED, NO_RULES, REFUSED, WARNED, OVERRIDDEN = "passed", "no rules", "refused", "warned", "overridden"
_PUSHES = "release"
"""The runbook whose own image is exempt if a policy names runbooks."""


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What the policy said."""

    decision: str
    """`passed`, `no rules`, `refused`, `warned` or `overridden`; in a plan also that it is not known before the image is made."""
    policy_sha256: str = ""
    """SHA-256 of the file; empty if it could not be read."""
    images: tuple[str, ...] = ()
    """References by digest, as far as they are known."""
    evidence: tuple[str, ...] = ()
    """Digests of the statements that counted."""
    unmet: tuple[str, ...] = ()
    """Each rule that is not met: its name, and why."""
    override: str = ""
    """The reason given for overriding the policy."""
    warnings: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where images are to go: an environment, or else a repository."""

    environment: str = ""
    repository: str = ""
    registry: str = ""
    """The repository's registry."""


def examine(
    outside: Outside, place: Place, images: Callable[[], Iterable[ImageReference]], *, warns_only: bool
) -> GateOutcome:
    """Check images against the policy.

    Args:
        images: Returns them; only called if there are rules.

        warns_only: Whether an unmet rule is only a warning.
    """
    gate = outside.connections.gate
    examined = _Examined(outside, place)
    warns, policy = warns_only, None
    try:
        policy = gate.policy()
        rules = _rules_for(outside, policy, place)
        if not rules:
            return GateOutcome(NO_RULES, policy.sha256)
        warns = warns or all(each.mode == "warn" for each in rules)
        for image in dict.fromkeys(images()):
            for each in rules:
                examined.look(each, image, warns=warns_only or each.mode == "warn")
    except EcrWidgetsError as error:
        examined.unknown(error, warns=warns)
    outcome = GateOutcome(
        _decision(examined, gate.override),
        policy.sha256 if policy is not None else "",
        tuple(examined.images),
        tuple(dict.fromkeys(examined.evidence)),
        tuple(dict.fromkeys(examined.unmet)),
        gate.override if examined.unmet else "",
    )
    return replace(outcome, warnings=tuple(_warnings(outcome)))


def _decision(examined: _Examined, override: str) -> str:
    if not examined.unmet:
        return NOT_YET if examined.waits else PASSED
    if not examined.refuses:
        return WARNED
    return OVERRIDDEN if override else REFUSED


def _warnings(outcome: GateOutcome) -> Iterator[str]:
    if outcome.decision == OVERRIDDEN:
        yield f"the policy was overridden: {outcome.override}"
    if outcome.decision in (OVERRIDDEN, WARNED):
        yield from (f"the policy is not met: {each}" for each in outcome.unmet)


class _Examined:
    """What was found so far."""

    def __init__(self, outside: Outside, place: Place) -> None:
        self._outside = outside
        self._place = place
        self._read: dict[str, ImageEvidence] = {}
        self.images: list[str] = []
        self.evidence: list[str] = []
        self.unmet: list[str] = []
        self.refuses = False
        self.waits = False
        """In a plan: whether an image has yet to be made."""

    def unknown(self, error: EcrWidgetsError, *, warns: bool) -> None:
        self._note((f"it is not known whether the rules are met: {error.message}",), warns=warns)

    def look(self, rules: Rules, image: ImageReference, *, warns: bool) -> None:
        """Check one image against the rules of one place."""
        repository = f"{image.registry or 'docker.io'}/{image.repository}"
        if rules.needs_none(repository):
            return
        planned = self._outside.planned.get(str(image if image.digest is None else replace(image, tag=None)))
        if planned is not None:
            source = getattr(planned, "source", None)
            if not isinstance(source, ImageReference):
                self.waits = True
                return
            image = source
        if image.digest is None:
            self._note((f"{image}: it is named by a tag, which may be another image by then",), warns=warns)
            return
        pinned = replace(image, tag=None)
        if str(pinned) not in self.images:
            self.images.append(str(pinned))
        try:
            unmet = tuple(self._unmet(rules, pinned))
        except EcrWidgetsError as error:
            self.unknown(error, warns=warns)
            return
        self._note((f"{image.repository}@{image.digest[:19]}: {each}" for each in unmet), warns=warns)

    def _note(self, unmet: Iterable[str], *, warns: bool) -> None:
        for each in unmet:
            self.unmet.append(each)
            self.refuses |= not warns

    def _unmet(self, rules: Rules, image: ImageReference) -> Iterator[str]:
        outside, now = self._outside, self._outside.clock.now()
        assert image.digest is not None
        session, own = _session_for(outside, image)
        is_own = _is_of_this_run(outside, rules, image)
        if not (is_own and rules.did is None and not rules.approved):
            environments = (self._place.environment, rules.did.environment if rules.did is not None else "")
            names = tuple(_names_known(outside, each) for each in environments if each)
            judge = EvidenceJudge(Asked(rules, image.digest, names, now), self._evidence(own, session))
            self.evidence += judge.counted
            yield from judge.unmet(is_own=is_own, is_approved=outside.files.approved.sha256s is not None)
        if rules.findings is not None:
            findings = session.ecr.find_findings(image.repository, image.digest)
            source = _copied_from(outside, image) if findings is None else None
            if source is not None:
                # ECR scans the copy later.
                session, _ = _session_for(outside, source)
                findings = session.ecr.find_findings(source.repository, image.digest)
            yield from unmet_by_findings(rules.findings, findings, now)

    def _evidence(self, image: ImageReference, session: RegistrySession) -> ImageEvidence:
        if str(image) not in self._read:
            outside, gate = self._outside, self._outside.connections.gate
            self._read[str(image)] = session.use(
                lambda token: gate.evidence_of(image, outside.registry, token)
            )
        return self._read[str(image)]


def _session_for(outside: Outside, image: ImageReference) -> tuple[RegistrySession, ImageReference]:
    """The registry that an image is in, of this account in any region, and the image by its name there.

    Raises:
        InvalidReference: The registry is another account's, or not in ECR.
    """
    own = outside.session.registry()
    if image.registry is not None and own.sameness(image.registry) is Sameness.SAME:
        return outside.session, replace(image, registry=own.host)
    there = registry_id_of(image.registry or "")
    if there is None or own.id is None or there.account != own.id.account:
        raise own.refusal(image.registry or "docker.io", str(image))
    return outside.session_of("", there.region), image


def _is_of_this_run(outside: Outside, rules: Rules, image: ImageReference) -> bool:
    """Whether this run has pushed the image, by its journal: nothing can be attached to it before the run ends."""
    if not outside.connections.gate.is_sealed_run or (rules.runbooks and _PUSHES not in rules.runbooks):
        return False
    return any(
        each.step == "push_image" and each.state is StepState.SUCCEEDED and _is_copy(each.outcome, image)
        for each in outside.journal()
    )


def _copied_from(outside: Outside, image: ImageReference) -> ImageReference | None:
    """Where this run has copied the image from; None if it has not."""
    for each in outside.journal():
        if each.step == "copy_image" and _is_copy(each.outcome, image):
            return ImageReference.parse(str(each.outcome.get("source")))
    return None


def _is_copy(outcome: JsonObject, image: ImageReference) -> bool:
    """Whether a step's outcome is that image, by any name of its registry."""
    made = ImageReference.parse(str(outcome.get("image")))
    return (made.repository, made.digest) == (image.repository, image.digest)


def _rules_for(outside: Outside, policy: GatePolicy, place: Place) -> tuple[Rules, ...]:
    if place.repository:
        return policy.of_repository(place.registry, place.repository)
    return policy.of_environment(
        (*names_of(outside, place.environment), *_layer0_on(outside, policy, place.environment))
    )


def names_of(outside: Outside, environment: str) -> tuple[str, ...]:
    """All names of an environment: as given here, by name and by id.

    Raises:
        EcrWidgetsError: The target does not answer.
    """
    if not environment or is_ecs(environment):
        return (environment,)
    place = outside.services_of(environment).find_environment(environment)
    return (environment, place.name, place.environment_id) if place is not None else (environment,)


def _names_known(outside: Outside, environment: str) -> tuple[str, ...]:
    """The same, as far as the target answers: it may be one that this run does not use."""
    with suppress(EcrWidgetsError):
        return names_of(outside, environment)
    return (environment,)


def _layer0_on(outside: Outside, policy: GatePolicy, environment: str) -> Iterator[str]:
    """The policy's Layer0 environments whose cluster it is."""
    cluster = bare_cluster(environment) if is_ecs(environment) else ""
    if not cluster.startswith(LAYER0_PREFIX):
        return
    for name in policy.environments:
        if is_ecs(name):
            continue
        if any(cluster.endswith(f"-{each}") for each in names_of(outside, name)):
            yield name


def refusal(place: str, outcome: GateOutcome) -> GateRefused:
    """The error if the policy refuses."""
    first, *others = outcome.unmet
    more = f", and {len(others)} more" if others else ""
    return GateRefused(
        f"the policy refuses it for {place}: {first}{more}",
        reasons=outcome.unmet,
        hint="look at `ecr-widgets audit of IMAGE`; in an emergency, run it with --override-gate REASON",
    )
