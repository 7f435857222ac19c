"""The policy of a gate: what must be proven of an image before it runs somewhere, or is copied somewhere.

Written by hand, in YAML or JSON, so each member that means nothing is an error: one that is misspelled would ask for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec

from ecr_widgets.errors import InputError
from ecr_widgets.model.ecs_names import bare_cluster, is_ecs

Count = Annotated[int, msgspec.Meta(ge=0)]
Days = Annotated[float, msgspec.Meta(gt=0)]
KeyName = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
_KEY_HELP = "a key is named by its 32 hex digits, as `ecr-widgets audit of IMAGE` shows them"


class Did(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run must have done with the same image elsewhere."""

    environment: str
    verb: Literal["deployed"] = "deployed"


class FindingLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Most findings of each severity; those that are left out do not count."""

    scanned_within_days: Days
    """Age of the scan, in days."""
    critical: Count | None = None
    high: Count | None = None
    medium: Count | None = None
    low: Count | None = None
    informational: Count | None = None
    undefined: Count | None = None

    def exceeded(self, counts: Mapping[str, int]) -> list[str]:
        """What is above its limit, in words."""
        limits = {
            name: getattr(self, name) for name in self.__struct_fields__ if name != "scanned_within_days"
        }
        return [
            f"{found} {name}, and {limit} are allowed"
            for name, limit in limits.items()
            if limit is not None and (found := counts.get(name.upper(), 0)) > limit
        ]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of an image in one place."""

    keys: Annotated[tuple[KeyName, ...], msgspec.Meta(min_length=1)]
    """Keys whose statements count."""
    runbooks: tuple[str, ...] = ()
    """Runbooks of which one must have a proven run about the image; empty for any."""
    verdict: Literal["proven"] = "proven"
    did: Did | None = None
    approved: bool = False
    """Whether another person must have approved one of these runs, by another key than the one that asked."""
    max_age_days: Days | None = None
    """Statements that are older do not count, in days."""
    findings: FindingLimits | None = None
    """Asked of ECR at that moment."""
    without_evidence: tuple[str, ...] = ()
    """Repositories with their registries, with `*` for anything, whose images need none, such as those of side-cars."""
    mode: Literal["refuse", "warn"] = "refuse"

    def needs_none(self, repository: str) -> bool:
        """Whether images of a repository, with its registry, need no evidence."""
        return any(fnmatchcase(repository, pattern) for pattern in self.without_evidence)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    environments: dict[str, Rules] = {}
    repositories: dict[str, Rules] = {}


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """A policy file as it was read."""

    sha256: str
    """Of the file, in hexadecimal."""
    environments: Mapping[str, Rules]
    """By name or id as Layer0 has it; a cluster of ECS by `ecs:` and its name, whichever form the file has."""
    repositories: Mapping[str, Rules]
    """By name, with `*` for anything; with the registry in front or without."""

    def of_environment(self, names: Iterable[str]) -> tuple[Rules, ...]:
        """What is asked in an environment of these names, each in any form."""
        keys = dict.fromkeys(environment_key(each) for each in names)
        return tuple(self.environments[each] for each in keys if each in self.environments)

    def of_repository(self, registry: str, name: str) -> tuple[Rules, ...]:
        """What is asked of images that are copied to a repository; all of it, where several patterns match."""
        return tuple(
            rules
            for pattern, rules in self.repositories.items()
            if fnmatchcase(name, pattern) or fnmatchcase(f"{registry}/{name}", pattern)
        )


def environment_key(environment: str) -> str:
    """The same for all forms of one cluster's name.

    >>> environment_key("arn:aws:ecs:us-east-1:111222333444:cluster/demo"), environment_key("demo")
    ('ecs:demo', 'demo')
    """
    return f"ecs:{bare_cluster(environment)}" if is_ecs(environment) else environment


def read_policy(document: Any, sha256: str) -> GatePolicy:
    """Read a policy.

    Args:
        document: As YAML or JSON has it, with plain words as texts.

        sha256: Of its file, in hexadecimal.

    Raises:
        InputError: It is none; the message names the place.
    """
    try:
        told = msgspec.convert(document, _Document, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"the policy cannot be used: {error}", hint=_hint(str(error))) from error
    environments: dict[str, Rules] = {}
    for name, rules in told.environments.items():
        key = environment_key(name)
        if key in environments:
            raise InputError(
                f"the policy cannot be used: it has rules for {key!r} twice", hint="join them under one name"
            )
        environments[key] = rules
    return GatePolicy(sha256, environments, told.repositories)


def _hint(why: str) -> str | None:
    unknown = re.search("unknown field `([^`]*)`", why)
    if unknown is None:
        return _KEY_HELP if "regex" in why else None
    # One that another object has is known there.
    near = get_close_matches(unknown[1], _MEMBERS - {unknown[1]}, n=1)
    return f"did you mean {near[0]!r}?" if near else "docs/gate.md lists what a policy may have"


_MEMBERS = frozenset(
    name for each in (_Document, Rules, Did, FindingLimits) for name in each.__struct_fields__
)
