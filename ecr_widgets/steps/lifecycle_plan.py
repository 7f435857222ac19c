"""A lifecycle policy before it is set, in words: its rules, what it replaces, and what it would expire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ecr_widgets.model.registry import Expiry
from ecr_widgets.steps.repository_upkeep import equal_policies


def told_policy(standing: str | None, wanted: str) -> tuple[str, ...]:
    """What is set, and what becomes of the policy that stands, a line a rule: ECR keeps one policy a repository.

    Args:
        standing: JSON text; None where there is none.

        wanted: JSON text.
    """
    sets = tuple(f"sets rule {_rule(each)}" for each in json.loads(wanted)["rules"])
    if standing is None:
        return (*sets, "no policy stands now")
    if equal_policies(standing, wanted):
        return ("just this policy stands already",)
    return (*sets, *(f"replaces rule {_rule(each)}" for each in json.loads(standing)["rules"]))


def told_expiries(
    expiring: Iterable[Expiry],
    running: Mapping[str, tuple[str, ...]],
    used: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """What would expire, a line an image; one that is used is marked, since a policy does not spare it.

    Args:
        running: What runs each image of the repository, by digest.

        used: What uses it, stored deploys as well.
    """
    lines = []
    for each in expiring:
        line = f"would expire by rule {each.rule}: {', '.join(each.tags) or '(untagged)'} {each.digest}"
        if by := running.get(each.digest):
            line += f"; RUNS as {', '.join(sorted(by))}"
        elif by := used.get(each.digest):
            line += f"; USED by {', '.join(sorted(by))}"
        lines.append(line)
    return tuple(lines) or ("nothing would expire now",)


def _rule(rule: dict[str, object]) -> str:
    told = rule.get("description") or json.dumps(rule.get("selection"), sort_keys=True)
    return f"{rule.get('rulePriority')}: {told}"
