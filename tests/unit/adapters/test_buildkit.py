"""Builds by a child process, here a stand-in."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters.build_tool import BuildTool
from ecr_widgets.adapters.buildkit import build_with_buildkit
from ecr_widgets.errors import AuthorizationError, BuildError, EngineLost, StepCancelled
from ecr_widgets.locks import take
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.ports import Progress, ignore_progress
from tests.unit.adapters.plugin import Plugin, make_plugin

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOST = "111222333444.dkr.ecr.eu-west-1.amazonaws.com"
TOKEN = AuthorizationToken(HOST, "AWS", "password-1", NOW, NOW + timedelta(hours=12))
OWN = {"auth": base64.b64encode(b"AWS:password-1").decode()}
IMAGE_ID = "sha256:" + "b" * 64


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user's configuration, a build context and a runtime folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "runtime"))
    for name in ("config", "runtime", "context"):
        (tmp_path / name).mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM scratch\n")
    return {
        "DOCKER_CONFIG": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "DOCKER_HOST": "unix:///run/here.sock",
        "BUILDX_BUILDER": "somebody-elses",
        "NPM_TOKEN": "npm-secret-1",
    }


def build(
    plugin: Plugin,
    environ: Mapping[str, str],
    *,
    tool: BuildTool | None = None,
    options: BuildOptions | None = None,
    **given: Any,
) -> str | None:
    context = find_context(Path(environ["DOCKER_CONFIG"]).parent / "context", "Dockerfile")
    return build_with_buildkit(
        tool or BuildTool(str(plugin.path), (0, 29), is_plugin=True),
        context,
        options or BuildOptions(),
        **{"tags": ["app:1"], "environ": environ, "logins": [], "progress": ignore_progress} | given,
    )


def test_the_engine_is_named_and_nothing_of_the_users_choice_is_between(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A build uses the default builder of the given engine, no attestation, and private Docker and buildx folders."""
    plugin = make_plugin(tmp_path / "plugin")
    assert build(plugin, environ) == IMAGE_ID
    started = plugin.started()
    words = started["arguments"]
    assert words[:4] == ["build", "--builder", "default", "--load"]
    assert {"--provenance=false", "--sbom=false"} < set(words)
    assert words[-2:] == ["--", str(tmp_path / "context")]
    child = started["environ"]
    assert child["DOCKER_HOST"] == "unix:///run/here.sock"
    assert "BUILDX_BUILDER" not in child
    assert child["BUILDX_CONFIG"].startswith(child["DOCKER_CONFIG"])
    assert Path(child["DOCKER_CONFIG"]).parent == tmp_path / "runtime"
    assert started["modes"] == ["0o700", "0o600"]
    assert list((tmp_path / "runtime").iterdir()) == []


def test_the_tool_is_the_same_to_the_engine_at_each_build(tmp_path: Path, environ: dict[str, str]) -> None:
    """Builds of one user have the same node id, so that only changed files are sent; it is private and differs between users."""
    plugin = make_plugin(tmp_path / "plugin")
    told = []
    for user in ("state", "state", "another"):
        assert build(plugin, environ | {"XDG_STATE_HOME": str(tmp_path / user)}) == IMAGE_ID
        # buildx reads its own folder; a docker command with built-in BuildKit reads Docker's.
        of_buildx, of_docker = plugin.started()["identities"]
        assert of_buildx == of_docker
        told.append(of_buildx)
    assert told[0] == told[1] != told[2]
    assert len(told[0]) == 64
    (kept,) = (tmp_path / "state").rglob(".buildNodeID")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_build_without_a_place_for_state_sends_its_whole_context(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Without a writable state folder the build succeeds without a node id, so the tool invents one."""
    (tmp_path / "state").write_text("no folder")
    plugin = make_plugin(tmp_path / "plugin")
    assert build(plugin, environ) == IMAGE_ID
    assert plugin.started()["identities"] == []


def test_options_are_the_commands_own(tmp_path: Path, environ: dict[str, str]) -> None:
    """Build options become command-line flags; a secret is passed by its variable's name only and never written to a file."""
    options = BuildOptions.read(
        build_args={"A": "1"},
        target="last",
        platform="linux/amd64, linux/arm64",
        pull=True,
        labels={"of": "me"},
        secrets={"npm": "NPM_TOKEN"},
        cache_from="cache/a:1",
        cache_to="cache/b:1",
        provenance=True,
    )
    plugin = make_plugin(tmp_path / "plugin")
    build(plugin, environ, options=options)
    started = plugin.started()
    words = started["arguments"]
    pairs = set(pairwise(words))
    assert {
        ("--build-arg", "A=1"),
        ("--target", "last"),
        ("--platform", "linux/amd64,linux/arm64"),
        ("--label", "of=me"),
        ("--secret", "id=npm,env=NPM_TOKEN"),
        ("--cache-from", "type=registry,ref=cache/a:1"),
        ("--cache-to", "type=registry,ref=cache/b:1,mode=max,image-manifest=true,oci-mediatypes=true"),
    } < pairs
    assert {"--pull", "--provenance=mode=min"} < set(words)
    assert "npm-secret-1" not in json.dumps([words, started["config"]])
    assert started["environ"]["NPM_TOKEN"] == "npm-secret-1"


def test_the_login_is_beside_the_users_own(tmp_path: Path, environ: dict[str, str]) -> None:
    """Our login overrides the user's store and helper for its registry; other registries keep the user's settings."""
    users = {
        "auths": {HOST: {}, "other.example": {"auth": "b3RoZXI6MQ=="}},
        "credsStore": "desktop",
        "credHelpers": {HOST: "ecr-login", "third.example": "pass"},
        "currentContext": "elsewhere",
    }
    (tmp_path / "config/config.json").write_text(json.dumps(users))
    plugin = make_plugin(tmp_path / "plugin")
    build(plugin, environ, logins=[TOKEN])
    assert plugin.started()["config"] == {
        "auths": {HOST: OWN, "other.example": {"auth": "b3RoZXI6MQ=="}},
        "credHelpers": {"other.example": "desktop", "third.example": "pass"},
    }
    build(plugin, environ)
    users.pop("currentContext")
    assert plugin.started()["config"] == users


def test_a_login_given_by_a_variable_does_not_hide_ours(tmp_path: Path, environ: dict[str, str]) -> None:
    """A login for our registry in DOCKER_AUTH_CONFIG is removed, since it would override ours; other logins stay."""
    plugin = make_plugin(tmp_path / "plugin")
    given = {"auths": {HOST: {"auth": "c3RhbGU6MQ=="}, "other.example": {"auth": "b3RoZXI6MQ=="}}}
    build(plugin, environ | {"DOCKER_AUTH_CONFIG": json.dumps(given)}, logins=[TOKEN])
    told = json.loads(plugin.started()["environ"]["DOCKER_AUTH_CONFIG"])
    assert list(told["auths"]) == ["other.example"]


def test_what_a_killed_build_left_goes_with_the_next(tmp_path: Path, environ: dict[str, str]) -> None:
    """A build removes the folder of a killed build, which contains logins, but not that of one still running."""
    for name in ("left", "under-way"):
        folder = tmp_path / f"runtime/ecrw-build-{name}"
        folder.mkdir(mode=0o700)
        (folder / "held").touch(mode=0o600)
    held = take(folder / "held")
    assert held is not None
    build(make_plugin(tmp_path / "plugin"), environ)
    held.release()
    assert [each.name for each in (tmp_path / "runtime").iterdir()] == ["ecrw-build-under-way"]


@pytest.mark.parametrize(
    ("told", "kind", "hint"),
    [
        ("failed to solve: process did not complete: exit code: 1", BuildError, "the log names"),
        (f"failed to solve: {HOST}/base:1: 401 Unauthorized", AuthorizationError, "identity"),
        (f"{HOST}/base:1: no basic auth credentials", AuthorizationError, "identity"),
        ("other.example/base:1: 401 Unauthorized", BuildError, "docker login"),
        (
            "failed to solve: dockerfile parse error on line 2: unknown flag: checksum",
            BuildError,
            "# syntax=",
        ),
        (
            "failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:1",
            BuildError,
            "remove the line",
        ),
        (
            "client version 1.42 is too old. Minimum supported API version is 1.44",
            BuildError,
            "docker-buildx",
        ),
        ("Cannot connect to the Docker daemon at unix:///run/here.sock", EngineLost, "engine runs"),
        (
            "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            EngineLost,
            "engine runs",
        ),
        ("Unavailable: error reading from server: EOF", EngineLost, "engine runs"),
        (
            'error during connect: Head "http://docker.example.com/_ping": command [ssh -- host] has exited',
            EngineLost,
            "engine runs",
        ),
        ("failed to solve: write /app: no space left on device", BuildError, "docker system prune"),
        ("failed to solve: process did not complete successfully: exit code: 137", BuildError, "killed"),
    ],
)
def test_a_failure_is_told_with_its_reason_and_what_to_try(
    tmp_path: Path, environ: dict[str, str], told: str, kind: type[Exception], hint: str
) -> None:
    """A failure has its reason and a hint, and a refusal of our login is distinguished so that the token is renewed."""
    plugin = make_plugin(tmp_path / "plugin", lines=["{}", f"ERROR: {told}"], exit_code=1)
    with pytest.raises(kind, match=hint) as caught:
        build(plugin, environ, logins=[TOKEN])
    assert told.removeprefix("failed to solve: ") in str(caught.value)
    assert list((tmp_path / "runtime").iterdir()) == []


@pytest.mark.parametrize("why", [KeyboardInterrupt, StepCancelled("stopped")])
def test_whatever_stops_the_watching_stops_the_build(
    tmp_path: Path, environ: dict[str, str], why: type[BaseException] | BaseException
) -> None:
    """If the observer stops, the build process is interrupted and its folder removed."""
    plugin = make_plugin(tmp_path / "plugin", lines=["#1 working"], waits=True)

    def stop(observed: Progress) -> None:
        if observed.message.endswith("working"):
            raise why

    with pytest.raises((KeyboardInterrupt, StepCancelled)):
        build(plugin, environ, progress=stop)
    assert plugin.was_interrupted
    assert list((tmp_path / "runtime").iterdir()) == []


def test_a_silent_build_can_be_stopped(tmp_path: Path, environ: dict[str, str]) -> None:
    """The observer is called repeatedly even if the build prints nothing, so that it can stop the build."""
    plugin = make_plugin(tmp_path / "plugin", waits=True)
    observed: list[Progress] = []

    def stop(each: Progress) -> None:
        observed.append(each)
        if len(observed) > 1 and (plugin.path.parent / "started").exists():
            raise StepCancelled("stopped")

    with pytest.raises(StepCancelled):
        build(plugin, environ, progress=stop)
    assert plugin.was_interrupted


def test_a_docker_command_of_old_gets_what_it_knows(tmp_path: Path, environ: dict[str, str]) -> None:
    """An old docker command gets DOCKER_BUILDKIT, plain progress and no flags that only the plug-in knows."""
    plugin = make_plugin(tmp_path / "bin", name="docker")
    tool = BuildTool(str(plugin.path), (20, 10), is_plugin=False)
    options = replace(BuildOptions.read(cache_from="cache/a:1"), secrets={"npm": "NPM_TOKEN"})
    assert build(plugin, environ, tool=tool, options=options) is None
    words = plugin.started()["arguments"]
    assert words[1:-2] == [
        *("--progress", "plain", "--file", str(tmp_path / "context/Dockerfile"), "--tag", "app:1"),
        *("--secret", "id=npm,env=NPM_TOKEN", "--cache-from", "cache/a:1"),
    ]
    assert plugin.started()["environ"]["DOCKER_BUILDKIT"] == "1"


def test_a_program_that_cannot_be_started_is_said_as_that(tmp_path: Path, environ: dict[str, str]) -> None:
    """A build tool that has disappeared since it was found is an error that says it cannot be started."""
    plugin = make_plugin(tmp_path / "plugin")
    plugin.path.unlink()
    with pytest.raises(BuildError, match="cannot be started"):
        build(plugin, environ)
