"""Build an image from a Dockerfile."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.errors import BuildError, InputError, InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, ProgressSink, ignore_progress
from ecr_widgets.redaction import SecretRegistry
from ecr_widgets.secret_parameters import what_secret

_GIVEN = re.compile(r"\s*(?:ARG|ENV)\s+(?P<name>\w+)[=\s](?P<value>\S+)", re.IGNORECASE)
_COPIED = re.compile(
    r"\s*(?:COPY|ADD)\s(?:.*[\s/])?(?P<file>\.env|\.netrc|\.npmrc|\.pypirc|id_(?:rsa|ed25519|ecdsa)|credentials|\S+\.pem)\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """The local image under its name; `image_id` is the digest of its config."""

    image: str
    image_id: str
    changed: bool


def build_image(
    engine: Engine,
    context: Path,
    *,
    name: str,
    dockerfile: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    progress: ProgressSink = ignore_progress,
) -> BuildOutcome:
    """Build the image and give it a local name.

    Args:
        context: Folder that is sent to the engine.

        name: Local name of the image, such as `xfra/wait`.

        dockerfile: Path of the Dockerfile, relative to the context.

        build_args: Values of the Dockerfile's ARGs. They stay in the image's history, so secrets are refused.

    Raises:
        InvalidReference: Not a name for an image.

        BuildError: The Dockerfile is missing or a step failed.

        InputError: A build argument is or looks like a secret.
    """
    reference = check_local_name(name)
    check_context(context, dockerfile)
    refuse_secret_arguments(build_args or {})
    for each in kept_secrets((context / dockerfile).read_text(errors="replace")):
        warnings.warn(f"{dockerfile}: {each}", stacklevel=3)
    before = engine.find_image_id(str(reference))
    image_id = engine.build(
        context, dockerfile=dockerfile, tags=[str(reference)], build_args=build_args or {}, progress=progress
    )
    return BuildOutcome(str(reference), image_id, changed=before != image_id)


def refuse_secret_arguments(build_args: Mapping[str, str]) -> None:
    """Refuse arguments that everybody who has the image could read in its history; a message never shows the value.

    Raises:
        InputError: One is or looks like a secret.
    """
    if not build_args:
        return
    known = SecretRegistry()
    known.register_environment(os.environ)
    for name, value in build_args.items():
        why = what_secret(name, value, known)
        if why is not None:
            raise InputError(
                f"build argument {name!r} refused: its value {why}, and the image's history keeps it",
                hint="give it to the container when it starts, or fetch what it opens before the build",
            )


def kept_secrets(dockerfile: str) -> list[str]:
    """What in a Dockerfile's text looks as if a secret would stay in the image, one text each, without values."""
    found = []
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        given = _GIVEN.match(line)
        if given and what_secret(given["name"], given["value"].strip("\"'"), SecretRegistry()):
            found.append(f"line {number} keeps {given['name']} in the image's history")
        copied = _COPIED.match(line)
        if copied:
            found.append(
                f"line {number} copies {copied['file']} into a layer, where a later RUN rm leaves it"
            )
    return found


def check_local_name(name: str) -> ImageReference:
    """Read the name that a built image gets.

    Raises:
        InvalidReference: Not a name for an image, or one that the engine refuses when it is told.
    """
    reference = ImageReference.parse(name)
    if reference.registry is not None and reference.registry != reference.registry.lower():
        # Hosts may have capitals; engines take them for a part of the repository's name where no dot or port follows.
        raise InvalidReference(
            f"local name {name!r} refused: it has capital letters", hint="write it in lower case"
        )
    return reference


def check_context(context: Path, dockerfile: str) -> None:
    """Refuse a folder that cannot be built.

    Raises:
        BuildError: No folder, or no Dockerfile in it.
    """
    if not context.is_dir():
        raise BuildError(f"the build context {str(context)!r} is not a folder", hint="check the path")
    if not (context / dockerfile).is_file():
        raise BuildError(
            f"no Dockerfile {dockerfile!r} in the build context {str(context)!r}",
            hint="give its path relative to the context",
        )
