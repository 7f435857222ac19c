"""What Layer0's smoke tests have its command ask for, as raw requests: names through tags, jobs waited for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.layer0.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

SERVICE = {
    "AWSEBDockerrunVersion": 2,
    "containerDefinitions": [
        {
            "name": "guestbook",
            "image": "quintilesims/guestbook",
            "essential": True,
            "memory": 128,
            "portMappings": [{"hostPort": 80, "containerPort": 80}],
        }
    ],
}
# With a member in lower case, which Go accepts too.
TASK = {"containerDefinitions": [{"name": "alpine", "image": "alpine", "memory": 64, "entrypoint": ["env"]}]}
CHECK = {"target": "TCP:80", "interval": 30, "timeout": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}


class Command:
    """Asks as the `l0` command does."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.ask = served.value

    def resolve(self, kind: str, name: str, **more: str) -> str:
        """The one id that an exact name stands for."""
        query = "&".join(
            f"{key}={value}" for key, value in sorted({"fuzz": name, "type": kind, **more}.items())
        )
        entities = self.ask("GET", f"/tag?{query}")
        (found,) = [
            each["entity_id"]
            for each in entities
            if name in (each["entity_id"], *(t["value"] for t in each["tags"] if t["key"] == "name"))
        ]
        return str(found)

    def done(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """A job that has ended well."""
        job_id = self.ask(method, path, **body)
        for _ in range(1000):
            job: dict[str, Any] = self.ask("GET", f"/job/{job_id}")
            if job["job_status"] not in (1, 2):
                break
        assert job["job_status"] == 3
        return job

    def deploy(self, name: str, document: dict[str, Any]) -> str:
        coded = base64.b64encode(json.dumps(document).encode()).decode()
        return str(self.ask("POST", "/deploy", deploy_name=name, dockerrun=coded)["deploy_id"])

    def running(self, service_id: str, count: int) -> dict[str, Any]:
        """The service once each deployment has its copies, as `--wait` looks for."""
        for _ in range(5000):
            service: dict[str, Any] = self.ask("GET", f"/service/{service_id}")
            counts = [(each["running_count"], each["desired_count"]) for each in service["deployments"]]
            if counts == [(count, count)]:
                return service
        raise AssertionError(service)


@pytest.fixture
def l0() -> Iterator[Command]:
    with serve(FakeContainers()) as served:
        yield Command(served)


def environment(l0: Command, name: str = "test") -> str:
    l0.ask(
        "POST", "/environment/", environment_name=name, instance_size="m3.medium", user_data_template=None,
        min_cluster_count=1, max_cluster_count=1, target_cap_size=100, operating_system="linux", ami_id="",
    )  # fmt: skip
    return l0.resolve("environment", name)


def test_environments(l0: Command) -> None:
    """Create, list, get, set the least size, link, unlink, delete."""
    first, second = environment(l0, "test1"), environment(l0, "test2")
    assert l0.ask("PUT", f"/environment/{first}", min_cluster_count=2)["min_count"] == 1
    assert l0.ask("GET", f"/environment/{first}")["min_count"] == 2
    l0.ask("POST", f"/environment/{first}/link", environment_id=second)
    assert l0.ask("GET", f"/environment/{first}")["links"] == [second]
    l0.ask("DELETE", f"/environment/{first}/link/{second}")
    for each in (first, second):
        l0.done("DELETE", f"/environment/{each}")
    assert {e["environment_id"] for e in l0.ask("GET", "/environment/")}.isdisjoint({first, second})


def test_a_load_balancer_with_the_instances_own_certificate(l0: Command) -> None:
    """Private, with an HTTPS port; then a port more, a port less, and another health check."""
    port = {"host_port": 18443, "container_port": 80, "protocol": "https", "certificate_name": "l0-smoke-api"}
    ssh = {"host_port": 18022, "container_port": 22, "protocol": "tcp", "certificate_name": ""}
    made = l0.ask(
        "POST", "/loadbalancer/", load_balancer_name="test", environment_id=environment(l0), is_public=False,
        ports=[port, ssh], health_check=CHECK, idle_timeout=60, cross_zone=True,
    )  # fmt: skip
    balancer_id = l0.resolve("load_balancer", "test")
    assert balancer_id == made["load_balancer_id"]
    standing = l0.ask("GET", f"/loadbalancer/{balancer_id}")["ports"]
    web = {"host_port": 18080, "container_port": 80, "protocol": "tcp"}
    l0.ask("PUT", f"/loadbalancer/{balancer_id}/ports", ports=[*standing, web])
    kept = [
        each for each in l0.ask("GET", f"/loadbalancer/{balancer_id}")["ports"] if each["host_port"] != 18022
    ]
    l0.ask("PUT", f"/loadbalancer/{balancer_id}/ports", ports=kept)
    l0.ask("PUT", f"/loadbalancer/{balancer_id}/healthcheck", health_check=CHECK | {"interval": 40})
    read = l0.ask("GET", f"/loadbalancer/{balancer_id}")
    assert sorted(each["host_port"] for each in read["ports"]) == [18080, 18443]
    assert (read["health_check"]["interval"], read["is_public"]) == (40, False)
    l0.done("DELETE", f"/loadbalancer/{balancer_id}")


def test_a_service(l0: Command) -> None:
    """Create with the latest deploy, wait, update, scale, read logs, delete."""
    where = environment(l0)
    l0.deploy("guestbook", SERVICE)
    deploy_id = l0.resolve("deploy", "guestbook", version="latest")
    l0.ask(
        "POST",
        "/service/",
        deploy_id=deploy_id,
        environment_id=where,
        load_balancer_id="",
        service_name="test",
    )
    service_id = l0.resolve("service", "test", environment_id=where)
    l0.running(service_id, 1)
    newer = l0.deploy("guestbook", SERVICE)
    l0.ask("PUT", f"/service/{service_id}/deploy", deploy_id=newer)
    assert l0.running(service_id, 1)["deployments"][0]["deploy_version"] == "2"
    l0.ask("PUT", f"/service/{service_id}/scale", desired_count=2)
    l0.running(service_id, 2)
    assert len(l0.ask("GET", f"/service/{service_id}/logs?tail=1")) == 2
    l0.done("DELETE", f"/service/{service_id}")
    l0.ask("DELETE", f"/deploy/{newer}")


def test_a_task_and_its_job(l0: Command) -> None:
    """The task is in the list under its name, both have logs, and both are deleted."""
    where, deploy_id = environment(l0), l0.deploy("alpine", TASK)
    job = l0.done(
        "POST", "/task/", environment_id=where, task_name="test", deploy_id=deploy_id,
        container_overrides=[{"container_name": "alpine", "environment_overrides": {"key": "val"}}],
    )  # fmt: skip
    task_id = l0.resolve("task", "test", environment_id=where)
    assert job["meta"] == {"task_id": task_id}
    assert task_id in [each["task_id"] for each in l0.ask("GET", "/task/")]
    assert l0.ask("GET", f"/task/{task_id}")["deploy_id"] == deploy_id
    for each in (task_id, job["task_id"]):
        assert isinstance(l0.ask("GET", f"/task/{each}/logs?"), list)
    l0.ask("DELETE", f"/task/{task_id}")
    l0.ask("DELETE", f"/job/{job['job_id']}")
    assert l0.ask("GET", "/job/") == []
