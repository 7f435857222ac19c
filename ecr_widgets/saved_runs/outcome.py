"""What became of a run, in the words that people use: one classification, made from records, for every list of runs.

An audit verdict says what a saved run proves; this says what it did. A refused typo and a deploy that took a service down
are both failed runs, but they do not need the same attention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.record import DEPLOYS, RunState, StepRecord, StepState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.saved_runs.services import Services

_LOCAL = frozenset(("login", "build_image", "pull_image", "verify_seals"))
"""Steps that change only this machine."""
_PUSHES = frozenset(("push_image", "copy_image"))
_JUDGES = frozenset(("wait", "verify", "rollback"))
"""Steps whose failure means that something is wrong with what runs, so it is never just a refusal."""
_IN_PARTS = frozenset(("adopt", "delete_images", "delete_environment", "restore_own_tags", "link_environments", "rollback"))  # fmt: skip
"""Steps that make several changes: a failed one may have made some of them."""
_REFUSALS = frozenset(("InputError", "ImageInUse", "ImageNotFound", "RepositoryNotFound", "EntityNotFound", "TargetBusy"))  # fmt: skip
"""Errors that are raised before the first change."""
_NO_REFUSALS = frozenset(("BuildError", "EngineError", "PushError"))
"""With all errors named `…Unavailable`: nothing was refused, something did not work."""
_CANNOT_RUN = frozenset(("DeploymentFailed", "WaitTimeout"))
_SHORT_DIGEST = 12


class Outcome(StrEnum):
    """What became of a run; the value is its spelling everywhere."""

    SUCCEEDED = "succeeded"
    PLANNED = "planned"
    REFUSED = "refused"
    """One of its steps was refused, and nothing was changed."""
    FAILED = "failed"
    LEFT_DOWN = "left down"
    """It moved a service to a deploy that does not run, and left it there."""
    ROLLED_BACK = "rolled back"
    """A service did not run what it was moved to, and is back on what it ran before: a change that failed."""
    INTERRUPTED = "interrupted"
    KILLED = "killed"
    """It says that it is running, but no process holds it."""
    UNKNOWN = "unknown"
    """A reply was lost: what was requested may have happened."""
    RUNNING = "running"


SIGNS = {
    Outcome.SUCCEEDED: "✓",
    Outcome.PLANNED: "☐",
    Outcome.REFUSED: "·",
    Outcome.FAILED: "✗",
    Outcome.LEFT_DOWN: "✗",
    Outcome.ROLLED_BACK: "↩",
    Outcome.INTERRUPTED: "◐",
    Outcome.KILLED: "◐",
    Outcome.UNKNOWN: "?",
    Outcome.RUNNING: "▶",
}
"""Shown next to the colour and the word, for colour-blind people."""


COLOURS = {
    Outcome.SUCCEEDED: "#2e7d32",
    Outcome.PLANNED: "#546e7a",
    Outcome.REFUSED: "#6d5f4b",
    Outcome.FAILED: "#c62828",
    Outcome.LEFT_DOWN: "#b71c1c",
    Outcome.ROLLED_BACK: "#ad5a00",
    Outcome.INTERRUPTED: "#8a6d00",
    Outcome.KILLED: "#8a6d00",
    Outcome.UNKNOWN: "#7b1fa2",
    Outcome.RUNNING: "#1565c0",
}
"""White text is readable on each of them."""


class Fate(NamedTuple):
    """What a run did to one service, so far."""

    service: str
    """As environment/service if the environment is known."""
    deploy_id: str
    how: str
    """`moved`: not checked since; `runs`; `down`: it does not run the deploy; `back`: on what it ran before; `unknown`."""
    changed: bool
    """Whether this run has moved it."""
    was_down: bool = False
    """Whether this run has found it down before."""
    moved_at: datetime | None = None
    since: datetime | None = None
    """When it reached this state."""


class RunOutcome(NamedTuple):
    """What became of a run, and what the run was about."""

    outcome: Outcome
    words: str
    """The outcome as people read it; says whether anything was changed if that is not obvious."""
    changed: tuple[str, ...]
    """Names of its steps that changed something beyond this machine, in order."""
    fates: tuple[Fate, ...]
    """One for each service that the run deployed to or waited for."""
    image: str
    """`repository:tag`, or with the first digits of the digest if no tag is known; empty if it is not about an image."""
    digest: str
    target: str
    """Environment/service, or the environment alone; several are separated by commas."""

    pushed_at: datetime | None = None
    """When it pushed or copied the image."""

    @property
    def restored_s(self) -> float | None:
        """Longest time between moving a service that then did not run and bringing it back, in seconds."""
        took_s = [
            (fate.since - fate.moved_at).total_seconds()
            for fate in self.fates
            if fate.how == "back" and fate.was_down and fate.moved_at is not None and fate.since is not None
        ]
        return round(max(took_s), 3) if took_s else None

    @property
    def what(self) -> str:
        """The image and its target, with an arrow between them."""
        return " → ".join(filter(None, (self.image, self.target)))

    def services(self, how: str, *, was_down: bool | None = None) -> tuple[str, ...]:
        """Services with this fate that the run has moved, sorted."""
        return tuple(
            sorted(
                fate.service
                for fate in self.fates
                if fate.how == how and fate.changed and was_down in (None, fate.was_down)
            )
        )


def outcome_of(
    header: RunHeader, steps: Sequence[StepRecord], *, held: bool = False, is_plan: bool | None = None
) -> RunOutcome:
    """Return what became of a run.

    Args:
        steps: The valid records of its last attempt; those of earlier attempts are in the header.

        held: Whether a live process holds the run.

        is_plan: Whether the run only planned; by default, what the header says.
    """
    is_plan = header.plan if is_plan is None else is_plan
    earlier = (
        [step for attempt in header.earlier_attempts for step in attempt.steps] if header.attempts else []
    )
    every = [step for step in (*earlier, *steps) if not step.is_planned]
    changed = tuple(dict.fromkeys(step.step for step in every if step.changed and step.step not in _LOCAL))
    fates = () if is_plan else tuple(_fates(every))
    outcome = _outcome(header.state, steps, fates, changed=bool(changed), held=held, is_plan=is_plan)
    image, digest = _image(header.parameters, steps)
    return RunOutcome(
        outcome,
        _in_words(outcome, steps, changed=bool(changed)),
        changed,
        fates,
        image,
        digest,
        _target(header.parameters, steps),
        next((step.ended_at for step in every if step.changed and step.step in _PUSHES), None),
    )


def _outcome(
    state: RunState,
    steps: Sequence[StepRecord],
    fates: Sequence[Fate],
    *,
    changed: bool,
    held: bool,
    is_plan: bool,
) -> Outcome:
    if state is RunState.RUNNING:
        return Outcome.RUNNING if held else Outcome.KILLED
    if state is RunState.INTERRUPTED:
        return Outcome.INTERRUPTED
    if any(fate.how == "down" and fate.changed for fate in fates):
        return Outcome.LEFT_DOWN
    if any(fate.how == "back" and fate.was_down for fate in fates):
        return Outcome.ROLLED_BACK
    if state is RunState.UNKNOWN:
        return Outcome.UNKNOWN
    if state is RunState.SUCCEEDED:
        return Outcome.PLANNED if is_plan else Outcome.SUCCEEDED
    failed = next((step for step in steps if step.state is StepState.FAILED), None)
    refused = failed is not None and not changed and _is_refusal(failed)
    return Outcome.REFUSED if refused else Outcome.FAILED


def _in_words(outcome: Outcome, steps: Sequence[StepRecord], *, changed: bool) -> str:
    if outcome is Outcome.REFUSED:
        return "refused: nothing changed"
    if outcome is Outcome.FAILED:
        if not changed and any(step.state is StepState.FAILED and _may_have_changed(step) for step in steps):
            return "failed: may have changed something"
        return "failed: changed something" if changed else "failed: nothing changed"
    if outcome in (Outcome.INTERRUPTED, Outcome.KILLED, Outcome.UNKNOWN):
        open_step = next(
            (
                s.step
                for s in steps
                if s.state in (StepState.INTENDED, StepState.UNKNOWN) and not s.is_planned
            ),
            "",
        )
        return f"{outcome} at {open_step}" if open_step else str(outcome)
    return str(outcome)


def _is_refusal(step: StepRecord) -> bool:
    error = _error(step)
    works = error not in _NO_REFUSALS and not error.endswith("Unavailable")
    return works and step.step not in _JUDGES and not _may_have_changed(step)


def _may_have_changed(step: StepRecord) -> bool:
    return step.step in _IN_PARTS and _error(step) not in _REFUSALS


def _error(step: StepRecord) -> str:
    return _text(step.error or {}, "type")


def _fates(steps: Iterable[StepRecord]) -> Iterator[Fate]:
    steps = tuple(steps)
    services = Services(steps)
    fates: dict[str, Fate] = {}
    for step in steps:
        if step.step not in DEPLOYS | _JUDGES or (name := services.of(step)) is None:
            continue
        before = fates.get(name)
        after = _after(before or Fate(name, "", "", changed=False), step)
        if after is not None:
            fates[name] = after
    yield from fates.values()


def _after(fate: Fate, step: StepRecord) -> Fate | None:
    """What is known about a service after a step; None if the step reveals nothing."""
    deploy_id = step.outcome.get("deploy_id") or step.inputs.get("deploy_id")
    fate = fate._replace(
        deploy_id=deploy_id if isinstance(deploy_id, str) else fate.deploy_id, since=step.ended_at
    )
    failed, done = step.state is StepState.FAILED, step.state is StepState.SUCCEEDED
    error = _error(step)
    if step.step in DEPLOYS:
        if failed:
            if step.step == "rollback" and error == "RollbackFailed":
                return fate._replace(how="down", changed=True)
            return None
        moved = bool(step.changed) or not done
        return fate._replace(
            how=("back" if step.step == "rollback" else "moved") if done else "unknown",
            changed=fate.changed or moved,
            moved_at=fate.moved_at or (step.started_at if moved else None),
        )
    if step.step == "wait" and failed and error in _CANNOT_RUN:
        return fate._replace(how="down", was_down=True)
    if not done:
        return None
    # A service that a rollback brought back stays `back`, even when later steps look at it.
    return fate._replace(how=fate.how if fate.how == "back" else "runs")


def _image(parameters: dict[str, Any], steps: Sequence[StepRecord]) -> tuple[str, str]:
    """`repository:tag` and the digest from the records, or else what the parameters asked for."""
    repository, tag, digest = _text(parameters, "repository"), "", ""
    for step in steps:
        image = step.outcome.get("image")
        if step.step == "build_image" or not isinstance(image, str):
            continue
        try:
            reference = ImageReference.parse(image)
        except InvalidReference:
            continue
        repository = reference.repository
        tag = reference.tag or _text(step.outcome, "tag") or tag
        digest = reference.digest or _text(step.outcome, "digest") or digest
    tag = tag or _text(parameters, "tag") or _text(parameters, "reference")
    if not repository:
        return "", digest
    if not tag and digest:
        return f"{repository}@{digest.partition(':')[2][:_SHORT_DIGEST]}", digest
    return f"{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}" if tag else repository, digest


def _target(parameters: dict[str, Any], steps: Sequence[StepRecord]) -> str:
    services = Services(steps)
    about = [step for step in steps if step.step in DEPLOYS | _JUDGES or step.step.endswith("_service")]
    names = tuple(dict.fromkeys(name for step in about if (name := services.of(step))))
    asked = (_text(parameters, "environment"), _text(parameters, "service"))
    return ", ".join(names) or "/".join(filter(None, asked))


def _text(members: Any, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
