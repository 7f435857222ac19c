"""Lifecycle policies: the simple ones, and a description of what one would replace and expire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ecr_widgets.errors import InputError
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Expiry, Image


def simple_lifecycle_policy(*, untagged_days: int = 0, keep_newest: int = 0) -> str | None:
    """A lifecycle policy with the two rules that most people need, as JSON text; None if neither is wanted.

    Args:
        untagged_days: Images without a tag expire after so many days; 0 leaves the rule out.

        keep_newest: Only so many images stay, the last ones pushed; 0 leaves the rule out.

    Raises:
        InputError: A number below 0.
    """
    if untagged_days < 0 or keep_newest < 0:
        raise InputError(
            f"untagged_days is {untagged_days} and keep_newest {keep_newest}", hint="give 0 or more"
        )
    rules: list[dict[str, object]] = []
    if untagged_days:
        rules.append(
            {
                "rulePriority": 1,
                "description": f"untagged images expire after {untagged_days} "
                + ("day" if untagged_days == 1 else "days"),
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": untagged_days,
                },
                "action": {"type": "expire"},
            }
        )
    if keep_newest:
        rules.append(
            {
                "rulePriority": 2,
                "description": f"all images but the newest {keep_newest} expire",
                "selection": {
                    "tagStatus": "any",
                    "countType": "imageCountMoreThan",
                    "countNumber": keep_newest,
                },
                "action": {"type": "expire"},
            }
        )
    return json.dumps({"rules": rules}) if rules else None


def equal_policies(one: str, other: str) -> bool:
    """Whether two lifecycle policies say the same, however they are written."""
    return parse_policy(one) == parse_policy(other)


def parse_policy(policy: str) -> object:
    """A lifecycle policy as JSON values.

    Raises:
        InputError: Not a JSON object with rules.
    """
    try:
        parsed = json.loads(policy)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the lifecycle policy is not JSON: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("rules"), list) or not parsed["rules"]:
        raise InputError(
            "the lifecycle policy has no rules", hint='it begins {"rules": [{"rulePriority": 1, …'
        )
    return parsed


def policy_lines(current: str | None, wanted: str) -> tuple[str, ...]:
    """What is set, and what becomes of the current policy, one line per rule: ECR keeps one policy per repository.

    Args:
        current: JSON text; None if there is none.

        wanted: JSON text.
    """
    sets = tuple(f"sets rule {_rule(each)}" for each in json.loads(wanted)["rules"])
    if current is None:
        return (*sets, "there is no policy now")
    if equal_policies(current, wanted):
        return ("this policy is already set",)
    return (*sets, *(f"replaces rule {_rule(each)}" for each in json.loads(current)["rules"]))


def expiry_lines(
    expiring: Iterable[Expiry],
    running: Mapping[str, tuple[str, ...]],
    used: Mapping[str, tuple[str, ...]],
    images: Iterable[Image],
    parts: Parts,
) -> tuple[str, ...]:
    """What would expire, one line per image; used images are marked, since a policy does not spare them.

    A signature or the like is counted with its image if that expires, too; if the image stays, it has its own line.

    Args:
        images: All of the repository.

        parts: What belongs to what among them.

        running: What runs each image of the repository, by digest.

        used: What uses it, stored deploys as well.
    """
    lines: list[str] = []
    expiring, images = tuple(expiring), tuple(images)
    names = {image.digest: ", ".join(image.tags) or image.digest[:19] for image in images}
    going = frozenset(each.digest for each in expiring)
    # ECR removes referrers with their image, whatever the rules say about them.
    referrers = {image.digest for image in images if image.subject is not None}
    about = referrers | {image.digest for image in images if subject_of(image) is not None}
    about |= {digest for digest, kind in parts.kinds.items() if kind == "attestation"}
    for each in expiring:
        owners = parts.above(each.digest) if each.digest in about else frozenset()
        if owners & going:
            continue
        line = f"would expire by rule {each.rule}: {', '.join(each.tags) or '(untagged)'} {each.digest}"
        if owners:
            of = ", ".join(sorted(names.get(owner, owner) for owner in owners))
            line += f"; it is a part ({parts.kinds.get(each.digest, 'referrer')}) of {of}, which STAYS"
        if below := parts.below((each.digest,)) & about & (going | referrers):
            line += f"; with {len(below)} that belong to it ({', '.join(sorted({parts.kinds[one] for one in below}))})"
        if by := running.get(each.digest):
            line += f"; RUNS as {', '.join(sorted(by))}"
        elif by := used.get(each.digest):
            line += f"; USED by {', '.join(sorted(by))}"
        lines.append(line)
    return tuple(lines) or ("nothing would expire now",)


def counting_lines(policy: str, images: Iterable[Image]) -> tuple[str, ...]:
    """A note that a rule that keeps the newest images also counts signatures and the like, if there are any."""
    rules = json.loads(policy)["rules"]
    counts = any(each.get("selection", {}).get("countType") == "imageCountMoreThan" for each in rules)
    attached = sum(subject_of(image) is not None for image in images)
    if not counts or not attached:
        return ()
    return (
        f"ECR counts the {attached} signatures, attestations and other referrers here as images, so fewer images stay",
    )


def _rule(rule: dict[str, object]) -> str:
    rule_name = rule.get("description") or json.dumps(rule.get("selection"), sort_keys=True)
    return f"{rule.get('rulePriority')}: {rule_name}"
