"""Steps enforce the policy: each rule when met, not met and unknown, and each known way around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.approved_files import ApprovedFiles
from ecr_widgets.errors import (
    DeployTargetUnavailable,
    EntityNotFound,
    GateRefused,
    RegistryUnavailable,
    SettingsError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.model.evidence import Approval
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.record import StepRecord
from ecr_widgets.model.registry import Findings
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.steps.step import NOT_YET
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit
from tests.fakes.gate import ALICE, BOB, EVE, FakeGate, proof
from tests.fakes.world import NOW

DIGEST = digest_of("of the image")
IMAGE = ImageReference.parse(f"{REGISTRY}/app@{DIGEST}")
OTHER = digest_of("of another image")
DOCKERRUN = '{"containerDefinitions": [{"name": "web", "image": "x", "memory": 10}]}'


@pytest.fixture
def gate(to: FakeConnections) -> FakeGate:
    made = FakeGate()
    made.rules["keys"] = [ALICE]
    to.gate = made
    return made


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path, gate: FakeGate) -> Kit:
    (tmp_path / "Dockerrun.aws.json").write_text(DOCKERRUN)
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    return make_kit(to, tmp_path)


def stored(kit: Kit, image: ImageReference | str = IMAGE) -> Any:
    # Without an environment nothing is asked yet.
    return kit.create_deploy("web", "Dockerrun.aws.json", image=image)


def deploy(kit: Kit, image: ImageReference | str = IMAGE, environment: str = "demo") -> Any:
    return kit.deploy_service(environment, "web", stored(kit, image))


def records(kit: Kit, step: str = "check_evidence") -> list[StepRecord]:
    return [each for each in kit.recorder.records if each.step == step]


def refused(kit: Kit, world: World, match: str, *, image: ImageReference | str = IMAGE) -> GateRefused:
    """Return the error of a deploy that is refused before anything is changed."""
    made = stored(kit, image)
    before = list(world.changes)
    with pytest.raises(GateRefused) as error:
        kit.deploy_service("demo", "web", made)
    assert re.search(match, "; ".join(error.value.reasons)), error.value.reasons
    assert world.changes == before
    (record,) = records(kit)
    assert record.error is not None
    assert record.error["reasons"] == list(error.value.reasons)
    assert not records(kit, "update_service") + records(kit, "create_service")
    return error.value


PLAN_OF_BOB = Approval("bob", "alice", "2026-11-22T00:00:00Z", "plan-1", BOB)
RULES: dict[str, tuple[dict[str, Any], Mapping[str, Any], Mapping[str, Any], str]] = {
    "keys": ({}, {}, {"key": EVE}, "keys: no key that may vouch has signed a statement about it; there are 1 by other"),
    "verdict": ({}, {}, {"verdict": "unproven"}, "verdict: no proven run of it stands; the newest, run-1, is unproven"),
    "runbooks": ({"runbooks": ["promote", "release"]}, {}, {"runbook": "push"}, "runbooks: .* are of push only"),
    "max_age_days": ({"max_age_days": "30"}, {}, {"days_ago": 31.0}, "max_age_days: the newest .* is of 20"),
    "did": ({"did": {"environment": "staging"}}, {"ran_in": "staging"}, {"ran_in": "test"}, "did: .* to staging"),
    "did, but only tried": ({"did": {"environment": "staging"}}, {"ran_in": "staging"}, {"tried_in": "staging"}, "did:"),
    "approved": ({"approved": "true"}, {"approval": PLAN_OF_BOB}, {}, "approved: no proven run"),
    "approved by oneself": (
        {"approved": "true"}, {"approval": PLAN_OF_BOB},
        {"approval": Approval("alice", "alice", "2026-11-22T00:00:00Z", "plan-1", BOB)}, "approved:",
    ),
    "approved by the same key under two names": (
        {"approved": "true"}, {"approval": PLAN_OF_BOB},
        {"approval": Approval("alice", "not alice", "2026-11-22T00:00:00Z", "plan-1", ALICE)}, "approved:",
    ),
    "approved, and nobody says by which key": (
        {"approved": "true"}, {"approval": PLAN_OF_BOB},
        {"approval": Approval("bob", "alice", "2026-11-22T00:00:00Z", "plan-1")}, "approved:",
    ),
}  # fmt: skip
"""A rule, what meets it, what does not, and the error for that."""


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_met_or_refuses_by_its_name(kit: Kit, gate: FakeGate, world: World, name: str) -> None:
    """A rule refuses the deploy by name until one statement meets all rules."""
    rules, meets, lacks, why = RULES[name]
    gate.rules.update(rules)
    gate.proofs = [proof(DIGEST, **lacks)]
    refused(kit, world, why)
    gate.proofs.append(proof(DIGEST, **{"days_ago": 2.0, **meets}))
    assert deploy(kit).changed
    assert records(kit)[-1].outcome["decision"] == "passed"


def test_the_record_names_policy_image_evidence_and_decision(kit: Kit, gate: FakeGate) -> None:
    """The check's record names the policy, the image, the evidence and the decision."""
    gate.proofs = [proof(DIGEST), proof(DIGEST, key=EVE, days_ago=3.0)]
    deploy(kit)
    check, moved = kit.recorder.records[-2:]
    assert (check.step, moved.step, check.changed) == ("check_evidence", "create_service", False)
    assert (check.outcome["policy_sha256"], check.outcome["decision"]) == ("5" * 64, "passed")
    assert (check.outcome["images"], check.outcome["evidence"]) == ([str(IMAGE)], [gate.proofs[0].referrer])


FINDINGS: dict[str, tuple[Findings | None, str]] = {
    "never": (None, "no finished scan of it .never scanned"),
    "under way": (Findings("IN_PROGRESS", {}, NOW), "no finished scan of it .IN_PROGRESS"),
    "failed": (Findings("FAILED", {}, NOW), "no finished scan"),
    "of no date": (Findings("COMPLETE", {}), "no finished scan"),
    "old": (Findings("COMPLETE", {}, NOW - timedelta(days=8)), "its last scan is of 20"),
    "bad": (Findings("COMPLETE", {"CRITICAL": 1, "HIGH": 6, "LOW": 900}, NOW), "1 critical, and 0 are allowed"),
    "good": (Findings("ACTIVE", {"HIGH": 5, "LOW": 900}, NOW - timedelta(days=6)), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FINDINGS)
def test_findings_are_asked_of_ecr_at_that_moment(kit: Kit, gate: FakeGate, world: World, name: str) -> None:
    """Findings above the limit, too old or missing refuse the deploy, whatever is proven about the image."""
    gate.rules["findings"] = {"scanned_within_days": "7", "critical": "0", "high": "5"}
    kit.create_repository("app")
    gate.proofs = [proof(DIGEST)]
    found, why = FINDINGS[name]
    if found is not None:
        world.findings[DIGEST] = found
    if not why:
        assert deploy(kit).changed
        return
    error = refused(kit, world, why)
    assert len(error.reasons) == (2 if name == "bad" else 1)


def test_what_is_not_known_is_not_met(kit: Kit, gate: FakeGate, world: World) -> None:
    """If the registry does not answer, evidence was read only in part, or the policy cannot be read, the deploy is refused."""
    gate.proofs = [proof(DIGEST)]
    deployed = stored(kit)
    before = list(world.changes)
    for setting, why in (
        ({"fails": RegistryUnavailable("no answer")}, "not known whether the rules are met: no answer"),
        ({"left_out": "more than 200"}, "not all that is attached was looked at: more than 200"),
        ({"unreadable": SettingsError("no such file")}, "not known .*: no such file"),
    ):
        kept = dict(vars(gate))
        vars(gate).update(setting)
        with pytest.raises(GateRefused, match=why):
            kit.deploy_service("demo", "web", deployed)
        vars(gate).update(kept)
    assert world.changes == before
    assert kit.deploy_service("demo", "web", deployed).changed


def test_a_target_that_does_not_say_which_environment_it_is_refuses(
    kit: Kit, gate: FakeGate, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the target does not answer which environment it is, the deploy is refused, because that one may have rules."""
    deployed = stored(kit)

    def silent(name: str) -> None:
        raise DeployTargetUnavailable("no answer from the target")

    monkeypatch.setattr(to.layer0, "find_environment", silent)
    with pytest.raises(GateRefused, match="no answer from the target"):
        kit.deploy_service("demo", "web", deployed)


def test_all_names_of_an_environment_have_its_rules(kit: Kit, gate: FakeGate, world: World) -> None:
    """Rules apply under every name of an environment: name, id, ARN, and the cluster of a Layer0 environment."""
    place = kit._outside.layer0.find_environment("demo")
    assert place is not None
    deployed = stored(kit)
    for named, asked in (
        ("demo", place.environment_id),
        (place.environment_id, "demo"),
        ("ecs:prod", "arn:aws:ecs:us-east-1:111222333444:cluster/prod"),
        ("ecs:arn:aws:ecs:us-east-1:111222333444:cluster/prod", "ecs:prod"),
        ("demo", f"ecs:l0-test-{place.environment_id}"),
    ):
        gate.document = {"environments": {named: {"keys": [ALICE]}}}
        with pytest.raises(GateRefused):
            kit.check_evidence(asked, image=IMAGE)
    gate.document = {"environments": {"other": {"keys": [ALICE]}}}
    kit.deploy_service("demo", "web", deployed)
    assert records(kit)[-1].outcome["decision"] == "no rules"


def test_without_a_policy_nothing_is_asked_and_no_record_is_left(to: FakeConnections, tmp_path: Path) -> None:
    """Without a policy, a deploy leaves no evidence record, and an explicit check says that there is no policy."""
    (tmp_path / "Dockerrun.aws.json").write_text(DOCKERRUN)
    kit = make_kit(to, tmp_path)
    deploy(kit)
    assert not records(kit)
    assert kit.check_evidence("demo", image=IMAGE).decision == "no policy"


LATER: dict[str, tuple[Mapping[str, Any], bool]] = {
    "failed there": ({"verdict": "failed", "state": "failed", "tried_in": "staging"}, True),
    "interrupted there": ({"verdict": "interrupted", "state": "interrupted", "tried_in": "staging"}, True),
    "unknown there": ({"verdict": "unproven", "state": "unknown", "tried_in": "staging"}, True),
    "went back there": ({"tried_in": "staging", "steps": ("update_service", "rollback")}, True),
    "failed there, by another key": ({"verdict": "failed", "tried_in": "staging", "key": BOB}, True),
    "failed elsewhere": ({"verdict": "failed", "state": "failed", "tried_in": "test"}, False),
    "ran there again": ({"ran_in": "staging"}, False),
}


@pytest.mark.parametrize("name", LATER)
def test_a_later_failure_takes_back_what_was_proven_there(
    kit: Kit, gate: FakeGate, world: World, name: str
) -> None:
    """A later failure in the required environment withdraws earlier proof for that image, until a newer run proves it."""
    what, is_taken_back = LATER[name]
    gate.rules["did"] = {"environment": "staging"}
    old = proof(DIGEST, days_ago=5.0, ran_in="staging")
    gate.proofs = [
        old,
        proof(DIGEST, days_ago=1.0, **what),
        old,
        proof(OTHER, days_ago=0.5, verdict="failed"),
    ]
    if not is_taken_back:
        assert deploy(kit).changed
        return
    refused(kit, world, "did: no proven run")
    gate.proofs.append(proof(DIGEST, days_ago=0.25, ran_in="staging"))
    assert deploy(kit).changed


def test_evidence_of_another_digest_does_not_count(kit: Kit, gate: FakeGate, world: World) -> None:
    """Evidence for another digest does not count."""
    gate.proofs = [proof(OTHER)]
    refused(kit, world, "keys: no key")


def test_a_statement_of_tomorrow_does_not_count(kit: Kit, gate: FakeGate, world: World) -> None:
    """A statement dated in the future does not count."""
    gate.proofs = [proof(DIGEST, days_ago=-1.0)]
    refused(kit, world, "keys: no key")


def test_every_image_of_a_deploy_is_asked_for(kit: Kit, gate: FakeGate, world: World, tmp_path: Path) -> None:
    """Every image of a deploy needs evidence, except those from repositories that the policy exempts."""
    other = {"name": "car", "image": f"{REGISTRY}/car@{OTHER}", "memory": 10}
    containers = [{"name": "web", "image": "x", "memory": 10}, other]
    text = str({"containerDefinitions": containers}).replace("'", '"')
    (tmp_path / "Dockerrun.aws.json").write_text(text)
    gate.proofs = [proof(DIGEST)]
    made = kit.create_deploy("web", "Dockerrun.aws.json", image=IMAGE, container="web")
    with pytest.raises(GateRefused, match=rf"car@{OTHER[:19]}: keys") as error:
        kit.deploy_service("demo", "web", made)
    assert len(error.value.reasons) == 1
    gate.rules["without_evidence"] = [f"{REGISTRY}/c*"]
    assert kit.deploy_service("demo", "web", made).changed


@pytest.mark.parametrize(
    "image", [f"{REGISTRY}/app:1", "nginx:1", f"nginx@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"]
)
def test_an_image_that_cannot_be_looked_up_is_refused(
    kit: Kit, gate: FakeGate, world: World, image: str
) -> None:
    """An image named by tag, or from another registry, is refused, because its evidence cannot be looked up."""
    gate.proofs = [proof(DIGEST)]
    refused(kit, world, "by a tag" if "@" not in image else "is not the registry", image=image)


def test_a_policy_that_only_warns_lets_it_happen_and_says_so(kit: Kit, gate: FakeGate) -> None:
    """In mode `warn`, an unmet rule becomes a warning and the deploy goes ahead."""
    gate.rules["mode"] = "warn"
    assert deploy(kit).changed
    (record,) = records(kit)
    assert record.outcome["decision"] == "warned"
    assert "keys: no key" in record.outcome["warnings"][0]


def test_an_override_lets_it_happen_and_is_recorded(kit: Kit, gate: FakeGate) -> None:
    """An override lets a deploy go ahead and is recorded with its reason; if all rules are met, no override is recorded."""
    gate.override = "INC-1: prod is down"
    deploy(kit)
    gate.unreadable = SettingsError("no such file")
    kit.check_evidence("demo", image=IMAGE)
    gate.unreadable = None
    gate.proofs = [proof(DIGEST)]
    kit.check_evidence("demo", image=IMAGE)
    first, second, third = (each.outcome for each in records(kit))
    assert [each["decision"] for each in (first, second, third)] == ["overridden", "overridden", "passed"]
    assert [each["override"] for each in (first, third)] == ["INC-1: prod is down", ""]
    assert "keys: no key" in first["unmet"][0]
    assert "INC-1" in first["warnings"][0]


def pushed(kit: Kit, repository: str = "app") -> ImageReference:
    built = kit.build_image(".", name="app:1")
    kit.create_repository(repository)
    return kit.push_image(built, repository=repository, tag="1").image


def test_a_run_may_deploy_what_it_has_pushed_itself(kit: Kit, gate: FakeGate) -> None:
    """A release may deploy the image it just pushed without statements, but rules on environments and findings still apply."""
    image = pushed(kit)
    gate.rules["runbooks"] = ["promote", "release"]
    assert deploy(kit, image).changed
    assert not gate.asked
    gate.rules["did"] = {"environment": "staging"}
    with pytest.raises(GateRefused, match="did:") as error:
        deploy(kit, image)
    assert len(error.value.reasons) == 1
    del gate.rules["did"]
    gate.rules["findings"] = {"scanned_within_days": "7"}
    with pytest.raises(GateRefused, match="findings:"):
        deploy(kit, image)


@pytest.mark.parametrize("case", ["by hand", "another runbook", "another image", "another run", "its name"])
def test_no_other_image_is_exempt(
    kit: Kit, gate: FakeGate, to: FakeConnections, tmp_path: Path, case: str
) -> None:
    """No other image is exempt: not by hand, for another runbook, another image or repository, or in another run."""
    image = pushed(kit, "team/app" if case == "its name" else "app")
    if case == "by hand":
        gate.is_sealed_run = False
    elif case == "another runbook":
        gate.rules["runbooks"] = ["promote"]
    elif case == "another image":
        image = IMAGE
    elif case == "its name":
        image = replace(image, repository="app")
    else:
        kit = make_kit(to, tmp_path)
    with pytest.raises(GateRefused, match="keys"):
        deploy(kit, image)


def test_a_release_into_a_place_that_asks_for_approval_must_be_approved_itself(
    to: FakeConnections, gate: FakeGate, tmp_path: Path
) -> None:
    """Where approval is required, a release's own image needs the run's own approval, which covers no other image."""
    (tmp_path / "Dockerrun.aws.json").write_text(DOCKERRUN)
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    gate.rules["approved"] = "true"
    plain = make_kit(to, tmp_path)
    image = pushed(plain)
    with pytest.raises(GateRefused, match="approved:"):
        deploy(plain, image)
    approved = Kit(
        to, Recorder("run-2", to.clock, QuietSink()), files=(tmp_path,), approved=ApprovedFiles({})
    )
    approved.recorder._records.extend(plain.recorder.records)
    assert approved.check_evidence("demo", image=image).decision == "passed"
    with pytest.raises(GateRefused, match="keys:"):
        approved.check_evidence("demo", image=IMAGE)


def test_a_copy_is_of_just_the_image_that_was_asked_about(kit: Kit, gate: FakeGate, world: World) -> None:
    """A copy is made of the digest that was checked, even if the tag is moved in the meantime."""
    image = pushed(kit)
    kit.create_repository("live/app")
    gate.document = {"repositories": {"live/*": {"keys": [ALICE]}}}
    gate.is_sealed_run = False
    with pytest.raises(GateRefused, match="keys"):
        kit.ecr.copy_image("app", "1", to_repository="live/app", to_tag="1")
    assert ("live/app", "1") not in world.tags
    gate.proofs = [proof(str(image.digest))]

    def move() -> None:
        world.tags["app", "1"] = OTHER
        world.manifests.add(("app", OTHER))

    gate.meanwhile = move
    copied = kit.ecr.copy_image("app", "1", to_repository="live/app", to_tag="1")
    assert (copied.digest, world.tags["live/app", "1"]) == (image.digest, image.digest)
    kit.create_repository("test/app")
    kit.ecr.copy_image("app", image.digest or "", to_repository="test/app", to_tag="1")
    assert records(kit)[-1].outcome["decision"] == "no rules"


def test_a_task_is_asked_about_before_it_starts(kit: Kit, gate: FakeGate, world: World) -> None:
    """A task is checked before it starts, like a service."""
    made = stored(kit)
    before = list(world.changes)
    with pytest.raises(GateRefused):
        kit.create_task("demo", "once", made)
    assert world.changes == before


def test_copies_of_a_service_that_has_none_are_asked_about(kit: Kit, gate: FakeGate, world: World) -> None:
    """Scaling a service up from zero copies is checked; other scaling is not."""
    gate.proofs = [proof(DIGEST)]
    deploy(kit)
    gate.proofs = []
    asked = len(records(kit))
    assert kit.layer0.scale_service("demo", "web", 2).changed
    assert kit.layer0.scale_service("demo", "web", 0).changed
    assert len(records(kit)) == asked
    before = list(world.changes)
    with pytest.raises(GateRefused, match="keys"):
        kit.layer0.scale_service("demo", "web", 1)
    assert world.changes == before
    with pytest.raises(EntityNotFound, match="'nobody' does not exist"):
        kit.layer0.scale_service("demo", "nobody", 1)
    gate.proofs = [proof(DIGEST)]
    assert kit.layer0.scale_service("demo", "web", 1).changed
    assert records(kit)[-1].inputs["deploy_id"] == "web.1"


def test_a_plan_asks_about_the_deploy_that_it_moves_a_service_to(
    kit: Kit, gate: FakeGate, to: FakeConnections, tmp_path: Path
) -> None:
    """A plan checks the deploy that it would move a service to; otherwise it checks the current one."""
    gate.proofs = [proof(DIGEST)]
    deploy(kit)
    kit.layer0.scale_service("demo", "web", 0)
    gate.proofs = [proof(OTHER)]
    planned = plan(to, tmp_path)
    planned.deploy_service("demo", "web", stored(kit, ImageReference.parse(f"{REGISTRY}/app@{OTHER}")))
    assert planned.layer0.scale_service("demo", "web", 1).changed
    with pytest.raises(GateRefused, match="keys"):
        plan(to, tmp_path).layer0.scale_service("demo", "web", 1)


def at_a_pause(kit: Kit, to: FakeConnections) -> None:
    """Deploy the second image to an ECS service, and stop at the deployment's pause."""
    to.ecs.pauses["web:2"] = ("POST_SCALE_UP", "hook-1")
    for each in (IMAGE, ImageReference.parse(f"{REGISTRY}/app@{OTHER}")):
        made = kit.create_deploy("web", "Dockerrun.aws.json", image=each, environment="ecs:demo")
        service = kit.deploy_service("ecs:demo", "web", made)
    assert to.ecs.read_service(service.service_id).primary.hook_id


def test_a_deployment_at_a_pause_is_asked_about_before_it_goes_on(
    kit: Kit, gate: FakeGate, to: FakeConnections, world: World
) -> None:
    """Continuing a paused deployment is checked, and only for the image that it brings."""
    at_a_pause(kit, to)
    gate.document = {"environments": {"ecs:demo": {"keys": [ALICE]}}}
    gate.proofs = [proof(DIGEST)]
    before = list(world.changes)
    with pytest.raises(GateRefused, match=rf"app@{OTHER[:19]}: keys"):
        kit.continue_deployment("ecs:demo", "web")
    assert world.changes == before
    gate.proofs = [proof(OTHER)]
    assert kit.continue_deployment("ecs:demo", "web").changed
    asked = records(kit)[-1]
    assert (asked.inputs["deploy_id"], asked.outcome["decision"]) == ("web:2", "passed")


def test_a_deployment_at_a_pause_is_taken_back_without_a_question(
    kit: Kit, gate: FakeGate, to: FakeConnections
) -> None:
    """Rolling back a paused deployment needs no check, because nothing is started."""
    at_a_pause(kit, to)
    gate.document = {"environments": {"ecs:demo": {"keys": [ALICE]}}}
    asked = len(records(kit))
    assert kit.continue_deployment("ecs:demo", "web", roll_back=True).changed
    assert len(records(kit)) == asked


def test_a_deploy_for_an_environment_is_refused_before_it_is_stored(
    kit: Kit, gate: FakeGate, world: World
) -> None:
    """A deploy stored for an environment is refused before it is stored."""
    with pytest.raises(GateRefused):
        kit.create_deploy("web", "Dockerrun.aws.json", image=IMAGE, environment="demo")
    assert not world.changes


@pytest.mark.parametrize("trouble", [None, RegistryUnavailable("no answer")])
def test_a_rollback_is_never_refused(kit: Kit, gate: FakeGate, trouble: RegistryUnavailable | None) -> None:
    """A rollback is never refused: unmet rules become warnings in a record after it."""
    gate.proofs = [proof(DIGEST), proof(OTHER)]
    deploy(kit)
    deploy(kit, ImageReference.parse(f"{REGISTRY}/app@{OTHER}"))
    gate.proofs, gate.fails = [], trouble
    back = kit.rollback(kit.find_service("demo", "web"), deploy_id="web.1")
    rolled, asked = kit.recorder.records[-2:]
    assert (back.deploy_id, rolled.step, asked.step) == ("web.1", "rollback", "check_evidence")
    assert asked.outcome["decision"] == "warned"
    assert asked.outcome["warnings"]


def plan(to: FakeConnections, folder: Path) -> Kit:
    return Kit(to, Recorder("run-p", to.clock, QuietSink()), files=(folder,), planning=True)


def test_a_plan_asks_as_its_run_does(kit: Kit, gate: FakeGate, to: FakeConnections, tmp_path: Path) -> None:
    """A plan is refused where its run would be, and marks images that the run will push or copy as not yet checkable."""
    made = stored(kit)
    with pytest.raises(GateRefused, match="keys"):
        plan(to, tmp_path).deploy_service("demo", "web", made)
    gate.proofs = [proof(DIGEST)]
    good = plan(to, tmp_path)
    good.deploy_service("demo", "web", made)
    assert good.recorder.records[-2].outcome["decision"] == "passed"
    release = plan(to, tmp_path)
    built = release.build_image(".", name="app:2")
    release.create_repository("other")
    to_push = release.push_image(built, repository="other", tag="2")
    release.deploy_service(
        "demo",
        "web",
        release.create_deploy("web", "Dockerrun.aws.json", image=to_push.image, environment="demo"),
    )
    asked = [each for each in release.recorder.records if each.step == "check_evidence"]
    assert [each.outcome["decision"] for each in asked] == [NOT_YET, NOT_YET]


def test_a_plan_of_a_copy_looks_at_the_source(
    kit: Kit, gate: FakeGate, to: FakeConnections, world: World, tmp_path: Path
) -> None:
    """A plan checks the evidence of a copy's source."""
    image = pushed(kit)
    kit.create_repository("live/app")
    gate.is_sealed_run = False
    gate.rules["findings"] = {"scanned_within_days": "7"}
    gate.proofs, world.findings[str(image.digest)] = [proof(str(image.digest))], Findings("COMPLETE", {}, NOW)
    planned = plan(to, tmp_path)
    copied = planned.ecr.copy_image("app", "1", to_repository="live/app", to_tag="1")
    planned.create_deploy("web", "Dockerrun.aws.json", image=copied.image, environment="demo")
    assert gate.asked == [str(image)]
