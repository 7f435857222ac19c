"""Environment variables as they are typed into a panel: one a line, so that a value may hold anything else."""

from __future__ import annotations

import re

from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_LINE = re.compile(r"(?:(\S+)\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def parsed_variables(text: str, container: str) -> dict[str, dict[str, str]]:
    """Variables by container.

    Args:
        text: A line each: `NAME=value`, or `CONTAINER NAME=value` for another container.

        container: Where those are set that name none.

    Raises:
        InputError: A line is none, names no container where none is given, or looks like a secret.
    """
    values: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _LINE.fullmatch(line)
        if found is None:
            raise InputError("the variables cannot be read", hint="type NAME=value, one a line")
        of = found[1] or container
        if not of:
            raise InputError("variables are set in a container", hint="name the container")
        refuse_secrets({found[2]: found[3]}, SecretRegistry())
        values.setdefault(of, {})[found[2]] = found[3]
    return values


def without_secrets(text: str) -> str:
    """The lines that are variables and look like no secret."""
    return "\n".join(line for line in text.splitlines() if _is_harmless(line))


def _is_harmless(line: str) -> bool:
    try:
        parsed_variables(line, "any")
    except EcrWidgetsError:
        return False
    return True
