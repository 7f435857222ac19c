"""What of a Dockerrun may be a secret and is shown as something else, by its name or by what it looks like."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ecr_widgets.model.dockerrun_form import OWN_KEYS

MASK = "***"
_NAMES = "PASS|TOKEN|KEY|SECRET|PWD|CREDENTIAL"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# As in `--db-password=…` and `TOKEN=… start`. Bounded, so that no long word takes for ever.
_ASSIGNED = re.compile(rf"((?:{_NAMES})[\w-]{{0,40}}=)[^\s\"']+", re.IGNORECASE)
# As keys are: long, without spaces, of all kinds of letters.
_RANDOM = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[\w+/=.~-]{20,}", re.ASCII)


def may_be_secret(name: str, value: object) -> bool:
    """Whether a name of people's own says so, or the value looks like a key."""
    return _SECRET_NAME.search(name) is not None or _is_random(value)


def masked(value: Any, hide: Callable[[Any], str], *, own: bool = False) -> Any:
    """The value, with what may be a secret in it hidden.

    Args:
        hide: What is shown instead.

        own: Whether it is a map from names of people's own, such as environment variables.
    """
    if isinstance(value, dict):
        return {
            key: hide(item) if own and may_be_secret(key, item) else masked(item, hide, own=key in OWN_KEYS)
            for key, item in value.items()
        }
    if isinstance(value, list):
        secret = secret_arguments(value)
        return [
            hide(item) if isinstance(item, str) and item in secret else masked(item, hide) for item in value
        ]
    if isinstance(value, str):
        return _ASSIGNED.sub(rf"\1{MASK}", _PASSWORD_IN_ADDRESS.sub(rf"\1{MASK}@", value))
    return value


def secret_arguments(listed: Sequence[Any]) -> frozenset[str]:
    """Texts of a list that the one before asks for as a secret, as `--password` does, or that look like a key."""
    return frozenset(
        item
        for before, item in pairwise(("", *listed))
        if isinstance(item, str) and (_asks_for_secret(before) or _is_random(item))
    )


def _asks_for_secret(argument: Any) -> bool:
    return (
        isinstance(argument, str)
        and argument.startswith("-")
        and "=" not in argument
        and _SECRET_NAME.search(argument) is not None
    )


def _is_random(value: object) -> bool:
    return isinstance(value, str) and _RANDOM.fullmatch(value) is not None
