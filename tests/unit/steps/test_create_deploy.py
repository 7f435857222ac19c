"""Dockerruns stored as deploys, each content only once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ecr_widgets.approved_files import ApprovedFiles
from ecr_widgets.errors import InputError, InvalidDockerrun
from ecr_widgets.steps.check_target import CheckTarget
from ecr_widgets.steps.create_deploy import CreateDeploy
from ecr_widgets.steps.deploy_service import DeployService
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import World
from tests.fakes.connections import FakeConnections, perform
from tests.unit.steps.deployed import DOCKERRUN, IMAGE, OTHER, deployed, stored


def test_an_equal_dockerrun_is_stored_once(outside: Outside, world: World) -> None:
    """An equal Dockerrun is stored once, and another image makes another deploy."""
    first, again, other = (stored(outside, image) for image in (IMAGE, IMAGE, OTHER))
    assert [first.changed, again.changed, other.changed] == [True, False, True]
    assert (first.deploy_id, again.deploy_id, other.deploy_id) == ("timeout.1", "timeout.1", "timeout.2")
    assert world.changes == ["create deploy timeout.1", "create deploy timeout.2"]


def test_a_record_lists_no_setting_that_was_not_stored(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that Layer0 did not store is a warning, and is not in the recorded settings."""
    store = to.layer0.create_deploy
    monkeypatch.setattr(
        to.layer0,
        "create_deploy",
        lambda name, content: store(name, content.replace(b'"user":"app",', b"")),
    )
    container = {"name": "timeout", "image": "x", "user": "app", "memory": 10}
    made = stored(outside, dockerrun=json.dumps({"containerDefinitions": [container]}))
    assert made.warnings == ("Layer0 did not store /containerDefinitions/0/user as it is",)
    assert "containerDefinitions/timeout/memory" in made.settings
    assert "containerDefinitions/timeout/user" not in made.settings


def test_a_stored_document_of_another_form_is_passed_over(outside: Outside, to: FakeConnections) -> None:
    """A stored document of an unexpected form does not stop the step."""
    to.layer0.create_deploy("timeout", b'{"containerDefinitions": [{"odd": 1}]}')
    made = stored(outside)
    assert (made.deploy_id, made.changed) == ("timeout.2", True)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "ä"])
def test_a_deploy_name_that_layer0_refuses_is_refused_here(outside: Outside, world: World, name: str) -> None:
    """A deploy name that Layer0 would refuse is refused before anything is stored."""
    with pytest.raises(InputError, match="deploy name"):
        stored(outside, name=name)
    assert world.changes == []


def test_an_unknown_container_is_refused(outside: Outside) -> None:
    """A container name that the Dockerrun does not have is refused, and the error lists its containers."""
    with pytest.raises(InvalidDockerrun, match="it has: timeout"):
        stored(outside, container="web")


PRIVILEGED = '{"containerDefinitions": [{"name": "timeout", "image": "x", "memory": 10, "privileged": true}]}'


@pytest.mark.parametrize("step", ["check_target", "create_deploy"])
def test_power_over_the_machine_has_to_be_allowed(outside: Outside, world: World, step: str) -> None:
    """A file that gives a container power over its machine is refused with its places and the way to allow it; with
    `allow_risks` it is taken, and the record names the setting.
    """
    (outside.files.folders[0] / "risky.json").write_text(PRIVILEGED)

    def taken(*, allow_risks: bool) -> tuple[str, ...]:
        if step == "check_target":
            checked = CheckTarget(environment="demo", dockerrun="risky.json", allow_risks=allow_risks)
            return perform(checked, outside).warnings
        stored = CreateDeploy("timeout", "risky.json", image=IMAGE, allow_risks=allow_risks)
        return perform(stored, outside).warnings

    with pytest.raises(
        InvalidDockerrun, match=r"'risky.json' .* at /containerDefinitions/0/privileged"
    ) as refused:
        taken(allow_risks=False)
    assert "allow_risks" in str(refused.value.hint)
    assert world.changes == []
    assert "/containerDefinitions/0/privileged runs privileged: root on the machine" in taken(
        allow_risks=True
    )


def test_what_the_service_has_already_needs_no_leave(outside: Outside) -> None:
    """A service that runs a privileged container gets another image without being asked again."""
    outside.services_of("demo").create_deploy("timeout", PRIVILEGED.encode())
    perform(DeployService("demo", "timeoutsvc", "timeout.1"), outside)
    made = perform(CreateDeploy("", "", image=OTHER, environment="demo", service="timeoutsvc"), outside)
    assert (made.deploy_id, made.changed) == ("timeout.2", True)


def test_without_a_file_it_is_what_the_service_runs_with_another_image(outside: Outside) -> None:
    """Without a file, the service's current document is stored with another image under the same name, or used again."""
    moved = deployed(outside)
    step = CreateDeploy("", "", image=OTHER, container="", environment="demo", service="timeoutsvc")
    found = step.look(outside, lambda _: None)
    (difference,) = step.plan_record(outside, found, step.plan(outside, found))["difference"]
    assert difference.startswith("changed /containerDefinitions/0/image: ")
    made = perform(step, outside)
    assert (moved.deploy_id, made.deploy_id, made.name, made.changed) == (
        "timeout.1",
        "timeout.2",
        "timeout",
        True,
    )
    assert perform(step, outside).changed is False


def test_what_was_approved_stays_so_once_the_service_has_moved(outside: Outside) -> None:
    """A resumed run accepts the approved document after its own move, and refuses another document."""
    deployed(outside)
    step = CreateDeploy("", "", image=OTHER, environment="demo", service="timeoutsvc")
    sha256 = step.look(outside, lambda _: None).file_sha256
    approved = ApprovedFiles({"Dockerrun ''": [sha256]})
    resumed = replace(outside, files=replace(outside.files, approved=approved))
    perform(DeployService("demo", "timeoutsvc", perform(step, resumed)), resumed)
    assert step.look(resumed, lambda _: None).equal is not None
    theirs = stored(outside, OTHER, dockerrun=DOCKERRUN.replace("10", "12"))
    perform(DeployService("demo", "timeoutsvc", theirs), outside)
    with pytest.raises(InputError, match="changed"):
        step.look(resumed, lambda _: None)


def test_what_runs_nothing_yet_needs_a_file(outside: Outside, world: World) -> None:
    """Without a file, a service that runs nothing or is not named is refused before anything is changed."""
    target = CheckTarget(environment="demo", service="new", dockerrun="", deploy="")
    with pytest.raises(InputError, match="'new' runs nothing whose document could be used") as refused:
        perform(target, outside)
    assert refused.value.hint == "give a Dockerrun or task definition as a file"
    with pytest.raises(InputError, match="neither a Dockerrun nor a service"):
        perform(CreateDeploy("", "", image=IMAGE, environment="demo"), outside)
    assert world.changes == []
