"""Builds with the engine's own build call: Docker's classic builder, and Podman's Buildah behind the same call.

Source: Docker Engine API, ImageBuild.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ecr_widgets.adapters.engine_connection import EngineConnection, auth_of, sending_logins, users_login
from ecr_widgets.adapters.engine_events import (
    BUILD_LATER,
    aux_of,
    build_login_error,
    hint_for,
    login_refused,
    may_build_later,
)
from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.errors import BuildError, EcrWidgetsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import BuildContext
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.dockerfile import DOCKER_HUB, registries_of
from ecr_widgets.ports import Progress, ProgressSink

_KEPT_LOG_LINES = 1000
_TOLD_EVERY_BYTES = 8 << 20
_KEY_OF_DOCKER_HUB = "https://index.docker.io/v1/"
"""The engine's name for Docker's own registry among logins."""


def build_by_call(
    connection: EngineConnection,
    context: BuildContext,
    options: BuildOptions,
    *,
    tags: Sequence[str],
    logins: Sequence[AuthorizationToken],
    progress: ProgressSink,
) -> str | None:
    """Build and return the image's id, None if the engine reported none; see `ports.Engine.build`."""
    log: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
    unread: list[str] = []
    image_id = None

    def refused(text: str) -> EcrWidgetsError:
        if any(each.registry in text for each in logins) and login_refused(text):
            return build_login_error(text)
        may_pass = may_build_later(text)
        wrong = "correct the step that the log names" if log else "correct what it names"
        because = f" ({'; '.join(unread)})" if unread and login_refused(text) else ""
        return BuildError(
            f"the build failed: {text}{because}",
            log=tuple(log),
            hint=hint_for(text, BUILD_LATER if may_pass else wrong, log=tuple(log)),
            retryable=may_pass,
        )

    dockerfile, archive = context.archive()

    def start() -> Iterable[Any]:
        # The type hints ask for a file, but anything that requests sends in chunks works.
        api: Any = connection.client.api
        sent: Iterable[Any] = api.build(
            fileobj=_telling(archive, progress),
            custom_context=True,
            dockerfile=dockerfile,
            tag=tags[0] if tags else None,
            buildargs=dict(options.build_args),
            labels=dict(options.labels),
            target=options.target,
            platform=options.platforms[0] if options.platforms else None,
            pull=options.pull,
            rm=True,
            forcerm=True,
            # Proxies in the user's config may hold passwords; builds that need them set build_args.
            use_config_proxy=False,
        )
        return sent

    def tell(text: str) -> None:
        unread.append(text)
        progress(Progress("build", text))

    with sending_logins(_logins(context, options, logins, tell)):
        for event in connection.events(start, refused):
            text = str(event.get("stream") or "").rstrip()
            if text:
                log.extend(text.splitlines())
                progress(Progress("build", shortened(text.splitlines()[0])))
            image_id = aux_of(event, "ID") or image_id
    return image_id


def _telling(archive: Iterator[bytes], progress: ProgressSink) -> Iterator[bytes]:
    """Report how much of the context is sent, since the engine reports nothing until it has all of it."""
    done = told = 0
    progress(Progress("build", "sending the context"))
    for piece in archive:
        yield piece
        done += len(piece)
        if done - told >= _TOLD_EVERY_BYTES:
            told = done
            progress(Progress("build", "sending the context", done, None, "bytes"))


def _logins(
    context: BuildContext,
    options: BuildOptions,
    given: Sequence[AuthorizationToken],
    unread: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Logins by registry, only for those that the Dockerfile names: the given ones, else the user's own."""
    images = [each.image for each in context.read_dockerfile().images(options.build_args)]
    logins: dict[str, dict[str, Any]] = {}
    covered = {each.registry for each in given}
    for registry in registries_of(images):
        if registry not in covered and (own := users_login(registry, unread=unread)):
            logins[_KEY_OF_DOCKER_HUB if registry == DOCKER_HUB else registry] = own
    return logins | {each.registry: auth_of(each) for each in given}
