"""Which engine of this machine is used, and what is reported about others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.sandbox.local_engine import LocalEngine, find_engine
from ecr_widgets.settings import engine_address
from tests.unit.adapters.scripted import Request, answering, http


@pytest.mark.parametrize("docker_host", ["tcp://192.0.2.1:2375", "ssh://host", "unix://", "nonsense", ""])
def test_an_engine_elsewhere_is_refused(docker_host: str) -> None:
    """An engine on another machine is refused, because it cannot reach a registry on this loopback."""
    with pytest.raises(EngineUnavailable, match="loopback"):
        LocalEngine(docker_host)


@pytest.mark.parametrize("docker_host", ["unix:///missing.sock", "tcp://127.0.0.1:1", "tcp://[::1]:1"])
def test_a_silent_engine_does_not_ping(docker_host: str) -> None:
    """A socket that nobody serves does not ping and raises nothing."""
    assert not LocalEngine(docker_host).ping()


def test_the_engine_asked_for_must_answer() -> None:
    """If the requested engine does not answer, that is an error, and no other is used."""
    with pytest.raises(EngineUnavailable, match=r"unix:///missing\.sock"):
        find_engine("unix:///missing.sock", environ={}, progress=print)


@pytest.mark.parametrize("docker_host", ["unix:///missing.sock", "ssh://host"])
def test_a_useless_docker_host_is_told_and_passed(monkeypatch: pytest.MonkeyPatch, docker_host: str) -> None:
    """A DOCKER_HOST that leads nowhere is reported, and the search continues."""
    monkeypatch.setattr(engine_address, "DEFAULT_SOCKET", Path("/missing-too.sock"))
    told: list[str] = []

    assert find_engine(None, environ={"DOCKER_HOST": docker_host}, progress=told.append) is None
    assert len(told) == 1
    assert docker_host in told[0]


def test_the_users_proxy_is_not_asked_for_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is reached without the user's HTTP proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with answering(_engine) as server:
        assert LocalEngine(f"tcp://{server.host}").ping()


def test_a_pull_that_says_nothing_is_given_up() -> None:
    """A pull without any answer is given up after the timeout."""
    silent = threading.Event()

    def answer(request: Request) -> bytes:
        if request.target.startswith("/v1.41/images/create"):
            silent.wait(60)
        return _engine(request)

    with answering(answer) as server:
        try:
            with pytest.raises(EngineUnavailable, match="does not answer"):
                LocalEngine(f"tcp://{server.host}", timeout_s=0.2).pull_image("busybox", "latest")
        finally:
            silent.set()


@pytest.mark.parametrize(
    "error",
    [
        b'"error": "no such image"',
        b'"errorDetail": {"message": "no such image"}',
        b'"error": "", "errorDetail": {"message": "no such image"}',
    ],
)
def test_what_an_engine_says_within_a_pull_is_its_refusal(error: bytes) -> None:
    """An error reported within a pull's stream is raised, in the older and the newer form."""
    said = b'{"status": "Pulling"}\n{%s}\n' % error

    def answer(request: Request) -> bytes:
        return http(200, said) if "/images/create" in request.target else _engine(request)

    with answering(answer) as server, pytest.raises(EngineError, match="no such image"):
        LocalEngine(f"tcp://{server.host}").pull_image("busybox", "latest")


def _engine(request: Request) -> bytes:
    """The least that an engine answers."""
    return http(200, b'{"ApiVersion": "1.41"}' if request.target == "/version" else b"OK")
