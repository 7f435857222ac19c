"""The Docker Engine by docker-py.

Its streams answer 200 and report failure inside, so every event is looked at; the token goes along with each call and is
kept by nobody.

Source: Docker Engine API, ImageBuild, ImagePush, ImagePull.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from docker.errors import DockerException, NotFound
from docker.utils.build import exclude_paths

from ecr_widgets.adapters.engine_connection import EngineConnection
from ecr_widgets.adapters.engine_events import LayerProgress, aux_of, pull_error, push_error, pushed_digest
from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.adapters.saved_image import is_index
from ecr_widgets.errors import BuildError, EngineError, ImageNotFound, InvalidReference, PushError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.engine import EngineFacts, ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

_KEPT_LOG_LINES = 1000
_BARE_ID = re.compile(r"[0-9a-f]{64}")


class DockerEngine:
    """Implements `ports.Engine` for the engine that the docker command would ask."""

    def __init__(self, connection: EngineConnection | None = None) -> None:
        self._connection = connection or EngineConnection()

    @property
    def _api(self) -> Any:
        return self._connection.client.api

    def close(self) -> None:
        """Close the connections to it."""
        self._connection.close()

    def facts(self) -> EngineFacts:
        return self._connection.facts

    def find_image_id(self, image: str) -> str | None:
        found = self._inspected(image)
        return None if found is None else str(found["Id"])

    def holds_index(self, image_id: str) -> bool:
        if not self.facts().ids_are_manifests:
            return False
        described = (self._inspected(image_id) or {}).get("Descriptor")
        if described:
            return "manifest.list" in described["mediaType"] or "image.index" in described["mediaType"]
        return self._connection.ask(lambda: is_index(self._api.get_image(image_id), image_id))

    def _inspected(self, image: str) -> Mapping[str, Any] | None:
        # Podman takes an id of 64 digits for a name unless it is told the kind of digest.
        asked = f"sha256:{image}" if _BARE_ID.fullmatch(image) else image

        def call() -> Mapping[str, Any] | None:
            try:
                found: Mapping[str, Any] = self._api.inspect_image(asked)
                str(found["Id"])
            except NotFound:
                return None
            return found

        return self._connection.ask(call)

    def build(
        self,
        context: Path,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        progress: ProgressSink,
    ) -> str:
        if not (context / dockerfile).is_file():
            raise BuildError(
                f"no Dockerfile {dockerfile!r} in the build context {str(context)!r}",
                hint="give its path relative to the context",
            )
        log: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
        image_id = None

        def start() -> Iterable[Any]:
            api = self._api
            try:
                sent: Iterable[Any] = api.build(
                    # Absolute, since docker-py takes a relative `github.com/…` for a remote one.
                    path=str(context.absolute()),
                    dockerfile=dockerfile,
                    tag=tags[0] if tags else None,
                    buildargs=dict(build_args),
                    rm=True,
                    forcerm=True,
                    # Proxies in the user's config may hold passwords; who needs them gives build_args.
                    use_config_proxy=False,
                )
            except (DockerException, requests.RequestException):
                raise
            except (OSError, ValueError) as error:
                raise BuildError(
                    f"the build context {str(context)!r} cannot be sent: {error}",
                    hint="check its files and .dockerignore",
                ) from error
            return sent

        def refused(text: str) -> BuildError:
            return BuildError(
                f"the build failed: {text}",
                log=tuple(log),
                hint="mend the step that the log names" if log else "mend what it names",
            )

        # The engine says nothing before it has the whole context.
        progress(Progress("build", "sending the context"))
        for event in self._connection.events(start, refused):
            text = str(event.get("stream") or "").rstrip()
            if text:
                log.extend(text.splitlines())
                progress(Progress("build", shortened(text.splitlines()[0])))
            image_id = aux_of(event, "ID") or image_id
        if image_id is None:
            raise BuildError(
                "the build ended without an image: the engine named none", log=tuple(log), hint="build again"
            )
        for tag in tags[1:]:
            self.tag(image_id, ImageReference.parse(tag))
        return image_id

    def list_context(self, context: Path, *, dockerfile: str) -> tuple[str, ...]:
        try:
            ignore = context / ".dockerignore"
            lines = [line.strip() for line in ignore.read_text().splitlines()] if ignore.exists() else []
            # As docker-py reads them for the build itself.
            patterns = [line for line in lines if line and not line.startswith("#")]
            return tuple(sorted(exclude_paths(str(context.absolute()), patterns, dockerfile=dockerfile)))
        except (OSError, ValueError) as error:
            raise BuildError(
                f"the build context {str(context)!r} cannot be listed: {error}",
                hint="check its files and .dockerignore",
            ) from error

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
            # The engine would push every tag of the repository.
            raise PushError(f"{image} has no tag, and a push needs one", hint="add a tag, such as a version")
        log: list[str] = []
        digest = None
        watch = LayerProgress(progress)
        for event in self._connection.events(
            lambda: self._api.push(image.name, tag=image.tag, auth_config=_auth(token), stream=True),
            lambda text: push_error(image, text, log),
            # Podman says nothing before all is sent.
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
            lambda: self._api.pull(image.name, tag=wanted, auth_config=_auth(token), stream=True),
            lambda text: pull_error(image, text),
        ):
            watch(event)
        # A reference by tag and digest is pulled, and known afterwards, by its digest alone.
        pulled = f"{image.name}@{wanted}" if image.digest else f"{image.name}:{wanted}"
        image_id = self.find_image_id(pulled)
        if image_id is None:
            raise EngineError(
                f"pulled {image}, but the engine does not know it",
                hint="something may remove images there (a prune): pull again",
            )
        return image_id

    def pushed_digests(self, image: str) -> tuple[ImageReference, ...]:
        found = []
        for each in (self._inspected(image) or {}).get("RepoDigests") or ():
            # An image that lost its name is listed as <none>@….
            with suppress(InvalidReference):
                found.append(ImageReference.parse(each))
        return tuple(reference for reference in found if reference.digest is not None)


def _auth(token: AuthorizationToken) -> dict[str, str]:
    return {"username": token.user, "password": token.password, "serveraddress": token.registry}
