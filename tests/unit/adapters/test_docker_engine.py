"""Errors and progress inside the engine's HTTP 200 streams, from a scripted engine on loopback."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    EngineUnavailable,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ignore_progress

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TOKEN = AuthorizationToken("127.0.0.1:5000", "AWS", "password-1", NOW, NOW + timedelta(hours=12))
IMAGE = ImageReference.parse("127.0.0.1:5000/xfra-wait:1")
DIGEST = "sha256:" + "a" * 64


class ScriptedEngine(ThreadingHTTPServer):
    events: Sequence[dict[str, Any]] = ()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedEngine

    def do_GET(self) -> None:
        # The same answer to /version and /info.
        self._answer(json.dumps({"ApiVersion": "1.41", "Version": "20.10.24", "Driver": "overlay2"}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # In chunks, as engines stream their events.
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self.server.events:
            line = json.dumps(event).encode() + b"\r\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEngine]:
    server = ScriptedEngine(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def engine(scripted: ScriptedEngine) -> Iterator[DockerEngine]:
    made = DockerEngine()
    yield made
    made.close()


def failed(text: str) -> list[dict[str, Any]]:
    return [{"status": "The push refers to repository"}, {"errorDetail": {"message": text}, "error": text}]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("denied: Your authorization token has expired. Reauthenticate and try again.", AuthorizationError),
        ("no basic auth credentials", AuthorizationError),
        (
            "name unknown: The repository with name 'x' does not exist in the registry with id '1'",
            RepositoryNotFound,
        ),
        (
            "tag invalid: The image tag '1' already exists and cannot be overwritten because the tag is immutable.",
            TagImmutable,
        ),
        ("blob upload unknown", PushError),
    ],
)
def test_an_error_inside_a_push_stream_is_an_error(
    scripted: ScriptedEngine, engine: DockerEngine, text: str, kind: type[EcrWidgetsError]
) -> None:
    """An error event under HTTP 200 is a failed push, with the registry's own text."""
    scripted.events = failed(text)
    with pytest.raises(kind, match=text.partition(":")[0]):
        engine.push(IMAGE, TOKEN, progress=ignore_progress)


def test_a_push_gives_the_digest_and_clamped_progress(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    """A push returns the digest, and progress never exceeds its total although the engine's count does."""
    scripted.events = [
        {"status": "Pushing", "id": "1a", "progressDetail": {"current": 106, "total": 100}},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 1}},
    ]
    seen: list[Progress] = []
    assert engine.push(IMAGE, TOKEN, progress=seen.append) == DIGEST
    assert [(one.what, one.done, one.total) for one in seen] == [("1a", 100, 100)]


def test_a_long_line_of_a_build_is_shown_without_the_word_that_would_be_cut(
    scripted: ScriptedEngine, engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long build line is cut between words, so that no part of a password is shown."""
    monkeypatch.setattr("ecr_widgets.adapters.docker_engine.find_build_tool", lambda _: None)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    line = f"Step 1/1 : RUN curl {'x' * 160} -u AWS:{'p' * 400}"
    scripted.events = [{"stream": line + "\n"}, {"aux": {"ID": DIGEST}}]
    seen: list[Progress] = []
    context = find_context(tmp_path, "Dockerfile")
    engine.build(context, options=BuildOptions(), tags=(), logins=(), progress=seen.append)
    assert seen[-1].message == f"Step 1/1 : RUN curl {'x' * 160} -u…"


def test_a_missing_image_is_told_from_other_pull_errors(
    scripted: ScriptedEngine, engine: DockerEngine
) -> None:
    """A pull that fails with `manifest unknown` raises ImageNotFound."""
    scripted.events = failed("manifest for 127.0.0.1:5000/xfra-wait:1 not found: manifest unknown")
    with pytest.raises(ImageNotFound):
        engine.pull(IMAGE, TOKEN, progress=ignore_progress)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine the error says how to name one."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineUnavailable, match="set DOCKER_HOST"):
        DockerEngine().facts()
    # docker-py leaves the socket of a failed connection to the garbage collector.
    gc.collect()
