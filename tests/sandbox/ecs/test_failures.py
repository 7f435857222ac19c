"""What goes wrong on ECS, by the kit's own calls: each ends by itself, with the error of its kind and the reason in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import DeploymentFailed, EcsError, RollbackFailed, TargetBusy, VerifyError
from ecr_widgets.kit import Kit
from ecr_widgets.model.image_reference import ImageReference
from tests.fakes import REGISTRY, digest_of
from tests.sandbox.ecs.adapted import HERE, Adapted, adapted, release, until, write_document


def awslogs(group: str) -> dict[str, Any]:
    """Log lines go to that group."""
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


@pytest.fixture
def to() -> Iterator[Adapted]:
    with adapted() as made:
        yield made


@pytest.fixture
def kit(to: Adapted, tmp_path: Path) -> Kit:
    write_document(tmp_path, container=awslogs("/ecs/demo"))
    return to.kit(tmp_path)


def test_a_container_that_ends_again_and_again(kit: Kit, to: Adapted) -> None:
    """ECS counts no failed task where containers did run: the stopped tasks say it, with exit code and last lines."""
    bad = to.crashes("bad", 7)
    with pytest.raises(DeploymentFailed, match="app ended with code 7") as failed:
        release(kit, bad)
    assert "Essential container in task exited" in failed.value.message
    assert failed.value.log[-3:] == (f"app: starting {bad}", "app: hello from app", "app: line 3")


def test_an_image_that_is_missing(kit: Kit, to: Adapted) -> None:
    """No retry helps: it ends with the first task that could not be started."""
    missing = ImageReference.parse(f"{REGISTRY}/app@{digest_of('missing')}")
    to.way.served.containers.missing.add(str(missing))
    with pytest.raises(DeploymentFailed, match=f"CannotPullContainerError: {missing} not found"):
        release(kit, missing)


def test_a_health_check_that_never_passes(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """The scheduler stops the tasks, and says why; that is no scaling activity."""
    check = {"command": ["CMD-SHELL", "false"], "interval": 5, "retries": 1}
    write_document(tmp_path, container={"healthCheck": check})
    to.way.served.containers.health["app"] = "unhealthy"
    with pytest.raises(DeploymentFailed, match="Task failed container health checks"):
        release(kit, to.image("a"))


def test_a_task_that_fits_nowhere(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """The scheduler would try for ever; what it lacks is said in its own words, and no log is looked for."""
    write_document(tmp_path, container={"memory": 1 << 20})
    says = (
        r"has insufficient memory available.* needs 1048576 MiB of memory, and no container instance has more"
    )
    with pytest.raises(DeploymentFailed, match=says):
        release(kit, to.image("a"))
    with pytest.raises(DeploymentFailed, match="RESOURCE:MEMORY"):
        kit.create_task(HERE, "once", "web:1")


@pytest.mark.parametrize("rolls_back", [False, True])
def test_a_circuit_breaker_that_trips(kit: Kit, to: Adapted, tmp_path: Path, *, rolls_back: bool) -> None:
    """A failed deploy, also where ECS has brought back a revision that then runs well."""
    breaker = {
        "enable": True,
        "rollback": rolls_back,
        "thresholdConfiguration": {"type": "COUNT", "value": 1},
    }
    settings = {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}
    (tmp_path / "service.json").write_text(json.dumps(settings))
    release(kit, to.image("a"), service_file="service.json")
    # An error for which the kit keeps waiting, so that the circuit breaker ends the wait.
    bad = to.image("b")
    to.way.served.containers.missing.add(str(bad))
    to.way.served.containers.pull_error = "CannotPullContainerError: 429 Too Many Requests"
    back = "ECS brought it back to web:1: " if rolls_back else ""
    with pytest.raises(
        DeploymentFailed, match=f"{back}ECS deployment circuit breaker: tasks failed to start"
    ):
        release(kit, bad)
    assert "429 Too Many Requests" in str(kit.recorder.records[-1].error)


def test_somebody_elses_deployment_in_the_middle_of_the_wait(kit: Kit, to: Adapted) -> None:
    """Theirs is left alone: whoever waited is told of whom it is."""
    release(kit, to.image("a"))
    stored = kit.create_deploy("web", "app.json", image=to.image("b"), environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    to.way.served.ask("UpdateService", cluster="demo", service="web", taskDefinition="web:1")
    with pytest.raises(TargetBusy, match="was moved to deploy web:1 by somebody else"):
        kit.wait(moved, timeout_s=3000)


def test_somebody_elses_new_deployment_of_the_same_revision(kit: Kit, to: Adapted) -> None:
    """They forced one: it runs the same deploy, so the wait is good as soon as theirs is complete."""
    release(kit, to.image("a"))
    stored = kit.create_deploy("web", "app.json", image=to.image("b"), environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    to.way.served.ask("UpdateService", cluster="demo", service="web", forceNewDeployment=True)
    assert kit.wait(moved, timeout_s=3000).deploy_id == "web:2"


def test_a_revision_that_is_inactive(kit: Kit, to: Adapted) -> None:
    """Nothing new may run it; what does goes on."""
    release(kit, to.image("a"))
    release(kit, to.image("b"))
    to.way.served.ask("DeregisterTaskDefinition", taskDefinition="web:1")
    before = len(to.way.changes())
    for change in (
        lambda: kit.deploy_service(HERE, "web", "web:1"),
        lambda: kit.create_task(HERE, "once", "web:1"),
    ):
        with pytest.raises(EcsError, match="TaskDefinition is inactive"):
            change()
    assert len(to.way.changes()) == before


def test_a_log_group_that_is_missing(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """The task never starts, and its reason names the group's absence; a task of its own likewise."""
    write_document(tmp_path, container=awslogs("/ecs/none"))
    with pytest.raises(DeploymentFailed, match="The specified log group does not exist"):
        release(kit, to.image("a"))
    with pytest.raises(DeploymentFailed, match=r"never ran .*The specified log group does not exist"):
        kit.create_task(HERE, "once", "web:1")


def test_a_task_that_somebody_stops(kit: Kit, to: Adapted, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has failed, and the reason says who and why; a copy of a service is started again, which is no crash."""
    stored = kit.create_deploy("web", "app.json", image=to.image("a"), environment=HERE)
    monkeypatch.setattr(to.way, "before", {"DescribeTasks": lambda: _stop_all(to)})
    with pytest.raises(DeploymentFailed, match=r"Host is retired \(UserInitiated\)"):
        kit.create_task(HERE, "once", stored)
    moved = kit.deploy_service(HERE, "web", stored)
    for _ in range(4):
        until(lambda: to.way.served.tasks(serviceName="web"))
        _stop_all(to)
    assert kit.wait(moved, timeout_s=3000).running_count == 1


def _stop_all(to: Adapted) -> None:
    for each in to.way.served.ask("ListTasks", cluster="demo")["taskArns"]:
        to.way.served.ask("StopTask", cluster="demo", task=each, reason="Host is retired")


def test_a_tag_that_moved_while_ecs_resolved_it(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """A document by tag from elsewhere says nothing of what was pushed: nothing is proven."""
    by_tag = {"name": "app", "image": f"{REGISTRY}/app:1", "memory": 64}
    to.way.served.containers.tags[f"{REGISTRY}/app:1"] = str(to.image("moved"))
    to.way.served.ask("RegisterTaskDefinition", family="web", containerDefinitions=[by_tag])
    moved = kit.deploy_service(HERE, "web", "web:1")
    kit.wait(moved, timeout_s=3000)
    with pytest.raises(VerifyError, match="which names no digest, so nothing can be proven about it"):
        kit.verify(moved)


def test_a_copy_of_another_image_than_its_deploy_names(kit: Kit, to: Adapted) -> None:
    """What a task reports decides."""
    image = to.image("pushed")
    to.way.served.containers.tags[str(image)] = str(to.image("moved"))
    with pytest.raises(VerifyError, match=f"runs {digest_of('moved')}, not {digest_of('pushed')}"):
        release(kit, image)


def test_the_way_back_fails_too(kit: Kit, to: Adapted) -> None:
    """Exit code 6, with what to do by hand."""
    release(kit, to.image("a"))
    stored = kit.create_deploy("web", "app.json", image=to.crashes("bad"), environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    with pytest.raises(DeploymentFailed):
        kit.wait(moved, timeout_s=3000)
    denied = {
        "__type": "AccessDeniedException",
        "message": "not authorized to perform: ecs:StopServiceDeployment",
    }
    to.way.answers["StopServiceDeployment"] = [(400, denied)]
    with pytest.raises(RollbackFailed, match="could not be rolled back to deploy web:1"):
        kit.rollback(moved, after_failure=True)


def test_a_failed_deploy_goes_back(kit: Kit, to: Adapted) -> None:
    """To the revision that ran, which still runs: its own tasks were never stopped."""
    release(kit, to.image("a"))
    (ran,) = to.way.served.tasks(serviceName="web")
    stored = kit.create_deploy("web", "app.json", image=to.crashes("bad"), environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    with pytest.raises(DeploymentFailed):
        kit.wait(moved, timeout_s=3000)
    back = kit.rollback(moved, after_failure=True)
    (runs,) = to.way.served.tasks(serviceName="web")
    assert (back.deploy_id, runs["taskDefinitionArn"]) == ("web:1", ran["taskDefinitionArn"])
