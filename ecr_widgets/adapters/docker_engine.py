"""The Docker Engine through docker-py.

Its streams answer 200 and report failures inside, so every event is checked. The token is sent with each call and is not
stored.

Source: Docker Engine API, ImageBuild, ImagePush, ImagePull.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ecr_widgets.adapters.build_tool import find_build_tool
from ecr_widgets.adapters.builder import Builder
from ecr_widgets.adapters.buildkit import build_with_buildkit
from ecr_widgets.adapters.classic_build import build_by_call
from ecr_widgets.adapters.engine_connection import EngineConnection, auth_of
from ecr_widgets.adapters.engine_events import LayerProgress, pull_error, push_error, pushed_digest
from ecr_widgets.adapters.saved_image import is_index
from ecr_widgets.docker_library import APIError, NotFound
from ecr_widgets.errors import BuildError, EngineError, ImageNotFound, InvalidReference, PushError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import BuildContext
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.engine_facts import EngineFacts, HeldImage, ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import ProgressSink

_BARE_ID = re.compile(r"[0-9a-f]{64}")


class DockerEngine:
    """Implements `ports.Engine` for the engine that the docker command would use."""

    def __init__(self, connection: EngineConnection | None = None) -> None:
        self._connection = connection or EngineConnection()

    @property
    def _api(self) -> Any:
        return self._connection.client.api

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    def facts(self) -> EngineFacts:
        return self._connection.facts

    def find_image_id(self, image: str) -> str | None:
        found = self._inspected(image)
        return None if found is None else str(found["Id"])

    def look_at(self, image: str) -> HeldImage | None:
        found = self._inspected(image)
        if found is None:
            return None
        kind = str((found.get("Descriptor") or {}).get("mediaType", ""))
        is_index = "manifest.list" in kind or "image.index" in kind if kind else None
        if not self.facts().ids_are_manifests:
            is_index = False
        return HeldImage(str(found["Id"]), _references(found.get("RepoDigests") or ()), is_index)

    def holds_index(self, image_id: str) -> bool:
        held = self.look_at(image_id)
        if held is None or held.is_index is not None:
            return held is not None and bool(held.is_index)
        return self._connection.ask(lambda: is_index(self._api.get_image(image_id), image_id))

    def _inspected(self, image: str) -> Mapping[str, Any] | None:
        # Podman reads an id of 64 digits as a name unless it has the prefix sha256:.
        asked = f"sha256:{image}" if _BARE_ID.fullmatch(image) else image

        def call() -> Mapping[str, Any] | None:
            try:
                found: Mapping[str, Any] = self._api.inspect_image(asked)
                str(found["Id"])
            except NotFound:
                return None
            except APIError as error:
                # No image can have that name; engines before 25 report it as not found.
                if "invalid reference format" not in str(error).lower():
                    raise
                return None
            return found

        return self._connection.ask(call)

    def check_build(self, context: BuildContext, options: BuildOptions) -> str:
        return str(self._checked_builder(context, options))

    def build(
        self,
        context: BuildContext,
        *,
        options: BuildOptions,
        tags: Sequence[str],
        logins: Sequence[AuthorizationToken],
        progress: ProgressSink,
    ) -> str:
        builder = self._checked_builder(context, options)
        # With provenance every build makes a new index: tag it only if its images are new.
        named = () if options.provenance else tags
        given: dict[str, Any] = {"tags": named, "logins": logins, "progress": progress}
        if builder.tool is None:
            image_id = build_by_call(self._connection, context, options, **given)
        else:
            environ = self._connection.address.environ()
            reported = build_with_buildkit(builder.tool, context, options, environ=environ, **given)
            # Use the id that the tool reports if the engine knows it; an older tool reports none.
            known = (self.find_image_id(each) for each in (reported, *named[:1]) if each)
            image_id = next((each for each in known if each), None)
        if image_id is None:
            raise BuildError("the build ended without an image: the engine has none", hint="build again")
        if options.provenance and (existing := self._same_but_for_provenance(tags, image_id)):
            return existing
        if options.provenance or builder.tool is None:
            for tag in tags[len(named[:1]) :]:
                self.tag(image_id, ImageReference.parse(tag))
        return image_id

    def _same_but_for_provenance(self, tags: Sequence[str], made: str) -> str | None:
        """The image that already has the first tag, if it holds the same images; the new one is then removed. Else None."""
        existing = self.find_image_id(tags[0]) if tags else None
        if existing is None or existing == made or self._images_in(existing) != self._images_in(made):
            return None
        self._connection.ask(lambda: self._api.remove_image(made))
        return existing

    def _images_in(self, image_id: str) -> set[str]:
        """Digests of the images that an index lists, without their attachments; needs engine 28."""

        def call() -> set[str]:
            api = self._api
            url = api._url("/images/{0}/json", image_id)
            listed = api._result(api._get(url, params={"manifests": 1}), json=True)["Manifests"]
            return {str(each["ID"]) for each in listed if each["Kind"] == "image"}

        return self._connection.ask(call)

    def builder(self) -> Builder:
        facts = self.facts()
        return Builder(facts, find_build_tool(os.environ) if facts.takes_buildkit else None)

    def _checked_builder(self, context: BuildContext, options: BuildOptions) -> Builder:
        builder = self.builder()
        builder.check(context, options)
        return builder

    def tag(self, source: str, target: ImageReference) -> None:
        def call() -> None:
            try:
                self._api.tag(source, target.name, target.tag)
            except NotFound as error:
                raise ImageNotFound(
                    f"no local image {source!r} on the engine", hint="build or pull it first"
                ) from error

        self._connection.ask(call)

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str | None:
        if image.tag is None:
            # Without a tag the engine would push every tag of the repository.
            raise PushError(f"{image} has no tag, and a push needs one", hint="add a tag, such as a version")
        log: list[str] = []
        digest = None
        watch = LayerProgress(progress)
        for event in self._connection.events(
            lambda: self._api.push(image.name, tag=image.tag, auth_config=auth_of(token), stream=True),
            lambda text: push_error(image, text, log),
            # Podman reports nothing until everything is sent.
            may_be_silent=self.facts().store is ImageStore.PODMAN,
        ):
            watch(event)
            if event.get("status") and "progressDetail" not in event:
                log.append(str(event["status"]))
            digest = pushed_digest(event, image.tag) or digest
        return digest

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        wanted = image.digest or image.tag or "latest"
        watch = LayerProgress(progress)
        for event in self._connection.events(
            lambda: self._api.pull(image.name, tag=wanted, auth_config=auth_of(token), stream=True),
            lambda text: pull_error(image, text),
        ):
            watch(event)
        # A reference with tag and digest is pulled by its digest, and known afterwards by it alone.
        pulled = f"{image.name}@{wanted}" if image.digest else f"{image.name}:{wanted}"
        image_id = self.find_image_id(pulled)
        if image_id is None:
            raise EngineError(
                f"pulled {image}, but the engine does not have it",
                hint="something may remove images there (a prune): pull again",
            )
        return image_id


def _references(listed: Iterable[str]) -> tuple[ImageReference, ...]:
    found = []
    for each in listed:
        # An untagged image is listed as <none>@….
        with suppress(InvalidReference):
            found.append(ImageReference.parse(each))
    return tuple(reference for reference in found if reference.digest is not None)
