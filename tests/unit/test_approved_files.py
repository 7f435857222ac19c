"""A run uses just the files that were looked at when it was approved."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ecr_widgets.approved_files import ApprovedFiles, context_sha256
from ecr_widgets.errors import InputError
from ecr_widgets.kit import Kit
from ecr_widgets.model.build_context import find_context
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import World
from tests.fakes.connections import FakeConnections

DOCKERRUN = {
    "AWSEBDockerrunVersion": 2,
    "containerDefinitions": [{"name": "web", "image": "x", "essential": True, "memory": 10}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context with everything that a context may hold, a Dockerfile beside it, and a Dockerrun."""
    context = tmp_path / "app"
    (context / "deep" / "kept").mkdir(parents=True)
    (context / "deep" / "kept" / "file").write_text("kept")
    (context / "deep" / "left-out").write_text("left out")
    (context / "Dockerfile").write_text("FROM busybox\nCOPY . /\n")
    (context / "run").write_text("#!/bin/sh\n")
    (context / "run").chmod(0o4755)
    (context / "link").symlink_to("deep/kept")
    (context / "dead-link").symlink_to("nowhere")
    os.mkfifo(context / "pipe")
    (context / ".dockerignore").write_text("deep\n!deep/kept\nDockerfile\n.dockerignore\n")
    (context / "deep").chmod(0o500)
    (tmp_path / "Dockerfile.beside").write_text("FROM busybox\n")
    (tmp_path / "Dockerfile.beside.dockerignore").write_text("deep\n")
    (tmp_path / "run.json").write_text(json.dumps(DOCKERRUN))
    return tmp_path


def looked_at(world: World, folder: Path) -> ApprovedFiles:
    """Return what a plan of a build and a deploy looks at, as the run's kernel gets it."""
    to = FakeConnections(world)
    recorder = Recorder("plan", to.clock, QuietSink())
    plan = Kit(to, recorder, files=(folder,), planning=True)
    plan.build_image("app", name="app")
    plan.create_deploy("web", "run.json", image="x:1", variables={"VERSION": "1"})
    return ApprovedFiles.parse(ApprovedFiles.of_plan(recorder.records).to_json())


def approved_kit(world: World, folder: Path, approved: ApprovedFiles) -> Kit:
    to = FakeConnections(world)
    return Kit(to, Recorder("run", to.clock, QuietSink()), files=(folder,), approved=approved)


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "../Dockerfile.beside"])
def test_the_copy_is_of_the_same_content(folder: Path, dockerfile: str) -> None:
    """The copied context has the same content as the approved one, and is removed afterwards."""
    context = folder / "app"
    found = find_context(context, dockerfile)
    sha256 = context_sha256(found)
    approved = ApprovedFiles({f"build context 'app' with {dockerfile!r}": [sha256]})
    with approved.context("app", dockerfile, context) as (copy, copied_dockerfile):
        assert copy != context
        copied = find_context(copy, copied_dockerfile)
        assert [each.name for each in copied.sent()] == [each.name for each in found.sent()]
        assert copied.dockerfile.read_bytes() == found.dockerfile.read_bytes()
        (context / "run").write_text("other")
        assert context_sha256(copied) == sha256
    assert not copy.exists()


def test_a_changed_context_is_not_built(world: World, folder: Path) -> None:
    """A changed context, or another Dockerfile than the planned one, is not built."""
    kit = approved_kit(world, folder, looked_at(world, folder))
    kit.build_image("app", name="app")
    built = len(world.changes)
    with pytest.raises(InputError, match=r"'\.\./Dockerfile\.beside' is not what was approved"):
        kit.build_image("app", name="app", dockerfile="../Dockerfile.beside")
    (folder / "app" / "run").write_text("other")
    with pytest.raises(InputError, match="build context 'app' with 'Dockerfile' is not what was approved"):
        kit.build_image("app", name="app")
    assert len(world.changes) == built


def test_a_changed_dockerrun_is_not_stored(world: World, folder: Path) -> None:
    """A changed Dockerrun is not stored; the approved one is, with the run's image and variables."""
    kit = approved_kit(world, folder, looked_at(world, folder))
    image = f"x@sha256:{'a' * 64}"
    kit.create_deploy("web", "run.json", image=image, variables={"VERSION": "2"})
    stored = len(world.changes)
    DOCKERRUN["containerDefinitions"][0]["memory"] += 1  # type: ignore[index]
    (folder / "run.json").write_text(json.dumps(DOCKERRUN))
    with pytest.raises(InputError, match=r"Dockerrun 'run\.json' is not what was approved"):
        kit.create_deploy("web", "run.json", image=image)
    assert len(world.changes) == stored


def test_a_run_that_needs_no_approval_uses_what_is_there(world: World, folder: Path) -> None:
    """A run without approval uses the folder itself, not a copy."""
    approved = ApprovedFiles.parse("")
    with approved.context("app", "Dockerfile", folder / "app") as (context, dockerfile):
        assert (context, dockerfile) == (folder / "app", "Dockerfile")
    approved_kit(world, folder, approved).create_deploy("web", "run.json", image="x:1")
