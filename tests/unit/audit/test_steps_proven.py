"""Steps recorded by the kit are proven if they did their work, and never without the proof."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecr_widgets.audit.judging import Judgement, judge
from ecr_widgets.audit.run import Cell, Origin, Run
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.kit import Kit
from ecr_widgets.model.record import CellState, RunState, StepRecord
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import World
from tests.fakes.connections import FakeConnections
from tests.fakes.on_both import OnBoth

DOCKERRUN = b'{"containerDefinitions": [{"name": "web", "image": "x:1", "memory": 10}]}'


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    (tmp_path / "web.json").write_bytes(Dockerrun.parse(DOCKERRUN).to_bytes())
    to = FakeConnections(World())
    return Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,))


def steps_of(kit: Kit) -> list[StepRecord]:
    return [StepRecord.from_json(record.to_json()) for record in kit.recorder.records]


def judged(steps: list[StepRecord]) -> Judgement:
    cells = tuple(
        Cell(f"c{n}", 1, CellState.SUCCEEDED, (), (step,), may_hold=frozenset((step.step,)))
        for n, step in enumerate(steps)
    )
    moment = steps[0].started_at
    return judge(
        Run(
            version=1, run_id="run-1", runbook="mine", runbook_sha256="0", state=RunState.SUCCEEDED, parameters={},
            started_at=moment, ended_at=steps[-1].ended_at, path="a.ipynb", origin=Origin.ENGINE, cells=cells,
        )
    )  # fmt: skip


def change(steps: list[StepRecord], name: str, /, **members: Any) -> list[StepRecord]:
    """Return the same steps, one with changes to its outcome or its end."""
    ended_at = members.pop("ended_at", None)
    return [
        msgspec.structs.replace(step, outcome={**step.outcome, **members}, ended_at=ended_at or step.ended_at)
        if step.step == name
        else step
        for step in steps
    ]


def release(kit: Kit) -> list[StepRecord]:
    kit.create_repository("app")
    pushed = kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    stored = kit.create_deploy("web", "web.json", image=pushed.image)
    running = kit.deploy_service("demo", "web", stored)
    kit.wait(running)
    kit.verify(running, pushed)
    return steps_of(kit)


OTHER = "sha256:" + "0" * 64
AT = "registry.test:5000/app"


def test_a_release_is_proven(kit: Kit) -> None:
    """A release as the kit records it is proven (the control for the cases below)."""
    assert judged(release(kit)).verdict == "proven"


DISAGREEING: dict[str, tuple[str, dict[str, Any], str]] = {
    "pushed another": (
        "push_image",
        {"digest": OTHER, "image": f"{AT}:1@{OTHER}"},
        "create_deploy is of sha256:",
    ),
    "verified another": (
        "verify",
        {"image": f"{AT}@{OTHER}", "registry_digest": OTHER, "running_digest": OTHER},
        "verify is of sha256:000000000000, which is not what this run pushed or found",
    ),
    "verified another repository's": (
        "verify",
        {"image": f"registry.test/b@{OTHER}", "registry_digest": OTHER, "running_digest": OTHER},
        "verify is of another image than the deploy has",
    ),
    "brought to another deploy": (
        "create_service",
        {"deploy_id": "web.9"},
        "create_service was asked for deploy id 'web.1' and reports 'web.9'",
    ),
    "waited for another deploy": (
        "wait",
        {"deploy_id": "web.9"},
        "wait is of deploy 'web.9', to which this run did not bring the service",
    ),
}


@pytest.mark.parametrize("case", DISAGREEING)
def test_steps_that_disagree_prove_nothing(kit: Kit, case: str) -> None:
    """A run is unproven if two of its records disagree, even if each alone is in order."""
    step, outcome, why = DISAGREEING[case]
    found = judged(change(release(kit), step, **outcome))
    assert found.verdict == "unproven"
    assert any(reason.startswith(why) for reason in found.reasons), found.reasons


def test_a_service_on_a_deploy_that_the_run_did_not_make_is_unproven(kit: Kit) -> None:
    """A service on a deploy that the run did not make is unproven, even if the later steps agree on it."""
    steps = change(change(release(kit), "verify", deploy_id="web.9"), "wait", deploy_id="web.9")
    steps = [
        msgspec.structs.replace(
            each, inputs={**each.inputs, "deploy_id": "web.9"}, outcome={**each.outcome, "deploy_id": "web.9"}
        )
        if each.step in ("create_service", "wait")
        else each
        for each in steps
    ]
    assert judged(steps).reasons == ("create_service is of deploy 'web.9', which this run did not make",)


def test_an_end_before_the_start_is_unproven(kit: Kit) -> None:
    """A run or step that ended before it started is unproven."""
    steps = release(kit)
    early = msgspec.structs.replace(steps[0], started_at=steps[0].started_at.replace(year=2000)).started_at
    found = judged(change(steps, "verify", ended_at=early))
    assert {"it ended before it started", "verify ended before it started"} <= set(found.reasons)


def test_another_container_of_the_deploy_may_be_verified(kit: Kit) -> None:
    """The verified container need not be the one whose image the deploy set."""
    steps = release(kit)
    other = {"image": f"registry.test/b@{OTHER}", "registry_digest": OTHER, "running_digest": OTHER}
    with_names = [
        msgspec.structs.replace(
            each,
            inputs={
                **each.inputs,
                "container": name,
                **({"image": other["image"]} if name == "side" else {}),
            },
        )
        if (name := {"create_deploy": "web", "verify": "side"}.get(each.step))
        else each
        for each in change(steps, "verify", **other)
    ]
    assert judged(with_names).verdict == "proven"


def _scale(kit: Kit) -> None:
    kit.layer0.scale_service("demo", "web", 3)


def _scale_to_none(kit: Kit) -> None:
    kit.layer0.scale_service("demo", "web", 0)


def _lifecycle(kit: Kit) -> None:
    kit.ecr.set_lifecycle_policy("app", untagged_days=3)


def _no_rule(kit: Kit) -> None:
    kit.ecr.set_lifecycle_policy("app")


def _wait_for_none(kit: Kit) -> None:
    kit.layer0.scale_service("demo", "web", 0)
    kit.wait(kit.find_service("demo", "web"))


def _settings(kit: Kit) -> None:
    kit.ecr.change_repository("app", tags_immutable=True)


def _encrypted(kit: Kit) -> None:
    kit.create_repository("safe", encryption="KMS")


def _tag(kit: Kit) -> None:
    kit.ecr.tag_image("app", "1", "2")


def _delete_images(kit: Kit) -> None:
    kit.create_repository("old")
    pushed = kit.push_image(kit.build_image(".", name="old"), repository="old", tag="1")
    kit.ecr.delete_images("old", [pushed.digest], typed_name="old")


def _delete_repository(kit: Kit) -> None:
    kit.create_repository("old")
    kit.ecr.delete_repository("old", typed_name="old")


def _delete_service(kit: Kit) -> None:
    kit.layer0.delete_service("demo", "web")


def _link(kit: Kit) -> None:
    kit.layer0.create_environment("other")
    kit.layer0.link_environments("demo", "other")


def _min_count(kit: Kit) -> None:
    kit.layer0.set_min_count("demo", 7)


def _delete_deploy(kit: Kit) -> None:
    kit.layer0.delete_deploy("web.1")


def _adopt(kit: Kit) -> None:
    to, folder = kit._outside.connections, kit._outside.files.folders[0]
    assert isinstance(to, FakeConnections)
    OnBoth(to, "old", {"name": "old", "image": "old:1", "memory": 64})
    kit.layer0.adopt("demo", "old", files=folder / "adopted")


WORK: dict[str, tuple[Callable[[Kit], None], str, dict[str, Any], str]] = {
    "scale": (_scale, "scale_service", {"running_count": 2}, "scale_service: 2 of 3 copies ran"),
    "scale to none": (_scale_to_none, "scale_service", {"desired_count": 1}, "scale_service: 1 copies are wanted"),
    "lifecycle": (_lifecycle, "set_lifecycle_policy", {"policy": None}, "set_lifecycle_policy: the repository has no"),
    "settings": (_settings, "change_repository", {"tags_immutable": False}, "change_repository: tags_immutable is not"),
    "encryption": (_encrypted, "create_repository", {"encryption": "AES256"}, "create_repository: it is not encrypted as"),
    "tag": (_tag, "tag_image", {"digest": OTHER}, "tag_image: image and digest disagree"),
    "images": (_delete_images, "delete_images", {"kept": {OTHER: "in use"}}, "delete_images: ECR kept 1 of"),
    "other images": (_delete_images, "delete_images", {"deleted": [OTHER]}, "delete_images: other images were deleted"),
    "repository": (_delete_repository, "delete_repository", {"repository": "b"}, "delete_repository: the outcome names"),
    "service": (_delete_service, "delete_service", {"entity_id": None}, "delete_service: no id of what was deleted"),
    "link": (_link, "link_environments", {"linked": False}, "link_environments: the link is not as asked for"),
    "environment": (_link, "create_environment", {"environment_id": ""}, "create_environment: Layer0 gave no id"),
    "least number": (_min_count, "set_min_count", {"min_count": 1}, "set_min_count: 1 is the least, and 7 was asked for"),
    "adopt": (_adopt, "adopt", {"same_service_id": "x"}, "adopt: Layer0's and ECS's service have not one id"),
    "adopt another deploy": (_adopt, "adopt", {"deploy_id": "old.7"}, "adopt: Layer0's and ECS's service are not on one"),
    "deploy": (_delete_deploy, "delete_deploy", {"entity_id": "b.1"}, "delete_deploy: the outcome names another one"),
}  # fmt: skip


@pytest.mark.parametrize("act", [_no_rule, _wait_for_none])
def test_what_asks_for_nothing_is_proven_by_nothing(kit: Kit, act: Callable[[Kit], None]) -> None:
    """A step that was asked for nothing, such as no lifecycle rule or zero copies, needs no proof."""
    release(kit)
    act(kit)
    assert judged(steps_of(kit)).verdict == "proven"


@pytest.mark.parametrize("case", WORK)
def test_each_step_that_changed_something_is_proven_by_its_own_outcome(kit: Kit, case: str) -> None:
    """Each step that changed something is proven by its own outcome; a broken outcome is named as the reason."""
    act, name, broken, why = WORK[case]
    release(kit)
    act(kit)
    steps = steps_of(kit)
    assert next(each for each in steps if each.step == name).changed is True
    assert judged(steps).verdict == "proven", judged(steps).reasons
    found = judged(change(steps, name, **broken))
    assert found.verdict == "unproven"
    assert any(reason.startswith(why) for reason in found.reasons), found.reasons


def test_a_rollback_is_proven_by_a_verify_of_the_deploy_that_it_went_back_to(kit: Kit) -> None:
    """A rollback is proven only by a later verify of the deploy that it went back to."""
    release(kit)
    kit.rollback(kit.find_service("demo", "web"), deploy_id="web.1")
    found = judged(steps_of(kit))
    assert found.reasons[-1].startswith("rollback: no verify of service 'web' on deploy 'web.1' follows")
    pushed = kit.find_image("app", "1")
    kit.verify(kit.find_service("demo", "web"), pushed)
    assert judged(steps_of(kit)).verdict == "proven"


class _Counted(dict[str, Any]):
    """An outcome that counts how often it is looked at."""

    looks = 0

    def get(self, key: str, default: Any = None, /) -> Any:
        _Counted.looks += 1
        return super().get(key, default)


def test_many_services_are_judged_in_one_walk(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three hundred unverified services each is named, in one pass over the steps."""
    monkeypatch.setattr(_Counted, "looks", 0)
    release(kit)
    made = next(step for step in steps_of(kit) if step.step == "create_service")
    steps = [
        msgspec.structs.replace(
            made, sequence=n + 1, outcome=_Counted(made.outcome | {"service": f"s{n}", "service_id": f"s{n}"})
        )
        for n in range(300)
    ]
    reasons = [reason for reason in judged(steps).reasons if "follows" in reason]
    assert [f"service 's{n}' on" in reason for n, reason in enumerate(reasons)] == [True] * 300
    assert _Counted.looks < 20 * 300


def test_only_a_later_verify_or_move_answers_for_a_service(kit: Kit) -> None:
    """Only a later verify of the same service and deploy proves a service, and the service id must be text."""
    steps = release(kit)
    assert judged(steps).verdict == "proven"
    at = next(n for n, step in enumerate(steps) if step.step == "create_service")
    verify = next(step for step in steps if step.step == "verify")
    rest = [step for step in steps if step is not verify]
    for wrong in (
        [*rest[:at], verify, *rest[at:]],
        change(steps, "verify", deploy_id="other"),
        change(steps, "verify", service_id=["x"]),
    ):
        assert any("create_service: no verify of service" in reason for reason in judged(wrong).reasons)
    for odd in (None, "", 1, ["x"]):
        assert (
            "create_service: no service id" in judged(change(steps, "create_service", service_id=odd)).reasons
        )
