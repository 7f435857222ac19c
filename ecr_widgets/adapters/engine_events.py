"""The Docker Engine's streams as our own values: progress, and errors that come only as text.

The engine passes on the registry's message and no code, so only the text can be matched. Every pattern below holds a space
or a colon, and does not follow a name: no repository's name can match one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    EngineError,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

_SECONDS_BETWEEN_PROGRESS = 0.1
_COUNTDOWN = "Retrying in "
"""The engine's message, every second, before it sends a layer again."""

_PUSHED = re.compile(r"(?P<tag>\S+): digest: (?P<digest>sha256:[0-9a-f]{64}) size: \d+")

_IMMUTABLE = re.compile(r"cannot be overwritten| is immutable|immutable tag")
_NO_REPOSITORY = re.compile(r"name unknown|repository with name|does not exist in the registry")
_NO_IMAGE = re.compile(r"manifest unknown|manifest for \S+ not found|: not found|requested image not found")
_REFUSED = re.compile(
    r"authorization token has expired|no basic auth credentials|authentication required|401 unauthorized"
    r"|403 forbidden|http 40[13] response|not authorized to|access to the resource is denied"
    r"|(?<![\w/.-])(?:unauthorized|(?<!permission )denied): "
)

_PASSING = re.compile(
    r"blob upload unknown|blob upload invalid|: eof|unexpected eof|connection reset|broken pipe|connection refused"
    r"|use of closed network connection|server sent goaway"
    r"|toomanyrequests: |too many requests|rate exceeded|throttlingexception: |slowdown: |reduce your request rate"
    r"|tls handshake timeout|i/o timeout|context deadline exceeded|client\.timeout|awaiting response headers"
    r"|connection timed out|operation timed out|temporary failure in name resolution"
    r"|http status: (?:429|50[0234])|http (?:429|50[0234]) response|: (?:429|50[0234]) [a-z ]+$"
)
"""A connection that broke or was slow, a reply that was lost, a registry that was busy or failing: the same push may succeed
a little later."""

_ENGINE_ENDED = re.compile(
    r"cannot connect to the docker daemon|is the docker daemon running|error during connect"
    r"|failed to receive status: .*unavailable|error reading from server|transport is closing"
)
_FULL = re.compile(r"no space left on device|disk quota exceeded")
_STEP_FAILED = re.compile(r"did not complete successfully|non-zero code")
_UNPACKING = re.compile(r"failed to (?:register|extract) layer")
"""It has all of the layer, checked by its digest: to load it again does not help."""
_NOT_UNPACKED = re.compile(rf"{_UNPACKING.pattern}.*(?:unexpected eof|invalid tar header)", re.DOTALL)
_LAST_LINES = 5
_KILLED = re.compile(r"(?:non-zero code|exit code): 137\b")

MAY_IT = "a new token is requested automatically: check whether the identity may do it, and what the repository's policy says"
"""What to try if a token was refused: a new token has already been tried before anybody reads this."""

_PUSH_AGAIN = (
    "check the connection between engine and registry, then push again: what has arrived is not sent twice"
)
_PULL_AGAIN = "check the connection between engine and registry, then pull again"
BUILD_LATER = "a registry of a base image was busy or did not answer: build again later"
_ASK_THE_ENGINE = "the engine's own log may say more (`journalctl -u docker` where it runs); then try again"


def may_build_later(text: str) -> bool:
    """Whether the same build may succeed a little later: a registry of a base image was busy, not a step of the Dockerfile
    wrong.
    """
    lower = text.lower()
    return _may_pass(lower) and not _STEP_FAILED.search(lower)


def _may_pass(lower: str) -> bool:
    return _PASSING.search(lower) is not None and not _UNPACKING.search(lower)


def has_engine_ended(text: str) -> bool:
    """Whether a build tool's text says that it cannot reach the engine, or can no longer."""
    return _ENGINE_ENDED.search(text.lower()) is not None


def hint_for(text: str, otherwise: str, *, log: Sequence[str] = ()) -> str:
    """What to try, given what an engine said: a full disk and a killed step have nothing to do with the image or its Dockerfile."""
    if login_refused(text) and not _STEP_FAILED.search(text.lower()):
        return "check the name of the image, and that `docker login` to its registry works with this user's settings"
    # A step's own words, such as those of a full disk, are only in the log.
    lower = "\n".join((text, *log[-_LAST_LINES:])).lower()
    if _FULL.search(lower):
        return "a disk is full, most likely the engine's: free space there, for example with `docker system prune`; then try again"
    if _KILLED.search(lower):
        return "the step was killed: it may need more memory than there is, or the engine was stopped; its log may say which"
    if _NOT_UNPACKED.search(lower):
        return (
            "the engine cannot unpack a layer; if it is compressed with zstd, an engine before 23 cannot read it: take a newer"
            " engine, or push the image again with gzip"
        )
    return otherwise


def error_in(event: Mapping[str, Any]) -> str | None:
    """The text of the failure that an event reports; None if it reports none."""
    detail = event.get("errorDetail")
    if not detail and not event.get("error"):
        return None
    message = detail.get("message") if isinstance(detail, dict) else None
    return str(message or event.get("error") or "no reason given").strip()


def aux_of(event: Mapping[str, Any], name: str) -> str | None:
    """A member of the event's `aux`, in which the engine puts results; None if it is missing."""
    aux = event.get("aux")
    value = aux.get(name) if isinstance(aux, dict) else None
    return value if isinstance(value, str) and value else None


def pushed_digest(event: Mapping[str, Any], tag: str) -> str | None:
    """The digest that an event reports as pushed: a member of `aux` with graph drivers, else a text.

    No engine guarantees that text, so it is used only to check what the registry says.
    """
    pushed = _PUSHED.fullmatch(str(event.get("status") or ""))
    return aux_of(event, "Digest") or (pushed["digest"] if pushed and pushed["tag"] == tag else None)


def push_error(image: ImageReference, text: str, log: Sequence[str]) -> EcrWidgetsError:
    """The error that a push's text reports."""
    lower = text.lower()
    if _IMMUTABLE.search(lower):
        return TagImmutable(
            f"pushing {image} was refused: {text}", standing="", wanted=None, hint="push under a new tag"
        )
    if _NO_REPOSITORY.search(lower):
        return _no_repository(image, text)
    if _REFUSED.search(lower):
        return AuthorizationError(f"the registry refused the push of {image}: {text}", hint=MAY_IT)
    passing = _may_pass(lower)
    return PushError(
        f"pushing {image} failed: {text}",
        log=log,
        hint=hint_for(text, _PUSH_AGAIN if passing else _ASK_THE_ENGINE),
        retryable=passing,
    )


def pull_error(image: ImageReference, text: str) -> EcrWidgetsError:
    """The error that a pull's text reports; a missing repository is a missing image."""
    lower = text.lower()
    if _NO_IMAGE.search(lower) or _NO_REPOSITORY.search(lower):
        return ImageNotFound(
            f"the registry has no image {image}: {text}", hint="check repository, tag and region"
        )
    if _REFUSED.search(lower):
        return AuthorizationError(f"the registry refused the pull of {image}: {text}", hint=MAY_IT)
    passing = _may_pass(lower)
    return EngineError(
        f"pulling {image} failed: {text}",
        hint=hint_for(text, _PULL_AGAIN if passing else _ASK_THE_ENGINE),
        retryable=passing,
    )


def login_refused(text: str) -> bool:
    """Whether a text says that a registry needs a login, or refused this one."""
    return _REFUSED.search(text.lower()) is not None


def build_login_error(text: str) -> AuthorizationError:
    """The error for a build whose base image or cache the registry refuses."""
    return AuthorizationError(f"the registry refused the build: {text}", hint=MAY_IT)


def _no_repository(image: ImageReference, text: str) -> RepositoryNotFound:
    return RepositoryNotFound(
        f"repository {image.repository!r} does not exist in {image.registry}: {text}",
        hint="create it, or check its name",
    )


class LayerProgress:
    """Passes on a stream's progress of image layers: clamped, and at most ten times a second per layer and status."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._told: dict[str, tuple[float, str]] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        layer, status = str(event.get("id") or ""), str(event.get("status") or "")
        if not layer or not status:
            return
        now_s = time.monotonic()
        told_s, told_status = self._told.get(layer, (float("-inf"), ""))
        if status == told_status and now_s - told_s < _SECONDS_BETWEEN_PROGRESS:
            return
        self._told[layer] = now_s, status
        detail = event.get("progressDetail")
        done, total = (
            (_count(detail, "current"), _count(detail, "total")) if isinstance(detail, dict) else (None, None)
        )
        if done is not None and total is not None:
            # The engine counts bytes before compression and exceeds the total by some percent.
            done = min(done, total)
        again = status.startswith(_COUNTDOWN) and not told_status.startswith(_COUNTDOWN)
        self._sink(Progress(layer, status.lower(), done, total, "bytes" if total else "", again))


def _count(detail: Mapping[str, Any], name: str) -> int | None:
    value = detail.get(name)
    return value if isinstance(value, int) and value >= 0 else None
