"""Secrets by reference: where ECS reads them from when a container starts.

Source: Amazon ECS Developer Guide, "Pass sensitive data to an Amazon ECS container"; the ECS agent takes a Secrets Manager
ARN with none or all of `:json-key:version-stage:version-id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ecr_widgets.dockerrun.reading import step
from ecr_widgets.errors import InvalidDockerrun

_ARN = r"arn:aws[a-z-]*:"
_SECRET = re.compile(
    _ARN + r"secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+(?::[^:]*:[^:]*:[^:]*)?", re.ASCII
)
_PARAMETER = re.compile(_ARN + r"ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+|/?[\w.-]+(?:/[\w.-]+)*", re.ASCII)


def check_secrets(secrets: Iterable[Mapping[str, Any]], at: str, taken: Iterable[str]) -> None:
    """Refuse what ECS could not read when the container starts, and a name that is set twice.

    Args:
        taken: Names of the container's environment variables.

    Raises:
        InvalidDockerrun: With the place as JSON pointer; the reference is not shown, as it may be a secret itself.
    """
    names = set(taken)
    for number, secret in enumerate(secrets):
        place = step(at, number)
        if secret["name"] in names:
            raise InvalidDockerrun(
                f"{secret['name']!r} is set twice, as a secret and otherwise"
                if secret["name"] in taken
                else f"secret {secret['name']!r} is set twice",
                pointer=step(place, "name"),
                hint="keep one of them",
            )
        names.add(secret["name"])
        reference = secret["valueFrom"]
        if not (_SECRET.fullmatch(reference) or _PARAMETER.fullmatch(reference)):
            raise InvalidDockerrun(
                "it names no secret of Secrets Manager and no parameter of SSM",
                pointer=step(place, "valueFrom"),
                hint="give a secret's whole ARN, with none or all of :json-key:version-stage:version-id behind it"
                " (each may be empty), or a parameter's ARN or name",
            )
