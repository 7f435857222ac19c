"""A gate's policy: what must be proven about an image before it runs somewhere, or is copied somewhere.

It is written by hand, in YAML or JSON, so every unknown member is an error: a misspelled one would demand nothing.
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
    """The most findings allowed per severity; a severity left out does not count."""

    scanned_within_days: Days
    """The most that the scan may be old, in days."""
    critical: Count | None = None
    high: Count | None = None
    medium: Count | None = None
    low: Count | None = None
    informational: Count | None = None
    undefined: Count | None = None

    def exceeded(self, counts: Mapping[str, int]) -> list[str]:
        """What exceeds its limit, in words."""
        limits = {
            name: getattr(self, name) for name in self.__struct_fields__ if name != "scanned_within_days"
        }
        return [
            f"{found} {name}, and {limit} are allowed"
            for name, limit in limits.items()
            if limit is not None and (found := counts.get(name.upper(), 0)) > limit
        ]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is required of an image in one place."""

    keys: Annotated[tuple[KeyName, ...], msgspec.Meta(min_length=1)]
    """Keys whose statements count."""
    runbooks: tuple[str, ...] = ()
    """One of these runbooks must have a proven run about the image; empty for any."""
    verdict: Literal["proven"] = "proven"
    did: Did | None = None
    approved: bool = False
    """Whether another person must have approved one of these runs, with a different key than the requester's."""
    max_age_days: Days | None = None
    """Older statements do not count, in days."""
    findings: FindingLimits | None = None
    """Checked with ECR when the gate decides."""
    without_evidence: tuple[str, ...] = ()
    """Repositories, including their registries, with `*` for anything, whose images need no evidence, such as side-cars."""
    mode: Literal["refuse", "warn"] = "refuse"

    def needs_none(self, repository: str) -> bool:
        """Whether images of a repository (registry included) need no evidence."""
        return any(fnmatchcase(repository, pattern) for pattern in self.without_evidence)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    environments: dict[str, Rules] = {}
    repositories: dict[str, Rules] = {}


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """A policy file as read."""

    sha256: str
    """SHA-256 of the file, in hexadecimal."""
    environments: Mapping[str, Rules]
    """By Layer0's name or id; an ECS cluster by `ecs:` and its name, whichever form the file uses."""
    repositories: Mapping[str, Rules]
    """By name, with `*` for anything, with or without the registry in front."""

    def of_environment(self, names: Iterable[str]) -> tuple[Rules, ...]:
        """What is required in an environment that has these names, each in any form."""
        keys = dict.fromkeys(environment_key(each) for each in names)
        return tuple(self.environments[each] for each in keys if each in self.environments)

    def of_repository(self, registry: str, name: str) -> tuple[Rules, ...]:
        """What is required of images copied to a repository; all of it if several patterns match."""
        return tuple(
            rules
            for pattern, rules in self.repositories.items()
            if fnmatchcase(name, pattern) or fnmatchcase(f"{registry}/{name}", pattern)
        )


def environment_key(environment: str) -> str:
    """One key for all forms of a cluster's name.

    >>> environment_key("arn:aws:ecs:us-east-1:111222333444:cluster/demo"), environment_key("demo")
    ('ecs:demo', 'demo')
    """
    return f"ecs:{bare_cluster(environment)}" if is_ecs(environment) else environment


def read_policy(document: Any, sha256: str) -> GatePolicy:
    """Parse a policy.

    Args:
        document: The parsed YAML or JSON, with plain words as strings.

        sha256: SHA-256 of its file, in hexadecimal.

    Raises:
        InputError: Not a policy; the message names the place.
    """
    try:
        policy = msgspec.convert(document, _Document, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"the policy cannot be used: {error}", hint=_hint(str(error))) from error
    environments: dict[str, Rules] = {}
    for name, rules in policy.environments.items():
        key = environment_key(name)
        if key in environments:
            raise InputError(
                f"the policy cannot be used: it has rules for {key!r} twice", hint="join them under one name"
            )
        environments[key] = rules
    return GatePolicy(sha256, environments, policy.repositories)


def _hint(why: str) -> str | None:
    unknown = re.search("unknown field `([^`]*)`", why)
    if unknown is None:
        return _KEY_HELP if "regex" in why else None
    # The name itself may be a valid member of another object.
    near = get_close_matches(unknown[1], _MEMBERS - {unknown[1]}, n=1)
    return f"did you mean {near[0]!r}?" if near else "docs/gate.md lists what a policy may have"


_MEMBERS = frozenset(
    name for each in (_Document, Rules, Did, FindingLimits) for name in each.__struct_fields__
)
