"""One set of cases for Layer0's other calls: in memory and the sandbox's server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from tests.contract.conftest import Ports
from tests.contract.test_layer0 import demo, dockerrun, until
from tests.ports import free_port


def ended(ports: Ports, job_id: str) -> Job:
    return until(
        ports,
        lambda: ports.layer0.read_job(job_id),
        lambda each: each.state in (JobState.COMPLETED, JobState.ERROR),
    )


def test_an_environment_lives_from_creation_to_deletion(ports: Ports) -> None:
    """An environment is created, listed, changed, linked both ways, and deleted with its services."""
    layer0 = ports.layer0
    made = layer0.create_environment("contract-env", min_count=1)
    other = layer0.create_environment("contract-other")
    assert (len(made.environment_id), made.name, made.operating_system) == (12, "contract-env", "linux")
    names = [each.name for each in layer0.list_environments()]
    assert names == sorted(names)
    assert {"contract-env", "contract-other"} <= set(names)
    layer0.update_environment(made.environment_id, min_count=2)
    layer0.link_environments(made.environment_id, other.environment_id)
    read = layer0.read_environment(made.environment_id)
    assert (read.min_count, read.max_count, read.links) == (2, 2, (other.environment_id,))
    assert layer0.read_environment(other.environment_id).links == (made.environment_id,)
    layer0.unlink_environments(made.environment_id, other.environment_id)
    assert layer0.read_environment(made.environment_id).links == ()
    deploy = layer0.create_deploy("contract-env", dockerrun())
    service = layer0.create_service(made.environment_id, "contract-env", deploy.deploy_id)
    for each in (made, other):
        assert ended(ports, layer0.delete_environment(each.environment_id)).state is JobState.COMPLETED
        assert layer0.find_environment(each.name) is None
    with pytest.raises(EntityNotFound):
        layer0.read_service(service.service_id)


def test_deleting_what_does_not_stand_is_a_job_that_fails(ports: Ports) -> None:
    """Deleting an entity that does not exist starts a job that fails and names the task with its log."""
    for delete in (ports.layer0.delete_environment, ports.layer0.delete_service):
        job = ended(ports, delete("nobody123456"))
        assert (job.state, job.request, job.task_id) == (JobState.ERROR, "nobody123456", None)
        assert job.runner_task_id


def test_a_load_balancer_is_made_changed_and_deleted(ports: Ports) -> None:
    """A load balancer is created, changed part by part, and deleted."""
    layer0, where = ports.layer0, demo(ports).environment_id
    listened = [free_port(), free_port()]
    check = HealthCheck("HTTP:80/health", interval=10)
    assert layer0.find_load_balancer(where, "contract-lb") is None
    made = layer0.create_load_balancer(
        where, "contract-lb", [Port(listened[0], 80, "HTTP")], health_check=check, idle_timeout=90
    )
    found = layer0.find_load_balancer(where, "contract-lb")
    assert found == layer0.read_load_balancer(made.load_balancer_id)
    assert found is not None
    assert (found.ports, found.health_check, found.idle_timeout) == (
        (Port(listened[0], 80, "HTTP"),),
        check,
        90,
    )
    assert (found.is_public, found.cross_zone, found.service_id) == (True, True, None)
    assert found.url
    changed = layer0.update_load_balancer(
        made.load_balancer_id, ports=[Port(listened[1], 81, "TCP")], idle_timeout=30, cross_zone=False
    )
    assert (changed.ports, changed.idle_timeout, changed.cross_zone, changed.health_check) == (
        (Port(listened[1], 81, "TCP"),),
        30,
        False,
        check,
    )
    assert "contract-lb" in [each.name for each in layer0.list_load_balancers(where)]
    assert ended(ports, layer0.delete_load_balancer(made.load_balancer_id)).state is JobState.COMPLETED
    with pytest.raises(EntityNotFound):
        layer0.read_load_balancer(made.load_balancer_id)


def test_a_load_balancer_that_aws_refuses_is_not_asked_for(ports: Ports) -> None:
    """A load balancer that AWS would refuse is refused before anything is created."""
    where = demo(ports).environment_id
    with pytest.raises(InputError):
        ports.layer0.create_load_balancer(
            where, "contract-refused", [Port(80, 80)], health_check=HealthCheck("HTTP:80")
        )
    assert ports.layer0.find_load_balancer(where, "contract-refused") is None


def test_a_service_scales_to_several_and_to_none(ports: Ports, context: Path) -> None:
    """A service is scaled to several copies and to none, and is not found after its deletion."""
    layer0, where = ports.layer0, demo(ports).environment_id
    image = str(ports.pushed("contract/scaled", context))
    deploy = layer0.create_deploy("contract-scaled", dockerrun(image, "echo here; sleep 60"))
    made = layer0.create_service(where, "contract-scaled", deploy.deploy_id)
    for count in (3, 0):
        layer0.scale_service(made.service_id, count)
        service = until(
            ports,
            lambda: layer0.read_service(made.service_id),
            lambda each: each.running_count == each.desired_count == count,  # noqa: B023
        )
        assert service.primary is not None
        assert service.primary.running_count == count
    listed = layer0.list_services(where)
    assert [(each.entity_id, each.environment) for each in listed if each.name == "contract-scaled"] == [
        (made.service_id, "demo")
    ]
    assert ended(ports, layer0.delete_service(made.service_id)).state is JobState.COMPLETED
    assert layer0.find_service(where, "contract-scaled") is None


def test_a_task_is_listed_and_deleted(ports: Ports, context: Path) -> None:
    """A running task is listed and can be deleted once."""
    layer0, where = ports.layer0, demo(ports).environment_id
    image = str(ports.pushed("contract/deleted", context))
    deploy = layer0.create_deploy("contract-deleted", dockerrun(image))
    job = ended(
        ports, layer0.start_task(where, "contract-deleted", deploy.deploy_id, {}, run_id="", token="")
    )
    assert job.task_id is not None
    assert job.task_id in [each.entity_id for each in layer0.list_tasks(where)]
    assert job.job_id in [each.job_id for each in layer0.list_jobs()]
    layer0.delete_task(job.task_id)
    assert job.task_id not in [each.entity_id for each in layer0.list_tasks()]
    with pytest.raises(EntityNotFound):
        layer0.delete_task(job.task_id)
    layer0.delete_job(job.job_id)
    assert job.job_id not in [each.job_id for each in layer0.list_jobs()]


def test_a_deleted_deploy_is_gone_and_its_version_is_not_reused(ports: Ports) -> None:
    """A deleted deploy cannot be read, and the next version counts on from the newest."""
    layer0 = ports.layer0
    first, second = (layer0.create_deploy("contract-gone", dockerrun()) for _ in "ab")
    layer0.delete_deploy(first.deploy_id)
    with pytest.raises(EntityNotFound):
        layer0.read_deploy(first.deploy_id)
    third = layer0.create_deploy("contract-gone", dockerrun())
    latest = layer0.find_latest_deploy("contract-gone")
    assert latest is not None
    assert (third.version, latest.deploy_id) == (second.version + 1, third.deploy_id)
    assert layer0.find_latest_deploy("contract-go") is None


def test_logs_are_cut_by_time(ports: Ports, context: Path) -> None:
    """Logs can be limited to a time window."""
    layer0, where = ports.layer0, demo(ports).environment_id
    image = str(ports.pushed("contract/logs", context))
    deploy = layer0.create_deploy("contract-logs", dockerrun(image, "echo here; sleep 60"))
    made = layer0.create_service(where, "contract-logs", deploy.deploy_id)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    logs = until(
        ports,
        lambda: layer0.service_logs(made.service_id, start=now - hour, end=now + hour),
        lambda found: any(each.lines for each in found),
    )
    assert [each.name for each in logs] == ["timeout"]
    layer0.delete_service(made.service_id)
