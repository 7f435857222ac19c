"""The deploy panel: plan, confirmation, running copies and rollback."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Deployment
from ecr_widgets.panels import base
from ecr_widgets.panels.notebook_kit import NotebookKit
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections
from tests.unit.panels.desk import Desk


@pytest.fixture
def pushed(kit: NotebookKit, tmp_path: Path) -> None:
    """Two versions of an image, and a Dockerrun for them."""
    kit.create_repository("app")
    for tag in ("1", "2"):
        (tmp_path / "Dockerfile").write_text(f"FROM busybox\nLABEL tag={tag}")
        kit.push_image(kit.build_image(".", name="app"), repository="app", tag=tag)
    web = {"name": "web", "image": "busybox", "memory": 8}
    (tmp_path / "Dockerrun.aws.json").write_text(
        json.dumps({"AWSEBDockerrunVersion": 2, "containerDefinitions": [web]})
    )


@pytest.fixture
def open_desk(desk: Desk, kit: NotebookKit, pushed: None) -> Desk:
    desk.open(kit.deploys("demo", "web"))
    return desk


def deploy(desk: Desk, tag: str) -> None:
    desk.type("Image", f"app:{tag}")
    desk.press("Plan deploy")
    desk.press(f"Confirm: deploy app:{tag} to demo/web")


def test_a_service_is_created_by_the_first_deploy(open_desk: Desk) -> None:
    """The first deploy is planned as additions, creates the service, and is shown with its records and digest."""
    assert "does not exist yet" in open_desk.picture["note"]
    open_desk.type("Image", "app:1")
    open_desk.press("Plan deploy")
    told = [line for (line,) in open_desk.part("Planned")]
    assert told[0] == 'added /containerDefinitions/0/name: "web"'
    assert told[1].startswith('added /containerDefinitions/0/image: "registry.test:5000/app@sha256:')
    assert told[2] == "added /containerDefinitions/0/memory: 8"
    open_desk.press("Confirm: deploy app:1 to demo/web")
    assert [record["step"] for record in open_desk.records] == [
        *("find_image", "create_deploy", "create_service", "wait", "verify")
    ]
    (row,) = open_desk.picture["rows"]
    assert (row[0], row[1], row[3]) == ("web.1", "primary", "1 of 1")
    assert "@sha256:" in row[2]
    assert open_desk.picture["problem"] == ""


def test_the_rollout_is_a_plot_of_copies_by_deploy(open_desk: Desk) -> None:
    """A rollout is shown as a plot of running copies per deploy once their numbers have changed."""
    deploy(open_desk, "1")
    deploy(open_desk, "2")
    open_desk.press("Refresh")  # a third look, in case there were few in the meantime
    (plot,) = open_desk.picture["plots"]
    assert plot["alt"].startswith("Running copies over ")
    # The first look may have come before a copy ran.
    assert re.search(r"web\.1 from [01] to 0", plot["alt"])
    assert "web.2 from 0 to 1" in plot["alt"]


def test_on_ecs_each_copy_shows_what_it_runs(desk: Desk, kit: NotebookKit, pushed: None) -> None:
    """On ECS the panel lists each copy with its digest, status and health."""
    desk.open(kit.deploys("ecs:demo", "web"))
    desk.type("Image", "app:1")
    desk.press("Plan deploy")
    desk.press("Confirm: deploy app:1 to ecs:demo/web")
    (row,) = desk.picture["rows"]
    assert (row[0], row[1], row[3]) == ("web:1", "primary", "1 of 1")
    ((_, deploy_id, status, health, _, runs),) = desk.part("Copies")
    assert (deploy_id, status, health) == ("web:1", "running", "healthy")
    assert runs.startswith("web sha256:")


def test_a_second_deploy_shows_its_difference_and_can_be_taken_back(open_desk: Desk) -> None:
    """A second deploy shows its difference first, and can be rolled back to the earlier one."""
    deploy(open_desk, "1")
    open_desk.type("Image", "app:2")
    open_desk.press("Plan deploy")
    assert open_desk.part("Planned")[0][0].startswith("changed /containerDefinitions/0/image: ")
    open_desk.press("Confirm")
    assert open_desk.part("Other stored deploys") == [["web.1"]]
    open_desk.press("Plan rollback")
    open_desk.press("Confirm: roll demo/web back to web.1")
    assert open_desk.picture["rows"][0][0] == "web.1"
    assert [record["step"] for record in open_desk.records][-3:] == ["find_service", "rollback", "verify"]


def back(desk: Desk) -> tuple[str, list[str]]:
    field = desk.field("Back to")
    return field["value"], field["options"]


def test_back_leads_to_the_last_proven_deploy_and_to_no_untried_one(
    open_desk: Desk, kit: NotebookKit, to: FakeConnections, pushed: None
) -> None:
    """Rollback offers only deploys that a saved run verified for this service, and not the one that runs."""
    to.proven = frozenset({"web.1"})
    deploy(open_desk, "1")
    deploy(open_desk, "2")
    image = kit.find_image("app", "1").image
    for name in ("web", "other"):
        kit.create_deploy(name, "Dockerrun.aws.json", image=image, variables={"NEW": name})
    open_desk.press("Refresh")
    assert back(open_desk) == ("web.1", ["web.1"])
    assert open_desk.field("Back to")["labels"] == ["web.1 · 1 · verified 1 d ago by ana"]
    kit.deploy_service("demo", "web", "web.1")
    open_desk.press("Refresh")
    assert back(open_desk) == ("", [""])
    assert not open_desk.can("Plan rollback")
    kit.deploy_service("demo", "web", "other.1")
    open_desk.press("Refresh")
    assert back(open_desk) == ("web.1", ["web.1"])


def test_without_any_proof_there_is_still_a_way_back(open_desk: Desk) -> None:
    """Without a verified deploy, rollback offers the previous version and says that no saved run proves it."""
    deploy(open_desk, "1")
    deploy(open_desk, "2")
    assert back(open_desk) == ("web.1", ["web.1"])
    assert "proven by no saved run" in open_desk.field("Back to")["labels"][0]


def test_another_tag_is_deployed_without_a_file(open_desk: Desk, kit: NotebookKit, world: World) -> None:
    """Without a file, the running document is deployed with the chosen tag, by default the newest that does not run yet."""
    deploy(open_desk, "1")
    digest = digest_of("newest")
    world.manifests.add(("app", digest))
    world.tags["app", "3"], world.pushed_at[digest] = digest, world.now
    open_desk.press("Refresh")
    tags = open_desk.field("Tag")
    assert (tags["value"], tags["options"][0], {*tags["options"]}) == ("3", "3", {"1", "2", "3"})
    assert tags["labels"][tags["options"].index("1")].endswith(f"{world.tags['app', '1'][7:19]} · runs now")
    open_desk.type("Tag", "2")
    open_desk.type("Reason", "OPS-7")
    open_desk.press("Plan deploy")
    assert open_desk.part("Planned")[0][0].startswith("changed /containerDefinitions/0/image: ")
    open_desk.press("Confirm: deploy app:2 to demo/web")
    stored = next(each for each in open_desk.records if each["outcome"].get("deploy_id") == "web.2")
    assert (stored["inputs"]["dockerrun"], stored["inputs"]["service"]) == ("", "web")
    assert f":2@{world.tags['app', '2']}" in open_desk.picture["rows"][0][2]
    script, reason = kit.actions.done[-1]
    assert (script.name, script.values["digest"], reason) == ("panel-deploy", world.tags["app", "2"], "OPS-7")


def test_another_image_that_runs_leaves_the_fields_of_a_deploy(
    desk: Desk, kit: NotebookKit, pushed: None
) -> None:
    """A rollout of another image does not change the deploy form's fields."""
    panel = kit.deploys("demo", "web")
    desk.open(panel)
    deploy(desk, "1")
    fields = [each.name for each in panel.actions()[0].fields]
    assert "tag0" in fields
    image = kit.find_image("app", "2").image
    kit.deploy_service("demo", "web", kit.create_deploy("web", "Dockerrun.aws.json", image=image))
    list(panel.read())
    assert panel.view is not None
    assert panel.view.deploy_id == "web.2"
    assert [each.name for each in panel.actions()[0].fields] == fields


def test_how_the_service_is_comes_first(open_desk: Desk, kit: NotebookKit) -> None:
    """The panel's note starts with the service's state: stable, or rolled back after a return to the earlier deploy."""
    deploy(open_desk, "1")
    assert open_desk.picture["note"] == "● stable · 1 of 1 copies run"
    deploy(open_desk, "2")
    assert open_desk.picture["note"].startswith("● stable")
    kit.wait(kit.deploy_service("demo", "web", "web.1"))
    open_desk.press("Refresh")
    assert open_desk.picture["note"].startswith("↩ rolled back")


def test_the_same_again_is_said_to_change_nothing(open_desk: Desk) -> None:
    """A plan for what already runs says that nothing would change."""
    deploy(open_desk, "1")
    open_desk.type("Image", "app:1")
    open_desk.press("Plan deploy")
    assert open_desk.part("Planned") == [["nothing would change: the service already runs this"]]


def test_the_image_that_was_shown_is_deployed_though_its_tag_moved(
    open_desk: Desk, world: World, kit: NotebookKit
) -> None:
    """The planned digest is deployed even if the tag has moved since."""
    open_desk.type("Image", "app:1")
    open_desk.press("Plan deploy")
    planned = world.tags["app", "1"]
    world.tags["app", "1"] = world.tags["app", "2"]
    open_desk.press("Confirm")
    assert planned in open_desk.picture["rows"][0][2]


def test_a_plan_is_void_once_somebody_else_moved_the_service(
    open_desk: Desk, to: FakeConnections, kit: NotebookKit
) -> None:
    """If someone else moved the service after the plan, the plan is refused, and a new plan works."""
    deploy(open_desk, "1")
    open_desk.type("Image", "app:2")
    open_desk.press("Plan deploy")
    found = kit.find_image("app", "2")
    kit.deploy_service("demo", "web", kit.create_deploy("other", "Dockerrun.aws.json", image=found.image))
    open_desk.press("Confirm")
    assert "was moved to other.1 since this was planned" in open_desk.picture["problem"]
    assert open_desk.picture["rows"][0][0] == "other.1"
    deploy(open_desk, "1")
    assert open_desk.picture["problem"] == ""


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("Image", "app:9", "'app' has no image '9'; push it first, or list the images"),
        ("Dockerrun", "nowhere.json", "cannot read 'nowhere.json'"),
        ("Container", "nobody", "nobody"),
    ],
)
def test_what_cannot_be_planned_is_said(open_desk: Desk, label: str, value: str, said: str) -> None:
    """A plan that fails says why, leaves nothing to confirm or record, and a corrected one works."""
    open_desk.type("Image", "app:1")
    before = open_desk.field(label)["value"]
    open_desk.type(label, value)
    open_desk.press("Plan deploy")
    assert said in open_desk.picture["problem"]
    assert not open_desk.offers("Confirm")
    assert open_desk.records == []
    open_desk.type(label, before if label != "Image" else "app:1")
    open_desk.press("Plan deploy")
    assert open_desk.picture["problem"] == ""


def test_a_deploy_that_began_finds_a_place_for_each_of_its_records(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, kit: NotebookKit, pushed: None
) -> None:
    """A deploy starts only if there is a place for each of its records; the next one is refused."""
    monkeypatch.setattr(base, "_PLACES", base._LONGEST_ACTION)
    desk.open(kit.deploys("demo", "web"))
    deploy(desk, "1")
    assert [record["step"] for record in desk.records][-1] == "verify"
    assert desk.picture["problem"] == ""
    desk.type("Image", "app:2")
    desk.press("Plan deploy")
    assert "cannot keep more records" in desk.picture["problem"]


@pytest.mark.parametrize(
    "form", ["{host}/app@{digest}", "app@{digest}", "{host}/app:1", "app:1@{digest}", "{other}/app:1"]
)
def test_an_image_is_named_in_any_form(open_desk: Desk, world: World, form: str) -> None:
    """An image can be given with or without its registry, by tag or digest, and the deploy uses its registry's usual name."""
    digest = world.tags["app", "1"]
    other = "111222333444.dkr-ecr.us-east-1.on.aws"
    open_desk.type("Image", form.format(host=REGISTRY, digest=digest, other=other))
    open_desk.press("Plan deploy")
    open_desk.press("Confirm: deploy")
    assert open_desk.picture["rows"][0][2] == f"{REGISTRY}/app:1@{digest}"


def test_an_image_that_no_deploy_can_name_is_refused_with_a_reason(open_desk: Desk) -> None:
    """An image without tag or digest is refused while typing, and one in another registry when it is planned."""
    open_desk.type("Image", "app")
    assert not open_desk.can("Plan deploy")
    assert open_desk.why_not("Plan deploy") == "'app' names neither tag nor digest; type app:TAG"
    open_desk.type("Image", "elsewhere.test/app:1")
    open_desk.press("Plan deploy")
    assert "elsewhere.test is not the registry that is used here" in open_desk.picture["problem"]


def test_a_dockerrun_that_we_would_not_write_is_shown_and_replaced(
    desk: Desk, kit: NotebookKit, to: FakeConnections, pushed: None
) -> None:
    """An unusual stored Dockerrun is shown with its image; a plan says there is no comparison and lists the new content."""
    odd = b'{"containerDefinitions": [{"name": "web", "image": "busybox:1", "links": [7], "cpu": "x"}]}'
    stored = to.layer0.create_deploy("odd", odd)
    to.proven = frozenset({stored.deploy_id})
    to.layer0.create_service("demo24e9e412", "web", stored.deploy_id)
    desk.open(kit.deploys("demo", "web"))
    assert desk.picture["rows"][0][2] == "busybox:1"
    desk.type("Image", "app:1")
    desk.press("Plan deploy")
    told = [line for (line,) in desk.part("Planned")]
    assert told[0].startswith("what is stored is not a Dockerrun that this tool would write")
    assert told[1] == "container web stands on busybox:1"
    assert any("/image" in line and "app@sha256:" in line for line in told[2:])
    desk.press("Confirm: deploy app:1 to demo/web")
    desk.press("Refresh")
    desk.type("Back to", "odd.1")
    desk.press("Plan rollback")
    assert "container web goes to busybox:1" in [line for (line,) in desk.part("Planned")]


def test_a_service_is_scaled(open_desk: Desk) -> None:
    """A service can be scaled after a confirmation that shows both numbers, but not before it exists."""
    assert not open_desk.offers("Plan scaling")
    deploy(open_desk, "1")
    assert open_desk.field("Copies")["value"] == 1
    open_desk.type("Copies", 3)
    open_desk.press("Refresh")
    open_desk.press("Plan scaling")
    assert open_desk.part("Planned") == [["changed copies: 1 → 3"]]
    open_desk.press("Confirm: scale demo/web to 3")
    assert open_desk.records[-1]["step"] == "scale_service"
    assert open_desk.picture["rows"][0][3].endswith("of 3")
    open_desk.kit.layer0.scale_service("demo", "web", 2)
    open_desk.press("Refresh")
    assert open_desk.field("Copies")["value"] == 2


def test_a_task_runs_with_variables_that_are_no_secrets(open_desk: Desk) -> None:
    """A task's plan shows its variables' names only; a variable that looks like a secret is refused and cleared."""
    deploy(open_desk, "1")
    open_desk.type("Run deploy", "web.1")
    open_desk.type("As task", "migrate")
    open_desk.type("Set variables", "DB_PASSWORD=swordfish-of-the-sea\nLEVEL=debug")
    open_desk.type("In container", "web")
    open_desk.press("Plan task")
    assert "DB_PASSWORD" in open_desk.picture["problem"]
    assert open_desk.typed["Set variables"] == "LEVEL=debug"
    assert "swordfish" not in json.dumps([open_desk.shown, open_desk.messages])
    open_desk.type("In container", "")
    open_desk.press("Plan task")
    assert "name the container" in open_desk.picture["problem"]
    open_desk.type("In container", "web")
    open_desk.type("Set variables", "LEVEL=debug\nDRY=1")
    open_desk.press("Plan task")
    assert open_desk.part("Planned") == [
        ["once with web DRY, web LEVEL set; its exit codes and last log lines are recorded"]
    ]
    open_desk.press("Confirm: run task migrate of web.1 in demo")
    record = open_desk.records[-1]
    assert (record["step"], record["state"]) == ("create_task", "succeeded")
    assert set(record["outcome"]["exit_codes"].values()) == {0}


def test_reasons_counts_and_lines_stand_below(
    open_desk: Desk, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop reasons, events and numbers of copies are shown below, and reasons remain after the service has recovered."""
    deploy(open_desk, "1")
    (service,) = to.layer0.services.values()
    failing: Deployment = replace(
        service.deployments[0], stopped_reasons=("no memory", " (web exit code 3)"), events=("was unhealthy",)
    )
    standing = replace(service, running_count=0, deployments=(failing,))
    monkeypatch.setattr(to.layer0, "find_service", lambda *_: standing)
    open_desk.press("Refresh")
    stopped = [["web.1", "no memory"], ["web.1", "container stopped (web exit code 3)"]]
    assert open_desk.part("Why containers stopped") == stopped
    assert open_desk.part("Events") == [["web.1", "was unhealthy"]]
    plot = open_desk.part("Copies that run")
    assert [row[2:] for row in plot[-2:]] == [["█", "1 of 1"], ["░", "0 of 1"]]
    assert plot[-1][0].endswith(" UTC")
    # Once the service is rolled back, its failed deployment is gone; the reasons remain shown.
    monkeypatch.setattr(to.layer0, "find_service", lambda *_: service)
    open_desk.press("Refresh")
    assert open_desk.part("Why containers stopped") == stopped
    assert open_desk.part("Events") == [["web.1", "was unhealthy"]]


def test_a_rollout_in_stages_says_its_share_of_the_traffic(
    open_desk: Desk, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A staged rollout shows its stage, traffic share and pause; a finished deployment shows none of these."""
    deploy(open_desk, "1")
    (service,) = to.layer0.services.values()
    (ended,) = service.deployments
    moving = replace(ended, state="IN_PROGRESS", stage="BAKE_TIME", traffic_percent=12.5, hook_id="a-pause")
    monkeypatch.setattr(
        to.layer0,
        "find_service",
        lambda *_: replace(
            service, deployments=(moving, replace(ended, status="ACTIVE", traffic_percent=87.5))
        ),
    )
    open_desk.press("Refresh")
    assert [row[1] for row in open_desk.picture["rows"]] == [
        "primary, in progress, bake time, 12.5 % of the traffic, waits at a pause",
        "active",
    ]


def test_the_box_of_a_watch_that_ended_is_unticked(open_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a watch ends, its box is unticked, and it can be ticked again."""
    monkeypatch.setattr(base, "_LONGEST_WATCH_S", 0.0)
    for _ in range(2):
        open_desk.send({"do": "watch", "on": True})
        open_desk.settle()
        assert open_desk.state["watch"] is False
        assert "watching ended" in open_desk.picture["problem"]


def test_names_that_could_not_be_addressed_are_refused(kit: NotebookKit) -> None:
    """An invalid environment or service name is refused."""
    for environment, service in (("", "web"), ("demo", "a/b")):
        with pytest.raises(InputError):
            kit.deploys(environment, service)
