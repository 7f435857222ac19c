"""Which program runs builds with BuildKit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecr_widgets.adapters import build_tool
from ecr_widgets.adapters.build_tool import find_build_tool
from tests.unit.adapters.plugin import make_plugin


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user and a machine without any build tool."""
    monkeypatch.setattr(build_tool, "_FOLDERS", (tmp_path / "machine",))
    (tmp_path / "config").mkdir()
    return {"DOCKER_CONFIG": str(tmp_path / "config"), "PATH": str(tmp_path / "bin")}


def test_the_users_plug_in_comes_before_the_machines(environ: dict[str, str], tmp_path: Path) -> None:
    """Plug-ins are searched in Docker's order: user, folders in config.json, machine; one that does not start is skipped."""
    make_plugin(tmp_path / "machine", version="github.com/docker/buildx 0.13.1")
    make_plugin(tmp_path / "extra", version="github.com/docker/buildx 0.14.0")
    broken = tmp_path / "config/cli-plugins/docker-buildx"
    broken.parent.mkdir()
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    found = find_build_tool(environ)
    assert found is not None
    assert (found.version, found.tells_events) == ((0, 13), True)
    (tmp_path / "config/config.json").write_text(
        json.dumps({"cliPluginsExtraDirs": [str(tmp_path / "extra"), 7]})
    )
    found = find_build_tool(environ)
    assert found is not None
    assert found.version == (0, 14)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("Docker version 20.10.24+dfsg1, build 297e128", "the docker command 20.10"),
        ("Docker version 28.2.2, build e6534b4", "None"),
        ("podman version 5.4.2", "None"),
        ("what?", "None"),
    ],
)
def test_a_docker_command_counts_where_buildkits_client_is_in_it(
    environ: dict[str, str], tmp_path: Path, version: str, found: str
) -> None:
    """A docker command counts only if it contains BuildKit's client; newer ones need the plug-in, and Podman's does not count."""
    make_plugin(tmp_path / "bin", name="docker", version=version)
    assert str(find_build_tool(environ)) == found


def test_an_old_plug_in_is_told_from_a_new_one(environ: dict[str, str], tmp_path: Path) -> None:
    """buildx 0.9 is recognized as too old for JSON progress and for attestation flags."""
    make_plugin(tmp_path / "machine", version="github.com/docker/buildx v0.9.1 x")
    found = find_build_tool(environ)
    assert found is not None
    assert not found.tells_events
    assert not found.knows_attestations
