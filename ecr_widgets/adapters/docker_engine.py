"""The Docker Engine by docker-py.

Its streams answer 200 and report failure inside, so every event is looked at; the token goes along with each call and is
kept by nobody.

Source: Docker Engine API, ImageBuild, ImagePush, ImagePull.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import docker
import requests
from docker.auth import AuthConfig
from docker.errors import APIError, DockerException, NotFound

from ecr_widgets.errors import (
    AuthorizationError,
    BuildError,
    EcrWidgetsError,
    EngineError,
    EngineUnavailable,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

T = TypeVar("T")

_SECONDS_BETWEEN_PROGRESS = 0.1
_HINT = "start Docker, or set DOCKER_HOST; `ecr-widgets doctor` says what answers"


class DockerEngine:
    """Implements `ports.Engine` for the engine that DOCKER_HOST or the default socket names."""

    @cached_property
    def _client(self) -> docker.DockerClient:
        try:
            client = docker.from_env(version="auto", timeout=120)
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(f"no Docker Engine answers: {_root(error)}", hint=_HINT) from error
        # docker-py would take logins and credential helpers from the user's own config; only the call's own counts.
        client.api._auth_configs = AuthConfig({})  # type: ignore[attr-defined]
        return client

    def version(self) -> str:
        return str(_translated(self._client.version)["Version"])

    def find_image_id(self, image: str) -> str | None:
        def call() -> str | None:
            try:
                return str(self._client.api.inspect_image(image)["Id"])
            except NotFound:
                return None

        return _translated(call)

    def build(
        self,
        context: Path,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        progress: ProgressSink,
    ) -> str:
        log: list[str] = []
        image_id = None
        events = _translated(
            lambda: self._client.api.build(
                path=str(context),
                dockerfile=dockerfile,
                tag=tags[0],
                buildargs=dict(build_args),
                decode=True,
                rm=True,
            )
        )
        for event in _events(events):
            if "error" in event:
                raise BuildError(
                    f"the build failed: {_error_of(event)}", log=log, hint="mend the step that the log names"
                )
            text = str(event.get("stream", "")).rstrip()
            if text:
                log.extend(text.splitlines())
                progress(Progress("build", text.splitlines()[0][:200]))
            image_id = event.get("aux", {}).get("ID", image_id)
        if image_id is None:
            raise BuildError("the build ended without an image", log=log)
        for tag in tags[1:]:
            self.tag(image_id, ImageReference.parse(tag))
        return str(image_id)

    def tag(self, source: str, target: ImageReference) -> None:
        _translated(lambda: self._client.api.tag(source, target.name, target.tag))

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        log: list[str] = []
        digest = None
        events = _translated(
            lambda: self._client.api.push(
                image.name, tag=image.tag, auth_config=_auth(token), stream=True, decode=True
            )
        )
        watch = _Layers(progress)
        for event in _events(events):
            if "error" in event:
                raise _push_error(image, _error_of(event), log)
            watch(event)
            if "status" in event and "progressDetail" not in event:
                log.append(str(event["status"]))
            digest = event.get("aux", {}).get("Digest", digest)
        if digest is None:
            raise PushError(f"pushing {image} ended without a digest", log=log)
        return str(digest)

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        def start() -> Any:
            return self._client.api.pull(
                image.name, tag=image.digest or image.tag, auth_config=_auth(token), stream=True, decode=True
            )

        watch = _Layers(progress)
        try:
            for event in _events(_translated(start)):
                if "error" in event:
                    raise _pull_error(image, _error_of(event))
                watch(event)
        except EngineError as error:
            raise _pull_error(image, error.message) from error
        image_id = self.find_image_id(str(image))
        if image_id is None:
            raise EngineError(f"pulled {image}, but the engine does not know it")
        return image_id

    def pushed_digests(self, image: str) -> tuple[ImageReference, ...]:
        def call() -> tuple[ImageReference, ...]:
            try:
                known = self._client.api.inspect_image(image).get("RepoDigests") or ()
            except NotFound:
                return ()
            return tuple(ImageReference.parse(each) for each in known if "@sha256:" in each)

        return _translated(call)


class _Layers:
    """Passes on what a stream says of image layers: clamped, and not more often than eyes can follow."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._told: dict[str, tuple[float, str]] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        if not layer or not status:
            return
        now_s = time.monotonic()
        told_s, told_status = self._told.get(layer, (float("-inf"), ""))
        if status == told_status and now_s - told_s < _SECONDS_BETWEEN_PROGRESS:
            return
        self._told[layer] = now_s, status
        detail = event.get("progressDetail") or {}
        done, total = detail.get("current"), detail.get("total")
        if done is not None and total is not None:
            # The engine counts before compression and passes the total by some percent.
            done = min(done, total)
        self._sink(Progress(layer, status.lower(), done, total, "bytes" if total else ""))


def _auth(token: AuthorizationToken) -> dict[str, str]:
    return {"username": token.user, "password": token.password, "serveraddress": token.registry}


def _events(stream: Iterable[Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from stream
    except (DockerException, requests.RequestException, OSError) as error:
        raise _translate(error) from error


def _error_of(event: Mapping[str, Any]) -> str:
    return str((event.get("errorDetail") or {}).get("message") or event["error"]).strip()


def _push_error(image: ImageReference, text: str, log: list[str]) -> EcrWidgetsError:
    lower = text.lower()
    if "immutable" in lower:
        return TagImmutable(
            f"pushing {image} was refused: {text}", standing="", wanted=None, hint="push under a new tag"
        )
    if _is_authorization(lower):
        return AuthorizationError(f"the registry refused the push of {image}: {text}", hint="log in again")
    if "does not exist in the registry" in lower or "name unknown" in lower:
        return RepositoryNotFound(
            f"repository {image.repository!r} does not exist in {image.registry}: {text}",
            hint="create it, or check its name",
        )
    return PushError(f"pushing {image} failed: {text}", log=log)


def _pull_error(image: ImageReference, text: str) -> EcrWidgetsError:
    lower = text.lower()
    if _is_authorization(lower):
        return AuthorizationError(f"the registry refused the pull of {image}: {text}", hint="log in again")
    if (
        "not found" in lower
        or "manifest unknown" in lower
        or "name unknown" in lower
        or "does not exist" in lower
    ):
        return ImageNotFound(
            f"the registry has no image {image}: {text}", hint="check repository, tag and region"
        )
    return EngineError(f"pulling {image} failed: {text}")


def _is_authorization(lower: str) -> bool:
    marks = ("authorization token has expired", "no basic auth", "unauthorized", "authentication required")
    return any(mark in lower for mark in (*marks, "not authorized", "denied"))


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except (DockerException, requests.RequestException, OSError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> EcrWidgetsError:
    if isinstance(error, APIError):
        return EngineError(f"the Docker Engine refused: {error.explanation or error}")
    return EngineUnavailable(f"the Docker Engine does not answer: {_root(error)}", hint=_HINT)


def _root(error: BaseException) -> str:
    # The outer messages repeat urllib3's; the innermost one says what happened.
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
