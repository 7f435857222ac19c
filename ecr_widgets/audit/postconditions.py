"""What must be recorded for a step to count as done: each step's post-condition, checked on the records alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ecr_widgets.audit.run import SUCCEEDED
from ecr_widgets.model.record import DEPLOYS, StepRecord

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOOKING = frozenset(("check_target", "login"))
"""Steps that only report what they saw."""


class _Later:
    """What the steps after one say about services."""

    def __init__(self) -> None:
        self.moved: set[str] = set()
        """Services that were moved to a deploy."""
        self.verified: set[tuple[str, str]] = set()
        """Services that were verified, each with its deploy."""

    def note(self, step: StepRecord) -> None:
        service_id, deploy_id = step.outcome.get("service_id"), step.outcome.get("deploy_id")
        if not isinstance(service_id, str):
            return
        if step.step in DEPLOYS:
            self.moved.add(service_id)
        elif step.step == "verify" and step.state is SUCCEEDED and isinstance(deploy_id, str):
            self.verified.add((service_id, deploy_id))


def missing_of(steps: Sequence[StepRecord]) -> list[str]:
    """Return what each step of a run lacks, in order; steps that did not succeed are reported elsewhere.

    A step of an unknown name needs no proof if it changed nothing; if it changed something, it is unproven.
    """
    missing: list[str] = []
    later = _Later()
    # From the end, so that one pass collects what follows each step.
    for step in reversed(steps):
        why = _missing(step, later)
        if why:
            missing.append(why)
        later.note(step)
    missing.reverse()
    return missing


def _missing(step: StepRecord, later: _Later) -> str | None:
    if step.state is not SUCCEEDED or step.step in _LOOKING:
        return None
    rule = _RULES.get(step.step)
    if rule is None:
        return f"no post-condition of {step.step} is known to this release" if step.changed else None
    why = rule(step, later)
    return f"{step.step}: {why}" if why else None


def has_rule(step: str) -> bool:
    """Whether this release knows what proves a step with this name."""
    return step in _RULES or step in _LOOKING


def is_digest(value: object) -> bool:
    """Whether a value is a sha256 digest as registries write it."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _repository(step: StepRecord, _: _Later) -> str | None:
    name, uri = step.outcome.get("repository"), step.outcome.get("uri")
    if not isinstance(name, str) or name != step.inputs.get("repository"):
        return "the outcome names another repository"
    if step.inputs.get("encryption") not in (None, step.outcome.get("encryption")):
        return "it is not encrypted as it was asked for"
    return (
        None if isinstance(uri, str) and uri.endswith(f"/{name}") else "the registry gave no address for it"
    )


def _local_image(step: StepRecord, _: _Later) -> str | None:
    return None if is_digest(step.outcome.get("image_id")) else "the engine gave no image id"


def _push(step: StepRecord, _: _Later) -> str | None:
    digest, image = step.outcome.get("digest"), step.outcome.get("image")
    if not is_digest(digest):
        return "the registry confirmed no digest"
    if not isinstance(image, str) or not image.endswith(f"@{digest}"):
        return "image and digest disagree"
    return None


def _deploy(step: StepRecord, _: _Later) -> str | None:
    image, wanted = step.outcome.get("image"), step.inputs.get("image")
    if not step.outcome.get("deploy_id"):
        return "no deploy id"
    if not isinstance(image, str) or not is_digest(image.rpartition("@")[2]):
        return "the image is not named by digest"
    if isinstance(wanted, str) and "@" in wanted and wanted.rpartition("@")[2] != image.rpartition("@")[2]:
        return "it names another image than was asked for"
    return None


def _service(step: StepRecord, later: _Later) -> str | None:
    service_id, deploy_id = step.outcome.get("service_id"), step.outcome.get("deploy_id")
    if not isinstance(service_id, str) or not service_id:
        return "no service id"
    if not isinstance(deploy_id, str) or not deploy_id:
        return "no deploy id"
    if service_id in later.moved:
        return None  # moved again later in the run: the later step has to prove it
    if (service_id, deploy_id) in later.verified:
        return None
    return f"no verify of service {step.outcome.get('service')!r} on deploy {deploy_id!r} follows"


def _task(step: StepRecord, _: _Later) -> str | None:
    codes = step.outcome.get("exit_codes")
    if not isinstance(codes, Mapping) or not codes:
        return "its end was not waited for"
    bad = sorted(f"{name} {code}" for name, code in codes.items() if type(code) is not int or code)
    return f"exit codes are not 0: {', '.join(bad)}" if bad else None


def _wait(step: StepRecord, _: _Later) -> str | None:
    wanted, running = step.outcome.get("desired_count"), step.outcome.get("running_count")
    # After a scale to 0 no copies are wanted; that a deploy runs, its `verify` has to prove.
    return None if type(running) is int and running == wanted else f"{running!r} of {wanted!r} copies ran"


def _verify(step: StepRecord, _: _Later) -> str | None:
    outcome = step.outcome
    image = outcome.get("image")
    digest = image.rpartition("@")[2] if isinstance(image, str) else None
    if not is_digest(digest) or not digest == outcome.get("registry_digest") == outcome.get("running_digest"):
        return "registry, running service and wanted image do not name one digest"
    return None if _positive(outcome.get("running_count")) else "no copy ran"


def _changed_repository(step: StepRecord, later: _Later) -> str | None:
    for name in ("tags_immutable", "scan_on_push"):
        if step.inputs.get(name) not in (None, step.outcome.get(name)):
            return f"{name} is not as it was asked for"
    excepted = _texts(step.outcome.get("tag_exceptions", []))
    if step.inputs.get("tags_immutable") is not None and excepted != _texts(
        step.inputs.get("tag_exceptions", [])
    ):
        return "tags are excepted in another way than was asked for"
    return _repository(step, later)


def _lifecycle(step: StepRecord, _: _Later) -> str | None:
    if step.outcome.get("repository") != step.inputs.get("repository"):
        return "the outcome names another repository"
    if not step.changed and not any(
        step.inputs.get(name) for name in ("policy", "untagged_days", "keep_newest")
    ):
        return None  # no rule was asked for, and nothing was done
    return None if _is_json(step.outcome.get("policy")) else "the repository has no policy"


def _tag(step: StepRecord, later: _Later) -> str | None:
    if step.outcome.get("tag") != step.inputs.get("tag"):
        return "the outcome names another tag"
    return _push(step, later)


def _deleted_images(step: StepRecord, _: _Later) -> str | None:
    deleted, kept, asked = step.outcome.get("deleted"), step.outcome.get("kept"), step.inputs.get("digests")
    if step.changed and step.inputs.get("confirmed") is not True:
        return "nobody confirmed the deletion"
    if kept:
        return f"ECR kept {len(kept) if isinstance(kept, Mapping) else 'some'} of the images"
    gone, wanted = _texts(deleted), _texts(asked)
    if gone is None or wanted is None or not gone <= wanted:
        return "other images were deleted than was asked for"
    return None if deleted or not step.changed else "it reports no image that was deleted"


def _deleted_repository(step: StepRecord, _: _Later) -> str | None:
    repository = step.outcome.get("repository")
    return (
        None
        if repository and repository == step.inputs.get("repository")
        else "the outcome names another repository"
    )


def _deleted_entity(step: StepRecord, _: _Later) -> str | None:
    if step.outcome.get("name") != step.inputs.get(step.step.removeprefix("delete_")):
        return "the outcome names another one"
    return None if not step.changed or step.outcome.get("entity_id") else "no id of what was deleted"


def _deleted_by_id(step: StepRecord, _: _Later) -> str | None:
    asked, entity_id = (
        step.inputs.get(f"{step.step.removeprefix('delete_')}_id"),
        step.outcome.get("entity_id"),
    )
    if not step.changed:
        return None
    # A task may be given by its name.
    known = isinstance(entity_id, str) and (step.step == "delete_task" or entity_id == asked)
    return None if known else "the outcome names another one"


def _min_count(step: StepRecord, _: _Later) -> str | None:
    asked, reached = step.inputs.get("min_count"), step.outcome.get("min_count")
    return (
        None
        if type(reached) is int and reached == asked
        else f"{reached!r} is the least, and {asked!r} was asked for"
    )


def _answered(step: StepRecord, _: _Later) -> str | None:
    """The target's answer is the only evidence."""
    return None if step.outcome else "nothing is recorded of the answer"


def _scale(step: StepRecord, _: _Later) -> str | None:
    asked, wanted, running = (
        step.inputs.get("count"),
        step.outcome.get("desired_count"),
        step.outcome.get("running_count"),
    )
    if type(asked) is not int or wanted != asked:
        return f"{wanted!r} copies are wanted, and {asked!r} were asked for"
    return None if running == wanted else f"{running!r} of {wanted!r} copies ran"


def _entity(step: StepRecord, _: _Later) -> str | None:
    kind = step.step.removeprefix("create_")
    if step.outcome.get(kind) != step.inputs.get(kind):
        return "the outcome names another one"
    return None if step.outcome.get(f"{kind}_id") else "Layer0 gave no id"


def _link(step: StepRecord, _: _Later) -> str | None:
    if not step.outcome.get("environment_id") or not step.outcome.get("other_id"):
        return "Layer0 gave no ids"
    return None if step.outcome.get("linked") is step.inputs.get("linked") else "the link is not as asked for"


def _adopted(step: StepRecord, _: _Later) -> str | None:
    outcome = step.outcome
    ids = [outcome.get(name) for name in ("service_id", "same_service_id", "deploy_id", "same_deploy_id")]
    service_id, same_service_id, deploy_id, same_deploy_id = (
        each if isinstance(each, str) else "" for each in ids
    )
    if not service_id or not same_service_id.endswith(f"-{service_id}"):
        return "Layer0's and ECS's service have not one id"
    if not deploy_id or not same_deploy_id.endswith(f"-{deploy_id}".replace(".", ":")):
        return "Layer0's and ECS's service are not on one deploy"
    return None


def _wave(step: StepRecord, _: _Later) -> str | None:
    names = ("succeeded", "failed", "unknown", "waiting", "not_started", "targets")
    counts = [each for name in names if type(each := step.outcome.get(name)) is int]
    if len(counts) < len(names):
        return "its targets are not counted"
    *states, targets = counts
    if not targets or sum(states) != targets:
        return "its counts are not those of all its targets"
    return f"{targets - states[0]} of its targets did not succeed" if states[0] != targets else None


def _fleet(step: StepRecord, _: _Later) -> str | None:
    targets, succeeded = step.outcome.get("targets"), step.outcome.get("succeeded")
    return None if _positive(targets) and targets == succeeded else "not all targets succeeded"


def _seals(step: StepRecord, _: _Later) -> str | None:
    return None if step.outcome.get("ok") is True else "the seals were not in order"


def _texts(value: object) -> set[str] | None:
    """The strings in a list; None if it is anything else."""
    return set(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else None


def _is_json(value: object) -> bool:
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _positive(value: Any) -> bool:
    return type(value) is int and value > 0


_RULES: Mapping[str, Callable[[StepRecord, _Later], str | None]] = {
    "create_repository": _repository,
    "build_image": _local_image,
    "push_image": _push,
    "copy_image": _push,
    "pull_image": _local_image,
    "create_deploy": _deploy,
    "create_service": _service,
    "update_service": _service,
    "rollback": _service,
    "create_task": _task,
    "wait": _wait,
    "verify": _verify,
    "find_image": _push,
    "change_repository": _changed_repository,
    "set_lifecycle_policy": _lifecycle,
    "delete_repository": _deleted_repository,
    "tag_image": _tag,
    "delete_images": _deleted_images,
    "scale_service": _scale,
    "adopt": _adopted,
    "continue_deployment": _answered,
    "create_environment": _entity,
    "create_load_balancer": _entity,
    "link_environments": _link,
    "delete_service": _deleted_entity,
    "delete_load_balancer": _deleted_entity,
    "delete_environment": _deleted_entity,
    "delete_deploy": _deleted_by_id,
    "delete_task": _deleted_by_id,
    "delete_job": _deleted_by_id,
    "set_min_count": _min_count,
    "scale_environment": _answered,
    "restore_own_tags": _answered,
    "run_wave": _wave,
    "fleet_result": _fleet,
    "verify_seals": _seals,
}
