"""Build an image from a Dockerfile."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ecr_widgets.errors import EcrWidgetsError, InputError, InvalidReference
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.dockerfile import DOCKER_HUB, registries_of
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import Sameness
from ecr_widgets.ports import Engine, ProgressSink, ignore_progress
from ecr_widgets.secrets.encodings import SHORTEST_SECRET
from ecr_widgets.secrets.parameters import what_secret
from ecr_widgets.secrets.redaction import SecretRegistry
from ecr_widgets.steps.login import RegistrySession

_GIVEN = re.compile(r"\s*(?:ARG|ENV)\s+(?P<name>\w+)[=\s](?P<value>\S+)", re.IGNORECASE)
_COPIED = re.compile(
    r"\s*(?:COPY|ADD)\s(?:.*[\s/])?(?P<file>\.env|\.netrc|\.npmrc|\.pypirc|id_(?:rsa|ed25519|ecdsa)|credentials|[^\s/]+\.pem)\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """The local image under its name; `image_id` is what its engine calls it."""

    image: str
    image_id: str
    changed: bool
    builder: str = ""
    """What built it, such as `BuildKit by buildx 0.29`."""


def build_image(
    engine: Engine,
    session: RegistrySession,
    context: Path,
    *,
    name: str,
    options: BuildOptions | None = None,
    register_secret: Callable[[str], None] = lambda _: None,
    progress: ProgressSink = ignore_progress,
) -> BuildOutcome:
    """Build the image and give it a local name.

    Args:
        session: Lets in where a base image or the cache is in the account's own registry.

        context: Folder that is sent to the engine.

        name: Local name of the image, such as `xfra/wait`.

        register_secret: Told each secret of the build, so that its output is shown without.

    Raises:
        InvalidReference: Not a name for an image.

        BuildError: The Dockerfile is missing, asks what the builder would not do, or a step failed.

        InputError: A build argument is or looks like a secret, or a secret's variable is not set.

        AuthorizationError: The account's registry refused the token, and so did it a new one.
    """
    reference = check_local_name(name)
    options = options or BuildOptions()
    found = find_context(context, options.dockerfile)
    refuse_secret_arguments(options.build_args)
    for each in kept_secrets(found.dockerfile.read_text(errors="replace")):
        warnings.warn(f"{options.dockerfile}: {each}", stacklevel=3)
    builder = engine.check_build(found, options)
    for secret in secrets_of(options).values():
        register_secret(secret)
    asked = found.read_dockerfile().images(options.build_args)
    named = registries_of(
        [*(each.image for each in asked), *map(str, (*options.cache_from, *options.cache_to))]
    )
    before = engine.find_image_id(str(reference))

    def build(logins: Sequence[AuthorizationToken] = ()) -> str:
        return engine.build(found, options=options, tags=[str(reference)], logins=logins, progress=progress)

    own = _own(session, named)
    image_id = (
        session.use(lambda token: build([replace(token, registry=host) for host in own])) if own else build()
    )
    return BuildOutcome(str(reference), image_id, changed=before != image_id, builder=builder)


def _own(session: RegistrySession, registries: Sequence[str]) -> list[str]:
    """Those that are the account's own registry, by whichever of its names."""
    if not any(host != DOCKER_HUB for host in registries):
        return []
    try:
        registry = session.registry()
    except EcrWidgetsError:
        # Base images of others need no AWS; for one of ECR's a login of the user's own may do.
        return []
    return [host for host in registries if registry.sameness(host) is Sameness.SAME]


def secrets_of(options: BuildOptions) -> dict[str, str]:
    """The build's secrets by their ids, from the variables that hold them.

    Raises:
        InputError: A variable is not set, or holds what is too short to be kept out of texts.
    """
    found = {}
    for name, variable in options.secrets.items():
        found[name] = os.environ.get(variable, "")
        if len(found[name]) < SHORTEST_SECRET:
            raise InputError(
                f"build secret {name!r} refused: the environment variable {variable}"
                + (f" holds fewer than {SHORTEST_SECRET} characters" if found[name] else " is not set"),
                hint="set it where the build runs; in a notebook by `os.environ[…] = getpass()`",
            )
    return found


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
        elif (what := what_secret("", line, SecretRegistry())) is not None:
            found.append(f"line {number} holds what {what}, and the image's history keeps it")
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
