"""Services that are not the usual one: daemons, none wanted, several essential containers, containers that go first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import DeploymentFailed, EcsError, InputError, VerifyError
from tests.sandbox.ecs.adapted import HERE, Adapted, adapted, release, write_document


@pytest.fixture
def to() -> Iterator[Adapted]:
    with adapted() as made:
        yield made


def service_file(folder: Path, **settings: Any) -> str:
    (folder / "service.json").write_text(json.dumps(settings))
    return "service.json"


def test_a_daemon_is_deployed_and_moved(to: Adapted, tmp_path: Path) -> None:
    """One copy an instance, whose number nobody gives; scaling it is ECS's to refuse."""
    write_document(tmp_path)
    kit = to.kit(tmp_path)
    file = service_file(tmp_path, schedulingStrategy="DAEMON")
    release(kit, to.image("a"), service_file=file)
    assert release(kit, to.image("b"), service_file=file).deploy_id == "web:2"
    (created,) = [each for each in to.way.served.journal if each["operation"] == "CreateService"]
    assert "desiredCount" not in created
    with pytest.raises(EcsError, match="daemon"):
        kit.layer0.scale_service(HERE, "web", 3)


def test_a_service_of_which_none_is_wanted_is_moved(to: Adapted, tmp_path: Path) -> None:
    """The wait is over when its deployment is complete; that it runs the image is not proven by nothing."""
    write_document(tmp_path)
    kit = to.kit(tmp_path)
    file = service_file(tmp_path, desiredCount=0)
    for text in ("a", "b"):
        stored = kit.create_deploy("web", "app.json", image=to.image(text), environment=HERE)
        moved = kit.deploy_service(HERE, "web", stored, service_file=file)
        done = kit.wait(moved, timeout_s=3000)
        assert (done.deploy_id, done.running_count) == (stored.deploy_id, 0)
    with pytest.raises(VerifyError, match="0/0 running"):
        kit.verify(moved)


def test_any_essential_container_ends_a_copy(to: Adapted, tmp_path: Path) -> None:
    """Which one it was, and its code, is in the reason."""
    bad = {"name": "side", "image": str(to.crashes("side", 4)), "memory": 64}
    app = {"name": "app", "image": "x", "memory": 64}
    (tmp_path / "app.json").write_text(json.dumps({"containerDefinitions": [app, bad]}))
    kit = to.kit(tmp_path)
    stored = kit.create_deploy("web", "app.json", image=to.image("a"), container="app", environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    with pytest.raises(DeploymentFailed, match="side ended with code 4"):
        kit.wait(moved, timeout_s=3000)


@pytest.mark.parametrize("code", [0, 6])
def test_what_goes_first_ends_before_the_rest(to: Adapted, tmp_path: Path, code: int) -> None:
    """A container that has ended well is no crash of its copy; one that fails keeps the rest from starting, and says so."""
    first = {"name": "first", "image": str(to.crashes("first", code)), "memory": 64, "essential": False}
    app = {"name": "app", "image": "x", "memory": 64}
    app["dependsOn"] = [{"containerName": "first", "condition": "SUCCESS"}]  # type: ignore[assignment]
    (tmp_path / "app.json").write_text(json.dumps({"containerDefinitions": [first, app]}))
    kit = to.kit(tmp_path)
    stored = kit.create_deploy("web", "app.json", image=to.image("a"), container="app", environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    if code == 0:
        assert kit.wait(moved, timeout_s=3000).running_count == 1
        assert kit.verify(moved, container="app").running_digest == to.image("a").digest
        return
    with pytest.raises(DeploymentFailed, match=rf"TaskDependencyError.*first ended with code {code}"):
        kit.wait(moved, timeout_s=3000)


def test_a_service_of_another_controller_is_left_alone(to: Adapted, tmp_path: Path) -> None:
    """It is shown, and nothing is changed."""
    write_document(tmp_path)
    kit = to.kit(tmp_path)
    stored = kit.create_deploy("web", "app.json", image=to.image("a"), environment=HERE)
    given = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1}
    to.way.served.ask("CreateService", **given, deploymentController={"type": "CODE_DEPLOY"})
    assert kit.look.service(HERE, "web").deploy_id == "web:1"
    before = to.way.changes()
    with pytest.raises(InputError, match="deployment controller CODE_DEPLOY"):
        kit.deploy_service(HERE, "web", stored)
    assert to.way.changes() == before
