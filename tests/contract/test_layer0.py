"""One set of cases for Layer0: in memory and the sandbox's server with real containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.layer0 import Environment, JobState
from tests.contract.conftest import Ports

T = TypeVar("T")


def dockerrun(image: str = "busybox", command: str = "sleep 60") -> bytes:
    container = {"name": "timeout", "image": image, "memory": 10, "command": ["sh", "-c", command]}
    return json.dumps({"containerDefinitions": [container]}).encode()


def demo(ports: Ports) -> Environment:
    found = ports.layer0.find_environment("demo")
    assert found is not None
    return found


def until(ports: Ports, look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Look until it is good; the fake's clock skips the time."""
    deadline_s = ports.clock.monotonic_s() + 60
    while not good(found := look()):
        assert ports.clock.monotonic_s() < deadline_s, found
        ports.clock.sleep(0.1)
    return found


def test_an_environment_is_found_by_its_exact_name(ports: Ports) -> None:
    """An environment is found only by its exact name."""
    assert demo(ports).name == "demo"
    assert ports.layer0.find_environment("dem") is None
    assert ports.layer0.version()


def test_deploys_of_one_name_count_up(ports: Ports) -> None:
    """Deploys of one name have increasing versions and are listed oldest first, without those of similar names."""
    made = [ports.layer0.create_deploy("contract-counted", dockerrun(command=f"sleep {n}")) for n in (1, 2)]
    ports.layer0.create_deploy("contract-counted2", dockerrun())
    assert made[0].version < made[1].version
    listed = ports.layer0.list_deploys("contract-counted")
    assert [each.deploy_id for each in listed] == [each.deploy_id for each in made]
    assert all(each.dockerrun is None for each in listed)


def test_a_deploy_gives_back_what_was_stored(ports: Ports) -> None:
    """A deploy is read back with the content that was stored; an unknown id is an error."""
    made = ports.layer0.create_deploy("contract-stored", dockerrun())
    read = ports.layer0.read_deploy(made.deploy_id).dockerrun
    assert read is not None
    assert Dockerrun.parse(read).content_sha256() == Dockerrun.parse(dockerrun()).content_sha256()
    with pytest.raises(EntityNotFound):
        ports.layer0.read_deploy("nobody.1")


def test_a_service_is_created_runs_and_moves(ports: Ports, context: Path) -> None:
    """A service is created, updated to another deploy, and runs it, and its logs can be read."""
    image = str(ports.pushed("contract/service", context))
    first, second = (
        ports.layer0.create_deploy("contract-moving", dockerrun(image, f"echo {word}; sleep 60"))
        for word in ("one", "two")
    )
    assert ports.layer0.find_service(demo(ports).environment_id, "contract-moving") is None
    made = ports.layer0.create_service(demo(ports).environment_id, "contract-moving", first.deploy_id)
    ports.layer0.update_service(made.service_id, second.deploy_id)
    service = until(
        ports,
        lambda: ports.layer0.read_service(made.service_id),
        lambda each: each.primary is not None and each.primary.running_count == 1,
    )
    assert service.primary is not None
    assert (service.primary.deploy_id, service.desired_count) == (second.deploy_id, 1)
    found = ports.layer0.find_service(demo(ports).environment_id, "contract-moving")
    assert found is not None
    assert found.service_id == made.service_id
    logs = until(ports, lambda: ports.layer0.service_logs(made.service_id, tail=10), bool)
    assert {log.name for log in logs} == {"timeout"}


def test_a_task_runs_to_its_end_and_tells_its_exit_code(ports: Ports, context: Path) -> None:
    """A task runs to its end and has its exit code and log; its job names it."""
    image = str(ports.pushed("contract/task", context))
    deploy = ports.layer0.create_deploy("contract-ending", dockerrun(image, "echo done; exit $CODE"))
    job_id = ports.layer0.start_task(
        demo(ports).environment_id,
        "contract-ending",
        deploy.deploy_id,
        {"timeout": {"CODE": "0"}},
        run_id="",
        token="",
    )
    job = until(ports, lambda: ports.layer0.read_job(job_id), lambda each: each.state is JobState.COMPLETED)
    assert job.task_id is not None
    task_id = job.task_id
    task = until(
        ports, lambda: ports.layer0.read_task(task_id), lambda each: each.is_stopped and bool(each.containers)
    )
    assert [(each.name, each.exit_code) for each in task.containers] == [("timeout", 0)]
    logs = until(ports, lambda: ports.layer0.task_logs(task_id, tail=10), bool)
    assert [line for log in logs for line in log.lines] == ["done"]


def test_an_unknown_service_is_an_error(ports: Ports) -> None:
    """Reading an unknown service id is an error."""
    with pytest.raises(EntityNotFound):
        ports.layer0.read_service("nobody123456")
