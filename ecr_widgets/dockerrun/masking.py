"""Which values of a Dockerrun may be secret, by their place, their name or what they look like, and are masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ecr_widgets.dockerrun.form import OWN_KEYS
from ecr_widgets.dockerrun.members import KEYED_LISTS, KNOWN_NAMES
from ecr_widgets.secrets.kinds import looks_random, mask_secrets, may_name_secret

MASK = "***"


def may_be_secret(name: str, value: object) -> bool:
    """Whether a user-defined name suggests a secret, or the value looks like a key."""
    return may_name_secret(name) or (isinstance(value, str) and looks_random(value))


def is_hidden(holder: str, name: str, value: object) -> bool:
    """Whether a value is hidden as a whole: in a map with user-defined names, or in a member that is not known here.

    Every value of an environment variable is hidden, since it is not known which are secrets. A `valueFrom` is shown,
    unless it looks like a secret itself.
    """
    if holder == "environment":
        return True
    if holder in OWN_KEYS:
        return may_be_secret(name, value)
    if name == "valueFrom":
        # A name or an ARN belongs here; a secret put here by mistake looks random.
        return isinstance(value, str) and not value.startswith("/") and looks_random(value)
    return name not in KNOWN_NAMES and holder not in KEYED_LISTS and may_name_secret(name)


def masked(value: Any, hide: Callable[[Any], str], *, holder: str = "") -> Any:
    """The value with everything in it hidden that may be a secret.

    Args:
        hide: Returns what is shown instead of a value.

        holder: Name of the member that holds the value.
    """
    if isinstance(value, dict):
        return {
            key: hide(item) if is_hidden(holder, key, item) else masked(item, hide, holder=key)
            for key, item in value.items()
        }
    if isinstance(value, list):
        secret = secret_arguments(value)
        return [
            hide(item) if isinstance(item, str) and item in secret else masked(item, hide) for item in value
        ]
    return mask_secrets(value, MASK) if isinstance(value, str) else value


def secret_arguments(listed: Sequence[Any]) -> frozenset[str]:
    """The texts of a list that follow an option for a secret, such as `--password`, or that look like a key."""
    is_curl = any(isinstance(item, str) and item.endswith("curl") for item in listed)
    return frozenset(
        item
        for before, item in pairwise(("", *listed))
        if isinstance(item, str)
        and (
            _asks_for_secret(before)
            or looks_random(item)
            or (is_curl and before in ("-u", "--user") and ":" in item)
        )
    )


def _asks_for_secret(argument: Any) -> bool:
    return (
        isinstance(argument, str)
        and argument.startswith("-")
        and "=" not in argument
        and may_name_secret(argument)
    )
