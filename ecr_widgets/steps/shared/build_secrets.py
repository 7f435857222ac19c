"""Secrets of a build: those that it needs, and those that would stay in its image."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ecr_widgets.errors import InputError
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.secrets.encodings import SHORTEST_SECRET
from ecr_widgets.secrets.parameters import what_secret
from ecr_widgets.secrets.redaction import SecretRegistry

_GIVEN = re.compile(r"\s*(?:ARG|ENV)\s+(?P<name>\w+)[=\s](?P<value>\S+)", re.IGNORECASE)
_COPIED = re.compile(
    r"\s*(?:COPY|ADD)\s(?:.*[\s/])?(?P<file>\.env|\.netrc|\.npmrc|\.pypirc|id_(?:rsa|ed25519|ecdsa)|credentials|[^\s/]+\.pem)\s",
    re.IGNORECASE,
)


def secrets_of(options: BuildOptions) -> dict[str, str]:
    """The build's secrets by their ids, from the variables that hold them.

    Raises:
        InputError: A variable is not set, or its value is too short to be masked.
    """
    secrets = {}
    for name, variable in options.secrets.items():
        secrets[name] = os.environ.get(variable, "")
        if len(secrets[name]) < SHORTEST_SECRET:
            raise InputError(
                f"build secret {name!r} refused: the environment variable {variable}"
                + (f" holds fewer than {SHORTEST_SECRET} characters" if secrets[name] else " is not set"),
                hint="set it where the build runs; in a notebook by `os.environ[…] = getpass()`",
            )
    return secrets


def refuse_secret_arguments(build_args: Mapping[str, str]) -> None:
    """Refuse secret arguments, which everybody who has the image could read in its history; a message never shows the value.

    Raises:
        InputError: An argument is or looks like a secret.
    """
    if not build_args:
        return
    known = SecretRegistry(os.environ)
    for name, value in build_args.items():
        why = what_secret(name, value, known)
        if why is not None:
            raise InputError(
                f"build argument {name!r} refused: its value {why}, and the image's history keeps it",
                hint="give it to the container when it starts, or fetch what it opens before the build",
            )


def kept_secrets(dockerfile: str) -> list[str]:
    """Where a Dockerfile seems to leave a secret in the image: one text for each place, without values."""
    kept = []
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        given = _GIVEN.match(line)
        if given and what_secret(given["name"], given["value"].strip("\"'"), SecretRegistry()):
            kept.append(f"line {number} keeps {given['name']} in the image's history")
        elif (what := what_secret("", line, SecretRegistry())) is not None:
            kept.append(f"line {number} holds what {what}, and the image's history keeps it")
        copied = _COPIED.match(line)
        if copied:
            kept.append(f"line {number} copies {copied['file']} into a layer, where a later RUN rm leaves it")
    return kept
