"""A policy is read strictly, since a misspelled rule would have no effect."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.gate_policy import GatePolicy, Rules, read_policy

KEY = "0f3c9a1e5b7d2f4860a1b2c3d4e5f607"
WHOLE: dict[str, Any] = {
    "version": "1",
    "environments": {
        "prod": {
            "keys": [KEY],
            "runbooks": ["release"],
            "verdict": "proven",
            "did": {"verb": "deployed", "environment": "staging"},
            "approved": "true",
            "max_age_days": "30",
            "findings": {"critical": "0", "high": "5", "scanned_within_days": "7"},
            "without_evidence": ["docker.io/library/envoy"],
            "mode": "refuse",
        }
    },
    "repositories": {"live/*": {"keys": [KEY]}},
}


def read(document: Any = WHOLE) -> GatePolicy:
    return read_policy(document, "5" * 64)


def changed(place: str, name: str, value: Any) -> dict[str, Any]:
    """Return the policy with one member of one of its objects changed or added."""
    document = copy.deepcopy(WHOLE)
    at: Any = document
    for each in filter(None, place.split("/")):
        at = at[each]
    at[name] = value
    return document


def test_every_rule_is_read_with_its_type() -> None:
    """Rules written as YAML texts are read with their types."""
    (rules,) = read().of_environment(["prod"])
    assert (rules.keys, rules.approved, rules.max_age_days, rules.mode) == ((KEY,), True, 30.0, "refuse")
    assert rules.findings is not None
    assert rules.findings.exceeded({"CRITICAL": 1, "HIGH": 5, "LOW": 99}) == ["1 critical, and 0 are allowed"]


WRONG = {
    "a rule that is misspelled": (changed("environments/prod", "runbook", ["release"]), "did you mean 'runbooks'"),
    "a limit that is misspelled": (changed("environments/prod/findings", "critcal", "0"), "did you mean 'critical'"),
    "another version": (changed("", "version", "2"), r"2.* at `\$.version`|version"),
    "no version": ({"environments": {}}, "version"),
    "no keys": (changed("environments/prod", "keys", []), "length >= 1"),
    "keys that are not given": (changed("environments", "prod", {}), "missing required field `keys`"),
    "a key's fingerprint in capitals": (changed("environments/prod", "keys", [KEY.upper()]), "32 hex digits"),
    "another verdict": (changed("environments/prod", "verdict", "unproven"), "unproven"),
    "another verb": (changed("environments/prod/did", "verb", "pushed"), "pushed"),
    "a mode that does not exist": (changed("environments/prod", "mode", "off"), "off"),
    "an age of nothing": (changed("environments/prod", "max_age_days", "0"), "max_age_days"),
    "an age that is no number": (changed("environments/prod", "max_age_days", "nan"), "max_age_days"),
    "a limit below 0": (changed("environments/prod/findings", "high", "-1"), "high"),
    "a scan of any age": (changed("environments/prod", "findings", {"high": "1"}), "scanned_within_days"),
    "an empty rule": (changed("environments", "prod", None), "prod|null"),
    "a list": ([], "array|list"),
    "nothing": (None, "null|None"),
    "one cluster under two names": (
        changed("", "environments", {each: {"keys": [KEY]} for each in (
            "ecs:a", "ecs:arn:aws:ecs:us-east-1:111222333444:cluster/a")}), "'ecs:a' twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_a_policy_may_not_have_is_an_error(name: str) -> None:
    """An invalid policy is an error that names the place or suggests the right name."""
    document, why = WRONG[name]
    with pytest.raises(InputError, match=why):
        read(document)


@pytest.mark.parametrize(
    ("registry", "repository", "has_rules"),
    [
        ("1.dkr.ecr.us-east-1.amazonaws.com", "live/app", True),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "live", False),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "LIVE/app", False),
        ("2.dkr.ecr.us-east-1.amazonaws.com", "only/there", True),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "only/there", False),
    ],
)
def test_a_repository_is_named_with_its_registry_or_without(
    registry: str, repository: str, *, has_rules: bool
) -> None:
    """A repository pattern with a registry applies to that registry only; without one, to all."""
    rules = Rules(keys=(KEY,))
    policy = GatePolicy("5" * 64, {}, {"live/*": rules, "2.dkr.ecr.us-east-1.amazonaws.com/only/*": rules})
    assert bool(policy.of_repository(registry, repository)) is has_rules
