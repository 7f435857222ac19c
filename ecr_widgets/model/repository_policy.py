"""Who else may use a repository according to its policy. What is not understood counts as anybody.

Source: Amazon ECR user guide, "Private repository policies"; IAM user guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:(?:iam|sts)::)?(\d{12})(?::.+)?", re.ASCII)
ANYBODY = "anybody"


def others_allowed(policy: str | None, account: str) -> tuple[str, ...]:
    """Who is allowed anything by a repository policy, other than the account's own principals.

    Conditions are ignored: they narrow down who it is, but seldom to the account.

    Args:
        policy: JSON text; None if there is none, so that only the account's own policies count.
    """
    if policy is None:
        return ()
    try:
        document = json.loads(policy)
        statements = document["Statement"]
        allowed = [each for each in _listed(statements) if each["Effect"] != "Deny"]
        names = [name for each in allowed for name in _principals(each)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return (ANYBODY,)
    return tuple(dict.fromkeys(name for name in names if not _is_of(name, account)))


def _is_of(principal: str, account: str) -> bool:
    match = _ACCOUNT.fullmatch(principal)
    return match is not None and match[1] == account


def _principals(statement: dict[str, Any]) -> Iterator[str]:
    principal = statement.get("Principal", "*")
    if isinstance(principal, str):
        yield ANYBODY if principal == "*" else principal
        return
    for kind, names in principal.items():
        for name in _listed(names):
            if name == "*":
                yield ANYBODY
            else:
                yield name if kind == "AWS" else f"{kind} {name}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
