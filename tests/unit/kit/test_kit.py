"""The kit itself: targets held and checked again, failures recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    EcrWidgetsError,
    InputError,
    TargetBusy,
)
from ecr_widgets.kit import Kit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.render import to_text
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import KMS_KEY, REGISTRY, FakeEcr, FakeRegistry, World, digest_of
from tests.fakes.connections import FakeConnections

BAD_FILES = {
    "no context": ({"context": "nowhere"}, "'nowhere' is not a folder"),
    "no Dockerfile": ({"context": ".", "dockerfile": "none"}, "no Dockerfile 'none'"),
    "capitals": ({"local_name": "Xfra/wait"}, "it has capital letters; write it in lower case"),
    "no Dockerrun": ({"dockerrun": "none.json"}, "cannot read 'none.json'"),
    "bad Dockerrun": ({"dockerrun": "bad.json"}, "Dockerrun 'bad.json' refused at /containerDefinitions"),
    "no such container": (
        {"dockerrun": "good.json", "container": "web"},
        "Dockerrun 'good.json' refused at /containerDefinitions: no container 'web'; it has: timeout",
    ),
    "deploy name": ({"deploy": "time.out"}, "deploy name 'time.out' refused"),
}
IMAGE_TARGET = "image registry.test:5000/app:1"
SERVICE_TARGET = "service web of environment demo24e9e412 at https://layer0.test"


def test_a_record_says_which_file_was_used(to: FakeConnections, tmp_path: Path) -> None:
    """A record says where a relative path was found, or that it is the shipped example."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for each in (own / "app", shipped / "app", shipped / "wait"):
        each.mkdir(parents=True)
        (each / "Dockerfile").write_text("FROM busybox")
    kit = Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(own, shipped), examples=shipped)
    for context in ("app", "wait", own / "app"):
        kit.build_image(context, name="app")
    told = [record.inputs.get("found") for record in kit.recorder.records]
    assert told == [str(own / "app"), "the example that ecr-widgets ships", None]


@pytest.mark.parametrize("case", BAD_FILES)
def test_the_check_finds_what_a_later_step_would_refuse(
    kit: Kit, world: World, tmp_path: Path, case: str
) -> None:
    """Unusable files and names fail the check with their name, without a change or a request for a token."""
    container = {"name": "timeout", "image": "x", "memory": 10}
    (tmp_path / "good.json").write_text(json.dumps({"containerDefinitions": [container]}))
    (tmp_path / "bad.json").write_text(json.dumps({"containerDefinitions": [container | {"memory": "10"}]}))
    given, why = BAD_FILES[case]
    with pytest.raises(EcrWidgetsError) as refused:
        kit.check_target(environment="demo", service="web", repository="app", tag="1", **given)
    assert why in str(refused.value)
    assert (world.changes, world.tokens_issued) == ([], 0)
    assert [(each.step, str(each.state)) for each in kit.recorder.records] == [("check_target", "failed")]


def check(kit: Kit) -> None:
    kit.check_target(environment="demo", service="web", repository="app", tag="1")


def test_the_check_holds_what_the_run_will_change(kit: Kit, to: FakeConnections) -> None:
    """The check locks the service and the tag that the run will change."""
    check(kit)
    assert set(to.locks.held) == {SERVICE_TARGET, IMAGE_TARGET}


@pytest.mark.parametrize("target", [IMAGE_TARGET, SERVICE_TARGET])
def test_a_busy_target_stops_the_run_at_its_check(
    kit: Kit, to: FakeConnections, world: World, target: str
) -> None:
    """If a target is busy, the check fails with a record and nothing is changed."""
    to.locks.busy.add(target)
    with pytest.raises(TargetBusy):
        check(kit)
    (record,) = kit.recorder.records
    assert (record.step, record.state, world.changes) == ("check_target", "failed", [])


def test_a_service_that_somebody_else_moved_is_left_alone(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """If another run moved the service after the check, the deploy is refused and recorded."""
    made = to.layer0.create_service("demo24e9e412", "web", "web.1")
    check(kit)
    to.layer0.update_service(made.service_id, "web.7")
    before = list(world.changes)
    with pytest.raises(TargetBusy, match=r"was on web\.1 and is on web\.7 now"):
        kit.deploy_service("demo", "web", "web.2")
    assert world.changes == before
    assert kit.recorder.records[-1].error is not None
    assert kit.deploy_service("demo", "web", "web.7").changed is False


def test_an_encryption_is_recorded_where_it_was_asked_for(kit: Kit, world: World) -> None:
    """Encryption and key are in the records only of calls that requested them."""
    kit.create_repository("app")
    kit.create_repository("safe", encryption="KMS", kms_key="alias/team")
    kit.ecr.check_repository("safe", tags_immutable=False, scan_on_push=True, encryption="KMS")
    plain, safe, checked = kit.recorder.records
    assert "encryption" not in to_text(plain)
    assert (safe.inputs["encryption"], safe.inputs["kms_key"]) == ("KMS", "alias/team")
    assert (safe.outcome["encryption"], safe.outcome["kms_key"]) == ("KMS", KMS_KEY)
    assert (checked.inputs["encryption"], checked.outcome["kms_key"]) == ("KMS", KMS_KEY)
    assert world.repositories["safe"].kms_key == KMS_KEY


def test_a_bad_encryption_is_refused_before_anything_is_asked(kit: Kit, world: World) -> None:
    """An invalid encryption is refused and recorded, and nothing is changed."""
    for asked in ({"encryption": "kms"}, {"kms_key": "alias/team"}, {"encryption": "KMS", "kms_key": "team"}):
        with pytest.raises(InputError):
            kit.create_repository("app", **asked)
        assert kit.recorder.records[-1].state == "failed"
    assert world.changes == []


def test_a_tag_that_somebody_else_pushed_is_left_alone(kit: Kit, world: World) -> None:
    """A tag that someone else moved after the check is not overwritten."""
    kit.create_repository("app")
    check(kit)
    world.tags["app", "1"] = digest_of("theirs")
    built = kit.build_image(".", name="app")
    with pytest.raises(TargetBusy, match=r"app:1 was changed by somebody else"):
        kit.push_image(built, repository="app", tag="1")
    assert world.tags["app", "1"] == digest_of("theirs")


def test_a_run_may_change_its_target_more_than_once(kit: Kit, world: World, tmp_path: Path) -> None:
    """A run may change its target repeatedly: its own changes do not count as someone else's."""
    kit.create_repository("app")
    check(kit)
    first = kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nENV A=1")
    second = kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    assert first.digest != second.digest
    for deploy in ("web.1", "web.2"):
        assert kit.deploy_service("demo", "web", deploy).changed


def test_what_layer0_keeps_is_deleted_once(kit: Kit, to: FakeConnections) -> None:
    """Deleting a deploy, task or job, or setting a minimum size, a second time reports no change."""
    deploy = to.layer0.create_deploy("web", b"{}").deploy_id
    job = to.layer0.ended("x")
    assert [kit.layer0.delete_deploy(deploy).changed for _ in "ab"] == [True, False]
    assert [kit.layer0.delete_job(job).changed for _ in "ab"] == [True, False]
    assert [kit.layer0.set_min_count("demo", 2).changed for _ in "ab"] == [True, False]
    assert kit.layer0.scale_environment("demo").environment_id == "demo24e9e412"
    assert (kit.layer0.restore_own_tags().version, to.layer0.restored) == ("v0.12.6", 1)
    to.layer0.start_task("demo24e9e412", "once", "web.1", {}, run_id="", token="")
    assert kit.layer0.delete_task("task00000000").changed
    assert not kit.layer0.delete_task("task00000000").changed


def test_another_account_is_asked_where_it_is_named(tmp_path: Path) -> None:
    """With a profile, a repository is created and an image verified in that account only, and a plan changes neither."""
    here, there = World(), World()

    class TwoAccounts(FakeConnections):
        def ecr_of(self, *, profile: str | None, region: str | None) -> FakeEcr:
            assert (profile, region) == ("live", None)
            return FakeEcr(there)

    to = TwoAccounts(here)
    recorder = Recorder("run-1", to.clock, QuietSink())
    Kit(to, recorder, files=(tmp_path,), planning=True).create_repository("app", profile="live")
    assert recorder.records[-1].changed is True
    assert (here.changes, there.changes) == ([], [])
    kit = Kit(to, recorder, files=(tmp_path,))
    kit.create_repository("app", profile="live")
    assert (here.changes, there.changes) == ([], ["create repository app"])
    text = json.dumps({"containerDefinitions": [{"name": "web", "image": "x", "memory": 10}]})
    (tmp_path / "run.json").write_text(text)
    there.manifests.add(("app", digest_of("a")))
    to.registry = FakeRegistry(there)
    stored = kit.create_deploy("web", "run.json", image=f"{REGISTRY}/app@{digest_of('a')}")
    running = kit.deploy_service("demo", "web", stored)
    kit.wait(running)
    assert kit.verify(running, profile="live").registry_digest == digest_of("a")
    assert here.tokens_issued == 0
