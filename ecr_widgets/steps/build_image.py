"""Build an image from a Dockerfile."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ecr_widgets.approved_files import context_sha256
from ecr_widgets.errors import AuthorizationError, BuildError, EcrWidgetsError, InvalidReference
from ecr_widgets.model.amounts import size
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import BuildContext, find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.dockerfile import DOCKER_HUB, registries_of
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import RegistryId, Sameness, registry_id_of
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.build_secrets import kept_secrets, refuse_secret_arguments, secrets_of
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from ecr_widgets.steps.shared.repeats import persist
from ecr_widgets.steps.step import NOT_YET, Step

_LARGE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """The local image under its name; `image_id` is what its engine calls it."""

    image: str
    image_id: str
    changed: bool
    builder: str = ""
    """What built it, such as `BuildKit by buildx 0.29`."""


@dataclass(frozen=True, slots=True)
class Buildable:
    """What was found before the build."""

    context: BuildContext
    options: BuildOptions
    builder: str
    """What will build it, in words."""


@dataclass(frozen=True)
class BuildImage(Step[Buildable, BuildOutcome]):
    """Build an image from a folder with a Dockerfile, and give it a local name.

    Args:
        context: Folder that is sent to the engine.

        name: Local name of the image, such as `xfra/wait`.

        dockerfile: Path relative to the context, or an absolute one.

        build_args: Values of the Dockerfile's ARGs. They stay in the image's history, so secrets are refused.

        target: The stage to stop at.

        platform: Such as `linux/arm64`; several with commas between make an index.

        pull: Look for base images in their registries even if the engine has them.

        labels: Labels of the image.

        secrets: By the id that the Dockerfile mounts: the name of the environment variable that holds the secret; as a
            list, each `ID=VARIABLE`, or a variable with the same name as the id.

        cache_from: Images whose layers may be used instead of building them, separated by commas; without a host in the
            account's registry.

        cache_to: Images that the build's cache is written to, likewise.

        provenance: Attach to the image how it was built. This makes it an index, a different one for each build.

    Raises:
        InvalidReference: Not a name for an image.

        BuildRefused: The Dockerfile is missing, or asks for something that the builder cannot do.

        BuildError: A step failed.

        InputError: A build argument is or looks like a secret, or a secret's variable is not set.

        AuthorizationError: The account's registry refused the token, and also a new one.
    """

    asks: ClassVar = ("Docker Engine: POST /build",)

    context: str | Path
    _: KW_ONLY
    name: str
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] | None = None
    target: str = ""
    platform: str = ""
    pull: bool = False
    labels: Mapping[str, str] | None = None
    secrets: Mapping[str, str] | Sequence[str] = ()
    cache_from: str = ""
    cache_to: str = ""
    provenance: bool = False

    def options(self, outside: Outside) -> BuildOptions:
        """The options as the builders take them; cache images without a host are in the account's registry.

        Raises:
            InputError: An option that no builder accepts.
        """
        options = BuildOptions.read(
            self.dockerfile,
            build_args=self.build_args or {},
            target=self.target,
            platform=self.platform,
            pull=self.pull,
            labels=self.labels or {},
            secrets=self.secrets,
            cache_from=self.cache_from,
            cache_to=self.cache_to,
            provenance=self.provenance,
        )
        if not (options.cache_from or options.cache_to):
            return options
        host = outside.session.token().registry

        def of_account(images: tuple[ImageReference, ...]) -> tuple[ImageReference, ...]:
            return tuple(each if each.registry else replace(each, registry=host) for each in images)

        return replace(
            options, cache_from=of_account(options.cache_from), cache_to=of_account(options.cache_to)
        )

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {
            "context": str(self.context),
            **outside.files.whereabouts(self.context),
            "dockerfile": self.dockerfile,
            "name": self.name,
            "build_args": sorted(self.build_args or {}),
            **self.options(outside).given(),
        }

    def look(self, outside: Outside, progress: ProgressSink) -> Buildable:
        check_local_name(self.name)
        options = self.options(outside)
        context = find_context(outside.files.find(self.context), options.dockerfile)
        refuse_secret_arguments(options.build_args)
        for each in kept_secrets(context.dockerfile_content().decode(errors="replace")):
            warnings.warn(f"{options.dockerfile}: {each}", stacklevel=3)
        builder = outside.engine.check_build(context, options)
        _warn_if_large(context)
        for secret in secrets_of(options).values():
            outside.connections.register_secret(secret)
        return Buildable(context, options, builder)

    def plan(self, outside: Outside, found: Buildable) -> BuildOutcome:
        return BuildOutcome(str(check_local_name(self.name)), NOT_YET, changed=True, builder=found.builder)

    def plan_record(self, outside: Outside, found: Buildable, planned: BuildOutcome) -> dict[str, Any]:
        # What is approved is this content: the image's id is not known before the build.
        return {
            "image": planned.image,
            "image_id": NOT_YET,
            "context_sha256": context_sha256(found.context),
            "builder": found.builder,
            "changed": True,
        }

    def act(self, outside: Outside, found: Buildable, progress: ProgressSink) -> BuildOutcome:
        approved = outside.files.approved.context(str(self.context), self.dockerfile, found.context.folder)
        with approved as (folder, dockerfile):
            context, options = find_context(folder, dockerfile), replace(found.options, dockerfile=dockerfile)
            return self._build(outside, replace(found, context=context, options=options), progress)

    def _build(self, outside: Outside, found: Buildable, progress: ProgressSink) -> BuildOutcome:
        image = str(check_local_name(self.name))
        options = found.options
        asked = found.context.read_dockerfile().images(options.build_args)
        named = registries_of(
            [*(each.image for each in asked), *map(str, (*options.cache_from, *options.cache_to))]
        )
        before = outside.engine.find_image_id(image)

        def build(logins: Sequence[AuthorizationToken] = ()) -> str:
            def once() -> str:
                return outside.engine.build(
                    found.context, options=options, tags=[image], logins=logins, progress=progress
                )

            return persist("build", once, clock=outside.clock, progress=progress)

        own, others = _in_ecr(outside.session, named)
        if not own and not others:
            image_id = build()
            return BuildOutcome(image, image_id, changed=before != image_id, builder=found.builder)

        def build_with(token: AuthorizationToken, *more: AuthorizationToken) -> str:
            return build([*(replace(token, registry=host) for host in own), *more])

        step = outside.session.for_step()
        try:
            image_id = step.use(lambda token: build_with(token, *_tokens(outside, others)))
        except AuthorizationError as refused:
            if not others:
                raise
            try:
                # To other accounts' registries this user's own logins may be the right ones.
                image_id = step.use(build_with)
            except AuthorizationError:
                raise refused from None
        return BuildOutcome(image, image_id, changed=before != image_id, builder=found.builder)


def _warn_if_large(context: BuildContext) -> None:
    """Say how large a context is that takes long to send: else nobody sees why the build does not begin."""
    largest, largest_bytes, whole_bytes = "", 0, 0
    # A builder may not need what cannot be read.
    with suppress(BuildError):
        for each in context.sent():
            size_bytes = each.status.st_size if stat.S_ISREG(each.status.st_mode) else 0
            whole_bytes += size_bytes
            if size_bytes > largest_bytes:
                largest, largest_bytes = each.name, size_bytes
    if whole_bytes > _LARGE_BYTES:
        warnings.warn(
            f"the build context {str(context.folder)!r} has {size(whole_bytes)}, {size(largest_bytes)} of it in"
            f" {largest!r}, and takes long to send; name in .dockerignore what the build does not need",
            stacklevel=4,
        )


def _in_ecr(session: RegistrySession, registries: Sequence[str]) -> tuple[list[str], dict[str, RegistryId]]:
    """Those that are the account's own registry, by any of its names; and those of other accounts and regions."""
    if not any(host != DOCKER_HUB for host in registries):
        return [], {}
    try:
        registry = session.registry()
    except EcrWidgetsError:
        # Base images in other registries need no AWS; for one in ECR the user's own login may do.
        return [], {}
    own = [host for host in registries if registry.sameness(host) is Sameness.SAME]
    ids = {host: registry_id_of(host) for host in registries if host not in own}
    return own, {host: each for host, each in ids.items() if each is not None}


def _tokens(outside: Outside, others: Mapping[str, RegistryId]) -> list[AuthorizationToken]:
    """Tokens for other ECR registries: a token is good for all of its region that let its identity in.

    Source: Amazon ECR user guide, "Private registry authentication in Amazon ECR".
    """
    ours = outside.session.registry().id
    tokens = []
    for host, theirs in others.items():
        region = "" if ours is not None and ours.region == theirs.region else theirs.region
        # In another partition this identity is unknown.
        with suppress(EcrWidgetsError):
            tokens.append(replace(outside.session_of("", region).token(), registry=host))
    return tokens


def check_local_name(name: str) -> ImageReference:
    """Read the name that a built image gets.

    Raises:
        InvalidReference: Not a name for an image, or a name that the engine refuses.
    """
    reference = ImageReference.parse(name)
    if reference.registry is not None and reference.registry != reference.registry.lower():
        # Hosts may have capitals; engines take them as part of the repository's name if no dot or port follows.
        raise InvalidReference(
            f"local name {name!r} refused: it has capital letters", hint="write it in lower case"
        )
    return reference
