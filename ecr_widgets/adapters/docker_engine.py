"""The Docker Engine by docker-py.

Its streams answer 200 and report failure inside, so every event is looked at; the token goes along with each call and is
kept by nobody.

Source: Docker Engine API, ImageBuild, ImagePush, ImagePull.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import docker
import requests
from docker.auth import AuthConfig
from docker.errors import APIError, DockerException, InvalidConfigFile, NotFound
from docker.utils.build import exclude_paths
from docker.utils.json_stream import json_stream

from ecr_widgets.adapters.engine_events import LayerProgress, aux_of, error_in, pull_error, push_error
from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.errors import (
    BuildError,
    EcrWidgetsError,
    EngineError,
    EngineUnavailable,
    ImageNotFound,
    InvalidReference,
    PushError,
    SettingsError,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

T = TypeVar("T")

_HINT = "start it, set DOCKER_HOST, or install one; on Debian or Ubuntu, as root: apt-get install docker.io"
_KEPT_LOG_LINES = 1000
_SILENCE_S = 120
"""Longest wait for the engine's next word, in seconds."""


def engine_address() -> str:
    """Where the engine is looked for."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


class _NoLogins(AuthConfig):
    """Logins that docker-py takes for its own and that hand out nothing.

    An empty AuthConfig is not enough: finding one, docker-py reads the user's file again at each build, and sends every
    password in it to the engine.
    """

    @property
    def is_empty(self) -> bool:
        return False

    def get_all_credentials(self) -> dict[str, Any]:
        return {}


class DockerEngine:
    """Implements `ports.Engine` for the engine that DOCKER_HOST or the default socket names.

    Raises:
        SettingsError: At the first call: Docker's own settings cannot be used.
    """

    @cached_property
    def _client(self) -> docker.DockerClient:
        try:
            client = docker.from_env(version="auto", timeout=_SILENCE_S)
        except InvalidConfigFile as error:
            raise _unusable_settings(error) from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(
                f"no Docker Engine answers at {engine_address()}: {_root(error)}", hint=_HINT
            ) from error
        except (AttributeError, TypeError, ValueError) as error:
            # docker-py reads the user's config.json without looking at what it holds.
            raise _unusable_settings(error) from error
        client.api._auth_configs = _NoLogins({})  # type: ignore[attr-defined]
        return client

    def version(self) -> str:
        return _translated(lambda: str(self._client.version()["Version"]))

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
        if not (context / dockerfile).is_file():
            raise BuildError(
                f"no Dockerfile {dockerfile!r} in the build context {str(context)!r}",
                hint="give its path relative to the context",
            )
        log: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
        image_id = None

        def start() -> Iterable[Any]:
            api = self._client.api
            try:
                return api.build(
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

        def refused(text: str) -> BuildError:
            return BuildError(
                f"the build failed: {text}",
                log=tuple(log),
                hint="mend the step that the log names" if log else "mend what it names",
            )

        # The engine says nothing before it has the whole context.
        progress(Progress("build", "sending the context"))
        for event in _events(start, refused):
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
                self._client.api.tag(source, target.name, target.tag)
            except NotFound as error:
                raise ImageNotFound(
                    f"no local image {source!r} on the engine", hint="build or pull it first"
                ) from error

        _translated(call)

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        if image.tag is None:
            # The engine would push every tag of the repository.
            raise PushError(f"{image} has no tag, and a push needs one", hint="add a tag, such as a version")
        log: list[str] = []
        digest = None
        watch = LayerProgress(progress)
        for event in _events(
            lambda: self._client.api.push(image.name, tag=image.tag, auth_config=_auth(token), stream=True),
            lambda text: push_error(image, text, log),
        ):
            watch(event)
            if event.get("status") and "progressDetail" not in event:
                log.append(str(event["status"]))
            digest = aux_of(event, "Digest") or digest
        if digest is None:
            raise PushError(
                f"pushing {image} ended without a digest: the engine named none", log=log, hint="push again"
            )
        return digest

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        wanted = image.digest or image.tag or "latest"
        watch = LayerProgress(progress)
        for event in _events(
            lambda: self._client.api.pull(image.name, tag=wanted, auth_config=_auth(token), stream=True),
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
        def call() -> list[str]:
            try:
                return list(self._client.api.inspect_image(image).get("RepoDigests") or ())
            except NotFound:
                return []

        found = []
        for each in _translated(call):
            # An image that lost its name is listed as <none>@….
            with suppress(InvalidReference):
                found.append(ImageReference.parse(each))
        return tuple(reference for reference in found if reference.digest is not None)


def _auth(token: AuthorizationToken) -> dict[str, str]:
    return {"username": token.user, "password": token.password, "serveraddress": token.registry}


def _events(
    start: Callable[[], Iterable[Any]], refused: Callable[[str], EcrWidgetsError]
) -> Iterator[dict[str, Any]]:
    """Events of one stream to its end; `refused` makes an error of what the engine or an event says is wrong."""
    for event in _received(start, refused):
        if not isinstance(event, dict):
            raise EngineError(f"the Docker Engine sent {type(event).__name__} where an event belongs")
        text = error_in(event)
        if text is not None:
            raise refused(text)
        yield event


def _received(start: Callable[[], Iterable[Any]], refused: Callable[[str], EcrWidgetsError]) -> Iterator[Any]:
    try:
        # Told undecoded: docker-py decodes a stream event by event only where it comes in chunks.
        yield from json_stream(iter(start()))
    except EcrWidgetsError:
        raise
    except APIError as error:
        raise refused(str(error.explanation or error)) from error
    except Exception as error:
        # docker-py reads streams below requests, so any error of the layers beneath may come through.
        raise _translate(error) from error


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except (DockerException, requests.RequestException, OSError) as error:
        raise _translate(error) from error
    except (KeyError, TypeError) as error:
        raise EngineUnavailable(
            f"what answers is not a Docker Engine: {type(error).__name__} {error}", hint=_HINT
        ) from error


def _translate(error: Exception) -> EcrWidgetsError:
    if isinstance(error, APIError):
        return EngineError(f"the Docker Engine refused: {error.explanation or error}")
    if isinstance(_innermost(error), TimeoutError):
        return EngineUnavailable(
            f"the Docker Engine said nothing for {_SILENCE_S:g} s",
            hint="it may wait for a registry that does not answer: check the network between the two, then run again",
        )
    return EngineUnavailable(
        f"the Docker Engine at {engine_address()} does not answer: {_root(error)}", hint=_HINT
    )


def _unusable_settings(error: Exception) -> SettingsError:
    return SettingsError(
        f"Docker's settings cannot be used: {error}",
        hint="check DOCKER_HOST, and config.json in DOCKER_CONFIG or ~/.docker",
    )


def _root(error: BaseException) -> str:
    # The outer messages repeat urllib3's; the innermost one says what happened.
    return str(_innermost(error))


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error
