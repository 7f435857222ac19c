"""Whether the steps of one run agree with each other; a made-up record usually contradicts the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ecr_widgets.audit.run import SUCCEEDED, Run
from ecr_widgets.model.record import DEPLOYS, StepRecord

_PINS_IMAGE = frozenset(("push_image", "copy_image", "find_image", "tag_image"))
_OF_IMAGES = _PINS_IMAGE | {"create_deploy", "verify"}
_OF_DEPLOYS = DEPLOYS | {"create_deploy", "wait", "verify"}
_SAME = ("repository", "environment", "service", "deploy_id")
"""Members that a step's outcome must repeat from its inputs, if it has both."""


def disagreements(run: Run) -> Iterator[str]:
    """Yield the contradictions within a run, in words."""
    began = run.resumed_at or run.started_at
    if began and run.ended_at and run.ended_at < began:
        yield "it ended before it started"
    steps = [step for step in run.steps if step.state is SUCCEEDED]
    for step in steps:
        if step.ended_at is not None and step.ended_at < step.started_at:
            yield f"{step.step} ended before it started"
        for name in _SAME:
            reported = step.outcome.get(name)
            if reported and (asked := step.inputs.get(name)) and asked != reported:
                yield f"{step.step} was asked for {name.replace('_', ' ')} {asked!r:.80} and reports {reported!r:.80}"
    yield from _of_images(steps)
    yield from _of_deploys(steps)


def _of_images(steps: Sequence[StepRecord]) -> Iterator[str]:
    """If the run pushed or found images of a repository, it may deploy and verify only those."""
    pinned: dict[str, set[str]] = {}
    for step in steps:
        if step.step not in _OF_IMAGES:
            continue
        name, digest = _image(step.outcome)
        if step.step in _PINS_IMAGE:
            pinned.setdefault(name, set()).add(digest)
        elif step.step in ("create_deploy", "verify") and digest not in pinned.get(name, {digest}):
            yield f"{step.step} is of {digest[:19]}, which is not what this run pushed or found"
        if step.step == "verify" and _image(step.inputs)[1] not in ("", digest):
            yield "verify was asked for another image than it reports"


def _of_deploys(steps: Sequence[StepRecord]) -> Iterator[str]:
    """If the run created deploys, it must move services to those and verify them there."""
    made: dict[object, StepRecord] = {}
    on: dict[object, object] = {}
    for step in steps:
        if step.step not in _OF_DEPLOYS:
            continue
        deploy_id, service_id = _key(step.outcome, "deploy_id"), _key(step.outcome, "service_id")
        if step.step == "create_deploy":
            made[deploy_id] = step
        elif step.step in DEPLOYS:
            if made and step.step != "rollback" and deploy_id not in made:
                yield f"{step.step} is of deploy {deploy_id!r:.80}, which this run did not make"
            on[service_id] = deploy_id
        elif step.step in ("wait", "verify"):
            if on.get(service_id, deploy_id) != deploy_id:
                yield f"{step.step} is of deploy {deploy_id!r:.80}, to which this run did not bring the service"
            if step.step == "verify" and deploy_id in made and not _same_image(made[deploy_id], step):
                yield "verify is of another image than the deploy has"


def _same_image(deploy: StepRecord, verify: StepRecord) -> bool:
    one, other = (step.inputs.get("container") for step in (deploy, verify))
    # A Dockerrun may have other containers, whose images this run did not set.
    return bool(one != other and one and other) or _image(deploy.outcome) == _image(verify.outcome)


def _image(values: Mapping[str, object]) -> tuple[str, str]:
    """Repository with registry, and digest, of the image in inputs or an outcome; each is empty if missing."""
    image = values.get("image")
    name, at, digest = image.partition("@") if isinstance(image, str) else ("", "", "")
    head, colon, tag = name.rpartition(":")
    return (head if colon and "/" not in tag else name), digest if at else ""


def _key(values: Mapping[str, object], name: str) -> object:
    value = values.get(name)
    return value if isinstance(value, str) else None
