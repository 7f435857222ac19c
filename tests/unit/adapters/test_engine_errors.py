"""Errors where no engine answers, or something else does: its address, and a matching next step."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.adapters.unreachable import http, told

pytestmark = [
    pytest.mark.usefixtures("machine"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def left_socket(path: Path) -> None:
    """Leave a socket that nothing listens on."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def test_an_engine_that_is_not_there_can_be_started_named_or_installed(machine: Path) -> None:
    """If there is no engine, the error names the address that was tried and suggests installing one."""
    assert f"answers at unix://{machine}/docker.sock: " in told()
    assert "or install one" in told()


def test_a_socket_that_nobody_serves_asks_for_a_start(machine: Path) -> None:
    """A socket without a listener suggests starting the engine, not installing one, and names another engine's socket if any."""
    left_socket(machine / "docker.sock")
    assert f"{machine}/docker.sock exists, but nothing listens on it: start the engine" in told()
    assert "install" not in told()
    left_socket(machine / "podman.sock")
    assert told().endswith(f"another engine may answer with DOCKER_HOST=unix://{machine}/podman.sock")


def test_a_socket_that_one_may_not_use_names_the_group_that_may(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that the user may not use names its group and what membership means; for a root-only socket, rootless mode."""
    left_socket(machine / "docker.sock")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(Path, "group", lambda _: "docker")
    assert f"this user may not use {machine}/docker.sock: " in told()
    assert "`usermod -aG docker USER`" in told()
    assert "root on the machine" in told()
    monkeypatch.setattr(Path, "group", lambda _: "root")
    assert "usermod" not in told()
    assert "rootless" in told()


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """A socket that gives each caller these bytes and closes the connection."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "says", "tries"),
    [
        (http("<html>\n<body>Welcome"), "is not a Docker Engine: it said <html> <body>Welcome;", "DOCKER_HOST"),
        (http("x" * 100_000), "is not a Docker Engine: it said…;", "DOCKER_HOST"),
        (http("[]"), "is not a Docker Engine: TypeError", "DOCKER_HOST"),
        (http("{}"), "is not a Docker Engine: KeyError 'ApiVersion'", "DOCKER_HOST"),
        (http('{"ApiVersion": null}'), "is not a Docker Engine: ", "DOCKER_HOST"),
        (http('{"ApiVersion": "one"}'), "is not a Docker Engine: ", "DOCKER_HOST"),
        (http("{", length=100), "is not a Docker Engine: IncompleteRead", "DOCKER_HOST"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a Docker Engine: BadStatusLine SSH-2.0", "DOCKER_HOST"),
        (b"", "Remote end closed connection", "start it"),
        (http('{"message": "who are you?"}', "401 Unauthorized"), "refused to tell its version: who are you?;", "proxy"),
        (http("an HTTP request to an HTTPS server", "400 Bad Request"), "request to an HTTPS server;", "TLS"),
        (http('{"ApiVersion": "1.12", "Version": "1"}'), "is too old: ", "update it"),
    ],
)  # fmt: skip
def test_what_is_no_engine_is_told_from_none(machine: Path, answer: bytes, says: str, tries: str) -> None:
    """The error says how the thing behind the socket answered, and suggests another step than installing an engine."""
    with answering(machine / "docker.sock", answer):
        text = told()
    assert f"unix://{machine}/docker.sock" in text
    assert says in text
    assert tries in text
    assert len(text) < 600
    assert ("install" in text) == (answer == b"")
