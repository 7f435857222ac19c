"""The engine's texts as errors, and its progress in readable form."""

from __future__ import annotations

import pytest

from ecr_widgets.adapters import engine_events
from ecr_widgets.adapters.engine_events import (
    LayerProgress,
    hint_for,
    may_build_later,
    pull_error,
    push_error,
)
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
from ecr_widgets.ports import Progress

IMAGE = ImageReference.parse("127.0.0.1:5000/xfra-wait:1")

PUSHES = {
    "denied: Your authorization token has expired. Reauthenticate and try again.": AuthorizationError,
    "no basic auth credentials": AuthorizationError,
    "unauthorized: authentication required": AuthorizationError,
    "unexpected status from HEAD request to http://127.0.0.1:1/v2/a/blobs/x: 401 Unauthorized": AuthorizationError,
    "received unexpected HTTP status: 403 Forbidden": AuthorizationError,
    "denied: requested access to the resource is denied": AuthorizationError,
    "denied: User: arn:aws:iam::1:user/x is not authorized to perform: ecr:PutImage": AuthorizationError,
    "name unknown: The repository with name 'a' does not exist in the registry with id '1'": RepositoryNotFound,
    "tag invalid: The image tag '1' already exists in the 'a' repository and cannot be overwritten because the"
    " repository is immutable.": TagImmutable,
    "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<html>\"": AuthorizationError,
    "error parsing HTTP 401 response body: unexpected end of JSON input": AuthorizationError,
    "blob upload unknown": PushError,
    "received unexpected HTTP status: 500 Internal Server Error": PushError,
    # An error of the engine's own disk is not about the login.
    "open /var/lib/docker/image: permission denied": PushError,
    "write /var/lib/docker/tmp: permission denied: retry": PushError,
    # Names contain any words.
    "name unknown: The repository with name 'immutable/denied' does not exist": RepositoryNotFound,
    "failed to push immutable/unauthorized/denied: manifest invalid": PushError,
}


@pytest.mark.parametrize("text", PUSHES)
def test_a_pushs_text_tells_the_kind_of_error(text: str) -> None:
    """Each known push error text of engines and registries maps to one kind of error that includes it."""
    error = push_error(IMAGE, text, ["before"])
    assert type(error) is PUSHES[text]
    assert text in str(error)


@pytest.mark.parametrize("text", PUSHES)
def test_every_error_of_a_push_or_pull_says_what_to_try(text: str) -> None:
    """Every push or pull error has a hint, and none says to log in, since the token has been renewed by then."""
    for error in (push_error(IMAGE, text, []), pull_error(IMAGE, text)):
        assert error.hint
        assert str(error).endswith(f"; {error.hint}")
        assert "log in" not in error.hint


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("blob upload unknown", True),
        ('Put "http://127.0.0.1:1/v2/a/manifests/1": EOF', True),
        ("read tcp 127.0.0.1:2->127.0.0.1:1: read: connection reset by peer", True),
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("received unexpected HTTP status: 507 Insufficient Storage", False),
        ("failed to push a: manifest invalid", False),
        ("open /var/lib/docker/image: permission denied", False),
        ("failed to register layer: Error processing tar file(exit status 1): unexpected EOF", False),
    ],
)
def test_a_push_that_may_succeed_now_is_told_from_one_that_cannot(text: str, *, passing: bool) -> None:
    """A lost connection or a failing registry is worth another try, of a push and of a pull; a refusal or a full disk is not."""
    for error in (push_error(IMAGE, text, []), pull_error(IMAGE, text)):
        assert error.retryable == passing


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("base:1: unexpected status from HEAD request to https://r.test/v2/b/manifests/1: 429 Too Many Requests", True),
        ("toomanyrequests: Rate exceeded", True),
        ("The command '/bin/sh -c curl connection refused' returned a non-zero code: 7", False),
        ('process "/bin/sh -c echo i/o timeout; false" did not complete successfully: exit code: 1', False),
        ("dockerfile parse error on line 2: unknown instruction: RUNN", False),
    ],
)  # fmt: skip
def test_a_build_that_may_succeed_later_is_told_from_a_wrong_one(text: str, *, passing: bool) -> None:
    """A busy registry of a base image is worth another try; a step that failed is not, whatever words it has."""
    assert may_build_later(text) == passing


def test_what_no_dockerfile_causes_has_hints_of_its_own() -> None:
    """A full disk, a base image that is refused, a layer that an old engine cannot read and a killed step have hints of their own; anything else keeps the caller's."""
    full = "write /var/lib/docker/tmp/x: No space left on device"
    for error in (push_error(IMAGE, full, []), pull_error(IMAGE, full)):
        assert "docker system prune" in str(error.hint)
    log = ["Step 2/2 : RUN dd", "dd: error writing '/x': No space left on device", "14+0 records in"]
    assert "docker system prune" in hint_for("… returned a non-zero code: 1", "else", log=log)
    unread = "failed to register layer: Error processing tar file(exit status 1): "
    for why in ("unexpected EOF", "archive/tar: invalid tar header"):
        assert "zstd" in str(pull_error(IMAGE, unread + why).hint)
        assert "zstd" in hint_for(unread + why, "else")
    assert "docker system prune" in hint_for(unread + "no space left on device", "else")
    denied = "pull access denied for a/b, repository does not exist or may require 'docker login': denied: x"
    assert "name of the image" in hint_for(denied, "else")
    assert hint_for('process "sh -c x 401 unauthorized" did not complete successfully', "else") == "else"
    assert "memory" in hint_for("The command '/bin/sh -c x' returned a non-zero code: 137", "else")
    assert hint_for("The command '/bin/sh -c x' returned a non-zero code: 1370", "else") == "else"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("manifest for 127.0.0.1:5000/a:1 not found: manifest unknown: Requested image not found", ImageNotFound),
        ("name unknown: The repository with name 'a' does not exist", ImageNotFound),
        ("pull access denied for a, repository does not exist or may require 'docker login': denied: x", AuthorizationError),
        ("no basic auth credentials", AuthorizationError),
        ("exec: docker-credential-x: executable file not found in $PATH", EngineError),
        ("no space left on device", EngineError),
    ],
)  # fmt: skip
def test_a_pulls_text_tells_the_kind_of_error(text: str, kind: type[EcrWidgetsError]) -> None:
    """A pull error tells a missing image, a refused token and an engine fault apart."""
    assert type(pull_error(IMAGE, text)) is kind


def event(status: str, done: object = None, total: object = None, layer: str = "1a") -> dict[str, object]:
    return {"id": layer, "status": status, "progressDetail": {"current": done, "total": total}}


def test_progress_is_thinned_out_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer reports progress at most ten times a second; a new status and another layer are reported immediately."""
    now_s = [0.0]
    monkeypatch.setattr(engine_events.time, "monotonic", lambda: now_s[0])
    seen: list[Progress] = []
    watch = LayerProgress(seen.append)
    for done in range(101):
        now_s[0] = done / 100
        watch(event("Pushing", done, 100))
    watch(event("Pushing", 1, 9, layer="2b"))
    watch(event("Pushed"))
    first = [one for one in seen if one.what == "1a" and one.message == "pushing"]
    assert 8 <= len(first) <= 11
    assert [(one.what, one.message) for one in seen[-2:]] == [("2b", "pushing"), ("1a", "pushed")]


@pytest.mark.parametrize(
    ("detail", "done", "total"),
    [
        ({"current": 106, "total": 100}, 100, 100),
        ({"current": 5}, 5, None),
        ({"current": "5", "total": None}, None, None),
        ({"current": -1, "total": 10}, None, 10),
        ({}, None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_progress_never_passes_its_end(detail: object, done: int | None, total: int | None) -> None:
    """Progress past the total is clamped, and an invalid count is None."""
    seen: list[Progress] = []
    LayerProgress(seen.append)({"id": "1a", "status": "Pushing", "progressDetail": detail})
    assert [(one.done, one.total) for one in seen] == [(done, total)]


def test_a_countdown_to_another_try_counts_once() -> None:
    """The engine counts a retry pause down by the second; each pause is reported as one retry."""
    seen: list[Progress] = []
    watch = LayerProgress(seen.append)
    for status in (
        "Pushing",
        "Retrying in 2 seconds",
        "Retrying in 1 second",
        "Pushing",
        "Retrying in 5 seconds",
    ):
        watch({"id": "1a", "status": status})
    assert [one.message for one in seen if one.again] == ["retrying in 2 seconds", "retrying in 5 seconds"]


def test_lines_without_a_layer_are_no_progress() -> None:
    """Stream lines without a layer are not reported as progress."""
    seen: list[Progress] = []
    LayerProgress(seen.append)({"status": "The push refers to repository [a]"})
    assert seen == []
