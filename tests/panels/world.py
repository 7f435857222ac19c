"""A kit on a world in memory, for notebooks whose panels are looked at in a browser: `from tests.panels.world import kit`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import NOW, World, digest_of
from tests.fakes.action_runs import FakeActionRuns
from tests.fakes.connections import FakeConnections

_WEB = {"name": "web", "image": "busybox", "memory": 8}


def _kit(images: int) -> NotebookKit:
    """So many images in `team/app`, two other repositories, and a service that runs the newest image."""
    here = Path.cwd()
    world = World()
    to = FakeConnections(world)
    made = NotebookKit(to, Recorder("run-1", to.clock, QuietSink()), files=(here,), actions=FakeActionRuns)
    for name in ("team/app", "team/db", "team/web"):
        made.create_repository(name)
    for number in range(images):
        digest = digest_of(f"image {number}")
        world.manifests.add(("team/app", digest))
        world.tags["team/app", f"1.{number}"] = digest
        world.pushed_at[digest] = NOW - timedelta(hours=images - number)
    (here / "Dockerfile").write_text("FROM busybox")
    (here / "Dockerrun.aws.json").write_text(
        json.dumps({"AWSEBDockerrunVersion": 2, "containerDefinitions": [_WEB]})
    )
    made.build_image(".", name="local/app")
    image = made.find_image("team/app", f"1.{images - 1}").image
    made.deploy_service("demo", "web", made.create_deploy("web", "Dockerrun.aws.json", image=image))
    return made


def kit(images: int = 40) -> NotebookKit:
    """Such a kit, its world as it began."""
    return _kit(images)
