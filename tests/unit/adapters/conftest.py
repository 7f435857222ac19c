"""What tests of connections to engines share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_widgets.settings import engine_address


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without engines, contexts or configuration."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(engine_address, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr(engine_address, "PODMAN_SOCKET", tmp_path / "podman.sock")
    yield tmp_path
    # docker-py leaves sockets of failed connections to the garbage collector, whose warnings belong to no other test.
    gc.collect()
