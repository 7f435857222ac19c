"""A front of its own on a real engine and a real registry."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import docker
import pytest

from ecr_widgets.sandbox import Sandbox
from ecr_widgets.sandbox.workloads.docker_containers import DockerContainers
from ecr_widgets.sandbox.workloads.records import Deployment, Service, Status, Task
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition, KeyValue, PortMapping
from tests.sandbox.workloads.front import Front
from tests.sandbox.workloads.test_scheduler import running, scheduling, until

LABEL = "ecr-widgets.test=workloads"


@pytest.fixture
def login(sandbox: Sandbox) -> dict[str, str]:
    """A login for the sandbox's registry, with the repository `own` made in it."""
    env = sandbox.env()
    ecr = boto3.client(
        "ecr",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="own")
    (issued,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(issued["authorizationToken"]).decode().partition(":")
    return {"username": user, "password": password}


@pytest.fixture
def containers(
    sandbox: Sandbox, engine: docker.DockerClient, login: dict[str, str]
) -> Iterator[DockerContainers]:
    """The sandbox's engine; nothing that was started is left on it."""
    made = DockerContainers(sandbox.env()["DOCKER_HOST"], label=LABEL, login_of=lambda _: login)
    yield made
    made.remove_all()
    made.close()
    assert engine.containers.list(all=True, filters={"label": LABEL}) == []


@pytest.fixture
def pushed(sandbox: Sandbox, engine: docker.DockerClient, login: dict[str, str]) -> tuple[str, str]:
    """An image in the sandbox's registry, by tag, and its digest."""
    repository = f"{sandbox.status().registry_host}/own"
    engine.images.get("busybox").tag(repository, "1")
    events: Any = engine.images.push(repository, tag="1", auth_config=login, stream=True, decode=True)
    digests = [event["aux"]["Digest"] for event in events if "aux" in event]
    return f"{repository}:1", digests[0]


def shell(image: str, command: str, **more: Any) -> ContainerDefinition:
    return ContainerDefinition(name="main", image=image, memory=16, command=["sh", "-c", command], **more)


def test_a_service_runs_by_digest_and_keeps_running_when_its_next_deployment_fails(
    containers: DockerContainers, engine: docker.DockerClient, pushed: tuple[str, str]
) -> None:
    """Records name the digest that runs, the port where it listens and what a failed copy ended with."""
    image, digest = pushed

    async def go() -> None:
        front = Front()
        port = PortMapping(containerPort=80, hostPort=8080)
        front.define(
            "good",
            shell(
                image,
                "echo up $ITS; exec sleep 300",
                portMappings=[port],
                environment=[KeyValue("ITS", "me")],
            ),
        )
        # A container that never runs: one that ran for a moment might or might not be seen running.
        front.define(
            "bad", ContainerDefinition(name="main", image=image, memory=16, command=["/no-such-program"])
        )
        service = Service(service_id="s", deployments=[Deployment("good")], desired_count=2)
        front.services["s"] = service
        async with scheduling(front, containers) as scheduler:
            scheduler.adjust(service)
            await until(lambda: running(service, "good") == 2)
            started = [copy.containers[0] for copy in service.copies]
            assert {each.image_digest for each in started} == {digest}
            assert len({each.ports[8080] for each in started}) == 2
            assert {
                tuple(containers.logs(str(each.docker_id), tail=0, start=None, end=None)) for each in started
            } == {("up me",)}
            service.deployments.insert(0, Deployment("bad"))
            scheduler.adjust(service)
            await until(lambda: bool(service.deployments[0].stopped_reasons))
            assert "no-such-program" in service.deployments[0].stopped_reasons[0]
            assert running(service, "good") == 2
            # A container that somebody else removes is replaced.
            engine.containers.get(str(started[0].docker_id)).remove(force=True)
            del service.deployments[0]
            await until(
                lambda: (
                    running(service, "good") == 2
                    and started[0] not in [c.containers[0] for c in service.copies_alive]
                )
            )

    asyncio.run(go())


def test_a_task_ends_with_its_exit_code(containers: DockerContainers, pushed: tuple[str, str]) -> None:
    """Its log stays; an image that is not there ends it with the engine's reason."""
    image, digest = pushed

    async def go(definition: ContainerDefinition) -> Task:
        front = Front()
        front.define("job", definition)
        async with scheduling(front, containers) as scheduler:
            task = Task(task_id="t", copy=scheduler.new_copy("job"))
            front.tasks["t"] = task
            scheduler.launch_task(task)
            await until(lambda: task.copy.status == Status.STOPPED and bool(task.copy.reason))
            return task

    (done,) = asyncio.run(go(shell(image, "echo said; exit 4"))).copy.containers
    assert (done.exit_code, done.image_digest) == (4, digest)
    assert containers.logs(str(done.docker_id), tail=0, start=None, end=None) == ["said"]
    missing = asyncio.run(go(shell(image.replace(":1", ":none"), "true")))
    assert missing.copy.reason.startswith("CannotPullContainerError")
