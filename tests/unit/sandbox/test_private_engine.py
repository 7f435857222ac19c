"""What happens if no private engine can be started, and what it must not do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.sandbox import private_engine
from ecr_widgets.sandbox.engine_traces import plan
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.private_engine import INSTALL_COMMAND, PrivateEngine


def test_without_dockerd_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dockerd, the error ends with the command that installs it."""
    monkeypatch.setattr(private_engine, "find_tool", lambda _name: None)

    with pytest.raises(EngineUnavailable, match="dockerd") as raised:
        PrivateEngine.require()
    assert str(raised.value).endswith(INSTALL_COMMAND)


def test_a_private_engine_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is not root gets an error that says a private engine needs root."""
    monkeypatch.setattr(private_engine, "find_tool", lambda name: f"/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(EngineUnavailable, match="needs root"):
        PrivateEngine.require()


@pytest.mark.parametrize("there", [True, False])
def test_no_private_engine_deletes_docker0(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, there: bool
) -> None:
    """Without a free network, no engine is started where docker0 exists (it would delete it); elsewhere it has no network."""

    def refuse(_name: str) -> None:
        raise EngineError("no private network is free")

    monkeypatch.setattr(private_engine, "create_bridge", refuse)
    monkeypatch.setattr(private_engine, "_DOCKERS_BRIDGE", tmp_path if there else tmp_path / "missing")
    engine = PrivateEngine(SandboxFolder(tmp_path), plan("ab12"))
    told: list[str] = []
    if there:
        with pytest.raises(EngineUnavailable, match="no private network is free"):
            engine.choose_network(told.append)
    else:
        assert engine.choose_network(told.append) == "none"
        assert engine.traces.bridge is None
        assert told == ["containers get no network and no published ports: no private network is free"]
