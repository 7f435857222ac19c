"""Environment variables as they are typed into a panel: one per line, so that a value may hold anything else."""

from __future__ import annotations

import re

from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_LINE = re.compile(r"(?:(\S+)\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def parsed_variables(text: str, container: str) -> dict[str, dict[str, str]]:
    """Variables by container.

    Args:
        text: One per line: `NAME=value`, or `CONTAINER NAME=value` for another container.

        container: The container for variables that name none.

    Raises:
        InputError: A line is not a variable, or has no container, or looks like a secret.
    """
    values: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError("the variables cannot be read", hint="type NAME=value, one per line")
        of = match[1] or container
        if not of:
            raise InputError("a variable needs a container to be set in", hint="name the container")
        refuse_secrets({match[2]: match[3]}, SecretRegistry())
        values.setdefault(of, {})[match[2]] = match[3]
    return values


def without_secrets(text: str) -> str:
    """The lines that are variables and do not look like secrets."""
    return "\n".join(line for line in text.splitlines() if _is_harmless(line))


def _is_harmless(line: str) -> bool:
    try:
        parsed_variables(line, "any")
    except EcrWidgetsError:
        return False
    return True
