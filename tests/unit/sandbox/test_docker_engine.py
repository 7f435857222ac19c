"""Which engine is used, and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.sandbox import docker_engine
from ecr_widgets.sandbox.docker_engine import INSTALL_COMMAND, PrivateEngine, find_engine
from ecr_widgets.sandbox.engine_api import EngineApi
from ecr_widgets.sandbox.engine_traces import plan
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.settings import engine_address


@pytest.mark.parametrize("docker_host", ["tcp://192.0.2.1:2375", "ssh://host", "unix://", "nonsense", ""])
def test_an_engine_elsewhere_is_refused(docker_host: str) -> None:
    """Only an engine on this machine reaches a registry on its loopback; nothing is sent to another."""
    with pytest.raises(EngineUnavailable, match="loopback"):
        EngineApi(docker_host)


@pytest.mark.parametrize("docker_host", ["unix:///missing.sock", "tcp://127.0.0.1:1", "tcp://[::1]:1"])
def test_a_silent_engine_does_not_ping(docker_host: str) -> None:
    """A socket that nobody serves is no engine, and no exception."""
    assert not EngineApi(docker_host).ping()


def test_the_engine_asked_for_must_answer() -> None:
    """An engine named by the caller is never replaced by another."""
    with pytest.raises(EngineUnavailable, match=r"unix:///missing\.sock"):
        find_engine("unix:///missing.sock", environ={}, progress=print)


@pytest.mark.parametrize("docker_host", ["unix:///missing.sock", "ssh://host"])
def test_a_useless_docker_host_is_told_and_passed(monkeypatch: pytest.MonkeyPatch, docker_host: str) -> None:
    """DOCKER_HOST that leads nowhere is named, and the search goes on."""
    monkeypatch.setattr(engine_address, "DEFAULT_SOCKET", Path("/missing-too.sock"))
    told: list[str] = []

    assert find_engine(None, environ={"DOCKER_HOST": docker_host}, progress=told.append) is None
    assert len(told) == 1
    assert docker_host in told[0]


def test_without_dockerd_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no engine can be started the message ends with the command that installs one."""
    monkeypatch.setattr(docker_engine, "find_tool", lambda _name: None)

    with pytest.raises(EngineUnavailable, match="dockerd") as raised:
        PrivateEngine.require()
    assert str(raised.value).endswith(INSTALL_COMMAND)


def test_a_private_engine_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without root is told to become root or to name an engine."""
    monkeypatch.setattr(docker_engine, "find_tool", lambda name: f"/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(EngineUnavailable, match="takes root"):
        PrivateEngine.require()


@pytest.mark.parametrize("there", [True, False])
def test_no_private_engine_deletes_docker0(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, there: bool
) -> None:
    """dockerd without a bridge removes that interface: where it is, an engine that can have none is not started."""

    def refuse(_name: str) -> None:
        raise EngineError("no private network is free")

    monkeypatch.setattr(docker_engine, "create_bridge", refuse)
    monkeypatch.setattr(docker_engine, "_DOCKERS_BRIDGE", tmp_path if there else tmp_path / "missing")
    engine = PrivateEngine(SandboxFolder(tmp_path), plan("ab12"))
    told: list[str] = []
    if there:
        with pytest.raises(EngineUnavailable, match="no private network is free"):
            engine.choose_network(told.append)
    else:
        assert engine.choose_network(told.append) == "none"
        assert engine.traces.bridge is None
        assert told == ["containers get no network and no published ports: no private network is free"]
