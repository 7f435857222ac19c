"""One set of cases for every deploy target: Layer0 and ECS, each in memory and in the sandbox with real containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import ContainerLog, Deploy, Deployment, Dialect, Place, Service, Task
from ecr_widgets.ports.services import Services
from tests.contract.conftest import Ports
from tests.fakes import FakeEcs, FakeLayer0

T = TypeVar("T")

LOG = {"awslogs-group": "/ecs/demo", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "contract"}


@dataclass
class Target:
    """A deploy target, and what the cases need with it."""

    ports: Ports
    services: Services
    environment: str

    @property
    def is_fake(self) -> bool:
        return isinstance(self.services, FakeEcs | FakeLayer0)

    @property
    def is_ecs(self) -> bool:
        return self.services.dialect() is Dialect.ECS

    @property
    def place(self) -> Place:
        found = self.services.find_environment(self.environment)
        assert found is not None
        return found

    def document(self, image: str = "busybox", command: str = "sleep 60") -> bytes:
        """Return a document with one container."""
        container: dict[str, Any] = {"name": "timeout", "image": image, "memory": 10}
        container["command"] = ["sh", "-c", command]
        if self.is_ecs:
            container["logConfiguration"] = {"logDriver": "awslogs", "options": LOG}
        return json.dumps({"containerDefinitions": [container]}).encode()

    def deploy(self, name: str, image: str = "busybox", command: str = "sleep 60") -> Deploy:
        return self.services.create_deploy(name, self.document(image, command))

    def created(self, name: str, deploy: Deploy) -> Service:
        return self.services.create_service(
            self.place.environment_id, name, deploy.deploy_id, token=f"token-{name}"
        )

    def running(self, service: Service) -> Service:
        """Wait until its primary deployment runs alone, and return the service."""
        return self.until(
            lambda: self.services.read_service(service.service_id),
            lambda each: (
                each.primary is not None
                and each.primary.running_count == each.desired_count
                and each.primary.state in ("", "COMPLETED")
                and len(each.deployments) == 1
            ),
        )

    def until(self, look: Callable[[], T], good: Callable[[T], bool]) -> T:
        """Look until it is good; the fake's clock skips the time."""
        deadline_s = self.ports.clock.monotonic_s() + 60
        while not good(found := look()):
            assert self.ports.clock.monotonic_s() < deadline_s, found
            self.ports.clock.sleep(0.1)
        return found


@pytest.fixture(params=["layer0", "ecs"])
def target(request: pytest.FixtureRequest, ports: Ports) -> Target:
    if request.param == "layer0":
        return Target(ports, ports.layer0, "demo")
    return Target(ports, ports.ecs, "ecs:demo")


@pytest.fixture
def ecs(ports: Ports) -> Target:
    """ECS only, for what Layer0 does not have."""
    return Target(ports, ports.ecs, "ecs:demo")


def primary_of(service: Service) -> Deployment:
    assert service.primary is not None
    return service.primary


def lines_of(logs: tuple[ContainerLog, ...]) -> list[str]:
    return [line for log in logs for line in log.lines]


def test_a_place_is_found_by_its_exact_name_or_id(target: Target) -> None:
    """An environment is found by its exact name or id, and is listed."""
    assert target.place.name == target.environment
    assert target.services.find_environment(target.place.environment_id) == target.place
    assert target.services.find_environment(target.environment[:-1]) is None
    assert target.place.environment_id in [
        each.environment_id for each in target.services.list_environments()
    ]


def test_a_target_says_where_it_is_and_what_it_is_asked(target: Target) -> None:
    """A target has an address, and names its requests in its own dialect."""
    assert target.services.address()
    assert target.services.request("create_deploy").startswith(f"{target.services.dialect()}: ")


def test_deploys_of_one_name_count_up(target: Target) -> None:
    """Deploys of one name have increasing versions, and are listed oldest first, without similar names or documents."""
    made = [target.deploy("services-counted", command=f"sleep {n}") for n in (1, 2)]
    target.deploy("services-counted2")
    assert made[0].version < made[1].version
    listed = target.services.list_deploys("services-counted")
    assert [each.deploy_id for each in listed] == [each.deploy_id for each in made]
    assert all(each.dockerrun is None and each.is_active for each in listed)
    latest = target.services.find_latest_deploy("services-counted")
    assert latest is not None
    assert latest.deploy_id == made[1].deploy_id
    assert {each.deploy_id for each in made} <= {
        each.deploy_id for each in target.services.list_all_deploys()
    }


def test_a_deploy_gives_back_what_was_stored(target: Target) -> None:
    """A deploy is read back with the content that was stored, however it is spelled; an unknown id is an error."""
    dialect = target.services.dialect()
    read = target.services.read_deploy(target.deploy("services-stored").deploy_id).dockerrun
    assert read is not None
    stored, wanted = (Dockerrun.parse(each, dialect) for each in (read, target.document()))
    assert stored.content_sha256() == wanted.content_sha256()
    for unknown in ("nobody.1", "nobody:1"):
        with pytest.raises(EntityNotFound):
            target.services.read_deploy(unknown)


def test_a_forgotten_deploy_is_listed_no_more(target: Target) -> None:
    """A deleted deploy is no longer listed; Layer0 cannot read it any more, and ECS reports it as inactive."""
    made = target.deploy("services-forgotten")
    target.services.delete_deploy(made.deploy_id)
    assert target.services.list_deploys("services-forgotten") == ()
    if target.is_ecs:
        assert not target.services.read_deploy(made.deploy_id).is_active
    else:
        with pytest.raises(EntityNotFound):
            target.services.read_deploy(made.deploy_id)


def test_a_service_is_created_runs_and_moves(target: Target, context: Path) -> None:
    """A service is created, updated to another deploy, and runs it with the same number of copies."""
    image = str(target.ports.pushed("services/moving", context))
    first, second = (
        target.deploy("services-moving", image, f"echo {word}; sleep 60") for word in ("one", "two")
    )
    place = target.place.environment_id
    assert target.services.find_service(place, "services-moving") is None
    made = target.created("services-moving", first)
    assert primary_of(made).deploy_id == first.deploy_id
    before = target.running(made)
    moved = target.services.update_service(made.service_id, second.deploy_id)
    after = target.running(made)
    assert primary_of(moved).deploy_id == primary_of(after).deploy_id == second.deploy_id
    assert (after.desired_count, after.refused, primary_of(after).failed_count) == (1, "", 0)
    found = target.services.find_service(place, "services-moving")
    assert found is not None
    assert found.service_id == made.service_id
    assert made.service_id in [each.entity_id for each in target.services.list_services(place)]
    logs = target.until(
        lambda: target.services.service_logs(made.service_id, tail=10),
        lambda found: target.is_fake or "two" in lines_of(found),
    )
    assert {log.name for log in logs} == {"timeout"}
    if target.is_ecs:
        assert primary_of(moved).deployment_id == primary_of(after).deployment_id
        ended = target.services.find_deployment(made.service_id, primary_of(before).deployment_id)
        assert ended is not None
        assert (ended.deploy_id, ended.state) == (first.deploy_id, "COMPLETED")


def test_copies_say_what_they_run_where_the_target_knows(target: Target, context: Path) -> None:
    """ECS lists copies with their deployment and image digest; Layer0 lists none."""
    image = target.ports.pushed("services/copies", context)
    service = target.running(target.created("services-copies", target.deploy("services-copies", str(image))))
    copies = target.services.list_copies(service.service_id)
    if not target.is_ecs:
        assert copies is None
        return
    assert copies is not None
    (only,) = copies
    assert (only.status, only.deployment_id) == ("RUNNING", primary_of(service).deployment_id)
    assert [each.image_digest for each in only.containers] == [image.digest]
    assert only.started_at is not None
    assert target.services.resolved_images(service.service_id) == (
        str(image.with_digest(image.digest or "")),
    )


def test_a_service_is_scaled(target: Target, context: Path) -> None:
    """Scaling a service changes its copies without a new deployment."""
    image = str(target.ports.pushed("services/scaled", context))
    service = target.running(target.created("services-scaled", target.deploy("services-scaled", image)))
    target.services.scale_service(service.service_id, 2)
    scaled = target.running(service)
    assert scaled.desired_count == 2
    assert primary_of(scaled).deployment_id == primary_of(service).deployment_id


def test_copies_that_crash_say_how_they_ended(target: Target, context: Path) -> None:
    """A deployment whose copies crash has the reasons, and the log of the dead copies can be read."""
    image = str(target.ports.pushed("services/crash", context))
    deploy = target.deploy("services-crash", image, "echo cannot open /etc/app; exit 3")
    if isinstance(target.services, FakeEcs):
        target.services.crashes[deploy.deploy_id] = ("Essential container in task exited: code 3",) * 9
    if isinstance(target.services, FakeLayer0):
        target.services._crashes = ("Essential container in task exited (3)",) * 9
    made = target.created("services-crash", deploy)
    service = target.until(
        lambda: target.services.read_service(made.service_id),
        lambda each: each.primary is not None and len(each.primary.stopped_reasons) >= 2,
    )
    primary = primary_of(service)
    assert primary.running_count == 0 or primary.state != "COMPLETED"
    assert all("3" in each for each in primary.stopped_reasons)
    logs = target.services.crash_logs(made.service_id, primary.deployment_id, tail=5)
    assert "cannot open /etc/app" in lines_of(logs)
    target.services.scale_service(made.service_id, 0)


def test_a_task_runs_to_its_end_and_tells_its_exit_code(target: Target, context: Path) -> None:
    """A task's request is found by who made it and what for; the task ends with exit code and log."""
    services, place = target.services, target.place.environment_id
    image = str(target.ports.pushed("services/task", context))
    deploy_id = target.deploy("services-ending", image, "echo done; exit $CODE").deploy_id
    env_vars = {"timeout": {"CODE": "0"}}

    def requests() -> frozenset[str]:
        return services.task_requests(place, "services-ending", deploy_id, env_vars, run_id="run-7")

    before = requests()
    request_id = services.start_task(
        place, "services-ending", deploy_id, env_vars, run_id="run-7", token="7" * 32
    )
    assert requests() - before == {request_id}
    request = target.until(
        lambda: services.read_task_request(request_id), lambda each: each.task_id is not None
    )
    task_id = request.task_id or ""

    def has_ended(task: Task) -> bool:
        return task.is_stopped and all(each.last_status == "STOPPED" for each in task.containers)

    task = target.until(lambda: services.read_task(task_id), has_ended)
    assert [(each.name, each.exit_code) for each in task.containers] == [("timeout", 0)]
    assert requests() - before == {request_id}
    logs = target.until(lambda: services.task_logs(task_id, tail=10), bool)
    if not target.is_fake:
        assert lines_of(logs) == ["done"]
        assert task.name == "services-ending"
    assert task_id in [each.entity_id for each in services.list_tasks(place)]


def test_what_does_not_exist_is_an_error(target: Target) -> None:
    """Reading an unknown service, or reading or deleting an unknown task, is an error."""
    nobody = "nobody123456"
    service_id = task_id = nobody
    if target.is_ecs:
        base = f"{target.services.address()}:"
        service_id, task_id = f"{base}service/demo/{nobody}", f"{base}task/demo/{nobody}"
    with pytest.raises(EntityNotFound):
        target.services.read_service(service_id)
    with pytest.raises(EntityNotFound):
        target.services.read_task(task_id)
    with pytest.raises(EntityNotFound):
        target.services.delete_task(task_id)


def test_the_same_token_creates_one_service(ecs: Target) -> None:
    """Creating a service twice with the same token makes one; another token for the same name is refused."""
    deploy = ecs.deploy("services-token")
    made = ecs.created("services-token", deploy)
    assert ecs.created("services-token", deploy).service_id == made.service_id
    with pytest.raises(Exception, match="idempotent"):
        ecs.services.create_service(
            ecs.place.environment_id, "services-token", deploy.deploy_id, token="another"
        )


def test_the_same_token_starts_one_task(ecs: Target) -> None:
    """Starting a task twice with the same token starts one."""
    deploy_id = ecs.deploy("services-once").deploy_id
    place = ecs.place.environment_id
    ids = {
        ecs.services.start_task(place, "services-once", deploy_id, {}, run_id="run-8", token="8" * 32)
        for _ in range(2)
    }
    assert len(ids) == 1


def test_settings_are_read_as_they_were_given(target: Target) -> None:
    """A service's settings are read back as given and can be changed; Layer0 refuses settings."""
    services = target.services
    deploy = target.deploy("services-settings")
    settings = {
        "desiredCount": 0,
        "deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50},
    }
    if not target.is_ecs:
        with pytest.raises(InputError, match="service file"):
            services.create_service(
                target.place.environment_id, "services-settings", deploy.deploy_id, settings=settings
            )
        return
    made = services.create_service(
        target.place.environment_id, "services-settings", deploy.deploy_id, settings=settings
    )
    read = services.read_settings(made.service_id)
    assert read is not None
    assert made.desired_count == 0
    assert read["deploymentConfiguration"]["maximumPercent"] == 150
    services.apply_settings(made.service_id, {"deploymentConfiguration": {"maximumPercent": 125}})
    again = services.read_settings(made.service_id)
    assert again is not None
    assert again["deploymentConfiguration"]["maximumPercent"] == 125
