"""A plan changes nothing, even for a step that it does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import InputError, RepositoryNotFound, VerifyError
from ecr_widgets.kit import Kit
from ecr_widgets.ports.read_only import ReadOnlyConnections
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import FakeEcr, World
from tests.fakes.connections import FakeConnections


@pytest.fixture
def kit(world: World, tmp_path: Path) -> Kit:
    to = FakeConnections(world)
    return Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,), planning=True)


@pytest.mark.parametrize(
    ("port", "call"),
    [
        ("ecr", "create_repository"), ("engine", "build"), ("engine", "tag"), ("engine", "push"), ("engine", "pull"),
        ("layer0", "create_deploy"), ("layer0", "create_service"), ("layer0", "update_service"), ("layer0", "start_task"),
        ("ecr", "change_repository"), ("ecr", "set_lifecycle_policy"), ("ecr", "tag_image"), ("ecr", "delete_images"),
        ("registry", "copy_image"), ("layer0", "a_call_that_is_added_later"),
    ],
)  # fmt: skip
def test_a_change_that_was_forgotten_is_refused(world: World, port: str, call: str) -> None:
    """The planning connections refuse each call that is not marked as reading, including future ones."""
    to = ReadOnlyConnections(FakeConnections(world))
    with pytest.raises(InputError, match="cannot be planned"):
        getattr(getattr(to, port), call)
    with pytest.raises(InputError, match="cannot be planned"):
        to.ecr_of(profile="other", region=None).create_repository(
            "app", tags_immutable=False, scan_on_push=True
        )
    assert to.engine.look_at("nobody") is None


def test_a_planned_record_is_an_intent_that_says_whether_it_would_change(kit: Kit, world: World) -> None:
    """A plan's records are intents that say whether the step would change something, and nothing is changed."""
    kit.create_repository("app")
    deployed = kit.deploy_service("demo", "web", "web.1")
    kit.wait(deployed)
    told: list[tuple[Any, ...]] = [
        (r.step, str(r.state), r.changed, r.outcome["planned"]) for r in kit.recorder.records
    ]
    assert told == [
        ("create_repository", "intended", True, True),
        ("create_service", "intended", True, True),
        ("wait", "intended", False, True),
    ]
    # An audit finds a service by its environment, planned or not.
    assert [r.inputs.get("environment") for r in kit.recorder.records] == [None, "demo", "demo"]
    assert world.changes == []


def test_an_encryption_is_planned(kit: Kit, world: World) -> None:
    """A planned repository has the requested encryption, and an existing one with another fails as in the run."""
    for call in (kit.create_repository, kit.ecr.check_repository):
        outcome = call("new", tags_immutable=False, scan_on_push=True, encryption="KMS", kms_key="alias/team")
        assert (outcome.encryption, outcome.kms_key) == ("KMS", "alias/team")
        inputs = kit.recorder.records[-1].inputs
        assert (inputs["encryption"], inputs["kms_key"]) == ("KMS", "alias/team")
        with pytest.raises(InputError, match="is not a KMS key"):
            call("new", tags_immutable=False, scan_on_push=True, encryption="KMS", kms_key="team")
    FakeEcr(world).create_repository("old", tags_immutable=False, scan_on_push=True)
    with pytest.raises(VerifyError, match="encryption cannot be changed after creation"):
        kit.create_repository("old", encryption="KMS")
    with pytest.raises(VerifyError, match="encryption cannot be changed after creation"):
        kit.ecr.check_repository("old", tags_immutable=False, scan_on_push=True, encryption="KMS")
    assert kit.create_repository("old", encryption="AES256").encryption == "AES256"


def planned(kit: Kit) -> dict[str, Any]:
    """The outcome of the newest record."""
    return dict(kit.recorder.records[-1].outcome)


DOCKERRUN = {
    "AWSEBDockerrunVersion": 2,
    "containerDefinitions": [{"name": "web", "image": "x", "essential": True, "memory": 10}],
}


def test_a_plan_of_a_deploy_names_its_content(kit: Kit, tmp_path: Path) -> None:
    """A planned deploy has the digest of its content: equal Dockerruns have the same, others do not."""
    told = []
    for memory in (10, 20, 20):
        DOCKERRUN["containerDefinitions"] = [
            {"name": "web", "image": "x", "essential": True, "memory": memory}
        ]
        (tmp_path / "run.json").write_text(json.dumps(DOCKERRUN))
        kit.create_deploy("web", "run.json", image="x:1")
        told.append(planned(kit)["content_sha256"])
    assert told[0] != told[1]
    assert told[1] == told[2]


def test_a_plan_of_a_build_names_the_content_of_its_context(kit: Kit, tmp_path: Path) -> None:
    """A planned build has the digest of its context, which any change of content, mode or files changes."""
    context = tmp_path / "app"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\n")
    changes = (
        lambda: None,
        lambda: (context / "Dockerfile").write_text("FROM busybox\nLABEL a=b\n"),
        lambda: (context / "more").write_text("x"),
        lambda: (context / "more").chmod(0o700),
        lambda: (context / "link").symlink_to("more"),
    )
    told = []
    for change in changes:
        change()
        kit.build_image("app", name="app")
        told.append(planned(kit)["context_sha256"])
    kit.build_image("app", name="app")
    assert len(set(told)) == len(changes)
    assert planned(kit)["context_sha256"] == told[-1]


def test_a_planned_push_is_found_by_the_plan(kit: Kit, world: World, tmp_path: Path) -> None:
    """In a plan, the image of a planned push is found before it exists; another tag is missing."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    kit.create_repository("app")
    pushed = kit.push_image(kit.build_image(tmp_path, name="app"), repository="app", tag="brandnew")
    found = kit.find_image("app", "brandnew")
    assert (found.image, found.digest) == (pushed.image, pushed.digest)
    assert str(kit.recorder.records[-1].state) == "intended"
    with pytest.raises(RepositoryNotFound):
        kit.find_image("app", "other")
    assert world.changes == []


def test_a_planned_change_says_what_it_would_ask_of_whom(world: World, tmp_path: Path) -> None:
    """A planned change lists the requests it would make, and a step without a change lists none."""
    to = FakeConnections(world)
    kit = Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,), planning=True)
    assert kit.create_repository("app").changed is True
    assert planned(kit)["asks"] == ["ECR: CreateRepository"]
    deployed = kit.deploy_service("demo", "web", "web.1")
    assert planned(kit)["asks"] == ["Layer0: create_service"]
    kit.wait(deployed)
    assert "asks" not in planned(kit)
    FakeEcr(world).create_repository("stands", tags_immutable=False, scan_on_push=True)
    kit.create_repository("stands")
    assert "asks" not in planned(kit)


def test_the_settings_of_a_repository_can_be_planned(kit: Kit, world: World) -> None:
    """A planned repository passes the check of its settings; an existing one with others fails."""
    kit.create_repository("new", tags_immutable=True)
    assert kit.ecr.check_repository("new", tags_immutable=True, scan_on_push=True).changed is False
    FakeEcr(world).create_repository("old", tags_immutable=False, scan_on_push=True)
    with pytest.raises(VerifyError, match="tags_immutable is false and not true"):
        kit.ecr.check_repository("old", tags_immutable=True, scan_on_push=True)
