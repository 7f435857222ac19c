"""The loop that keeps services and tasks as they are wanted, for a front that is none of ours."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ecr_widgets.sandbox import workloads
from ecr_widgets.sandbox.workloads.containers import Containers, Seen
from ecr_widgets.sandbox.workloads.records import Copy, Deployment, Service, Status, Task
from ecr_widgets.sandbox.workloads.rules import Rules
from ecr_widgets.sandbox.workloads.scheduler import Scheduler
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition, TaskDefinition
from tests.sandbox.workloads.fake_containers import FakeContainers
from tests.sandbox.workloads.front import Front


@asynccontextmanager
async def scheduling(
    front: Front, containers: Containers, rules: Rules | None = None
) -> AsyncIterator[Scheduler]:
    """A scheduler at work, closed at the end."""
    scheduler = Scheduler(front, containers, front="test", rules=rules)
    scheduler.begin()
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the loop brings about."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110  # what is waited for is a record, and tells nobody
            await asyncio.sleep(0.01)


def running(service: Service, definition_id: str) -> int:
    """Copies of a task definition that run."""
    return sum(
        copy.status == Status.RUNNING and copy.definition_id == definition_id for copy in service.copies_alive
    )


def container(name: str = "a", image: str = "app@sha256:1", **more: object) -> ContainerDefinition:
    return ContainerDefinition(name=name, image=image, **more)  # type: ignore[arg-type]


def test_a_service_has_as_many_copies_as_are_wanted() -> None:
    """More, fewer and none; its records tell the digest of what runs."""

    async def scale() -> list[int]:
        front, service = Front(), Service(service_id="s", deployments=[Deployment("one")], desired_count=3)
        front.define("one", container())
        front.services["s"] = service
        counts = []
        async with scheduling(front, FakeContainers()) as scheduler:
            for wanted in (3, 1, 0):
                service.desired_count = wanted
                scheduler.adjust(service)
                await until(
                    lambda wanted=wanted: running(service, "one") == wanted == len(service.copies_alive)
                )  # type: ignore[misc]
                counts.append(len(service.copies_alive))
                digests = {each.image_digest for copy in service.copies for each in copy.containers}
                assert digests == {"sha256:1"}
        return counts

    assert asyncio.run(scale()) == [3, 1, 0]


def test_a_new_deployment_replaces_the_old_one_once_it_runs() -> None:
    """Until then both are there, the new one first."""

    async def move() -> tuple[list[str], list[str]]:
        front, service = Front(), Service(service_id="s", deployments=[Deployment("one")])
        front.define("one", container())
        front.define("two", container(image="app@sha256:2"))
        front.services["s"] = service
        async with scheduling(front, FakeContainers()) as scheduler:
            scheduler.adjust(service)
            await until(lambda: running(service, "one") == 1)
            service.deployments.insert(0, Deployment("two"))
            scheduler.adjust(service)
            both = [each.definition_id for each in service.deployments]
            await until(lambda: len(service.deployments) == 1)
            assert running(service, "two") == 1
            return both, [each.definition_id for each in service.deployments]

    assert asyncio.run(move()) == (["two", "one"], ["two"])


def test_a_deployment_that_fails_leaves_the_old_copies_and_says_why() -> None:
    """With the exit code of each container; starts follow each other ever later."""

    async def fail() -> tuple[int, str, int]:
        front, service = Front(), Service(service_id="s", deployments=[Deployment("one")])
        front.define("one", container())
        front.define("two", container(image="broken"))
        front.services["s"] = service
        async with scheduling(front, FakeContainers(exit_codes={"broken": 3})) as scheduler:
            scheduler.adjust(service)
            await until(lambda: running(service, "one") == 1)
            service.deployments.insert(0, Deployment("two"))
            scheduler.adjust(service)
            failing = service.deployments[0]
            await until(lambda: failing.failures >= 2)
            return running(service, "one"), failing.stopped_reasons[0], running(service, "two")

    assert asyncio.run(fail()) == (1, "Essential container in task exited (a exit code 3)", 0)


def test_a_task_ends_with_its_containers_exit_codes() -> None:
    """One whose image is missing ends, too, and says that."""

    async def run(image: str) -> tuple[Status, int, str]:
        front = Front()
        front.define("job", container(image=image))
        containers = FakeContainers(exit_codes={"done": 7}, missing={"gone"})
        async with scheduling(front, containers) as scheduler:
            task = Task(task_id="t", copy=scheduler.new_copy("job"))
            front.tasks["t"] = task
            scheduler.launch_task(task)
            await until(lambda: task.copy.status == Status.STOPPED and bool(task.copy.reason))
            return task.copy.status, task.copy.containers[0].exit_code, task.copy.reason

    assert asyncio.run(run("done")) == (Status.STOPPED, 7, "Essential container in task exited")
    assert asyncio.run(run("gone")) == (Status.STOPPED, 0, "CannotPullContainerError: gone not found")


class Rounds(Rules):
    """Counts how often a service was looked after."""

    count = 0

    def review(self, service: Service, ready: Sequence[Copy]) -> bool:
        self.count += 1
        return False


class Asked(FakeContainers):
    """Counts how often the engine was asked for several containers."""

    count = 0

    def look_at(self, docker_ids: Collection[str]) -> dict[str, Seen]:
        self.count += 1
        return super().look_at(docker_ids)


def test_the_engine_is_asked_in_each_round_only_while_something_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not while all copies have run for a while, until `_LOOK_S` have passed; of a young copy and of a task it is."""
    monkeypatch.setattr("ecr_widgets.sandbox.workloads.scheduler._LOOK_S", float("inf"))

    async def go() -> tuple[int, Status]:
        front, service = Front(), Service(service_id="s", deployments=[Deployment("one")])
        front.define("one", container())
        front.services["s"] = service
        engine, rounds = Asked(), Rounds()
        async with scheduling(front, engine, rounds) as scheduler:
            scheduler.adjust(service)
            await until(lambda: running(service, "one") == 1)
            young = engine.count
            await until(lambda: engine.count >= young + 2)
            service.copies[0].launched_at_s = 0.0
            before = rounds.count
            await until(lambda: rounds.count >= before + 2)
            asked, before = engine.count, rounds.count
            await until(lambda: rounds.count >= before + 3)
            while_it_stood = engine.count - asked
            task = Task(task_id="t", copy=scheduler.new_copy("one"))
            front.tasks["t"] = task
            scheduler.launch_task(task)
            await until(lambda: engine.count >= asked + 2)
            return while_it_stood, task.copy.status

    assert asyncio.run(go()) == (0, Status.RUNNING)


def test_containers_start_after_those_that_they_need() -> None:
    """By links and by dependencies; what needs each other starts in the order it is written in."""
    linked = container("web", links=["db:store"])
    definition = TaskDefinition([linked, container("db")])
    assert [each.name for each in definition.in_start_order()] == ["db", "web"]
    circle = TaskDefinition([container("a", links=["b"]), container("b", links=["a"])])
    assert [each.name for each in circle.in_start_order()] == ["a", "b"]


@pytest.mark.parametrize("turns", range(6))
def test_closing_ends_though_the_loop_was_just_woken(turns: int) -> None:
    """However many turns of the event loop lie between a change and the close, the close is not lost."""

    async def change_and_close() -> None:
        scheduler = Scheduler(Front(), FakeContainers(), front="test")
        scheduler.begin()
        await asyncio.sleep(0.01)
        scheduler.adjust(Service(service_id="web1"))
        for _ in range(turns):
            await asyncio.sleep(0)
        ending = asyncio.create_task(scheduler.close())
        done, _ = await asyncio.wait([ending], timeout=5)
        assert done

    asyncio.run(change_and_close())


def test_workloads_know_no_front() -> None:
    """Nothing in there imports Layer0's server, or anything else of the sandbox but the engine's client and base image."""
    own, known = "ecr_widgets.sandbox.", ("workloads", "local_engine", "busybox")
    for path in Path(str(workloads.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(own):
                assert (node.module or "").removeprefix(own).partition(".")[0] in known, (path, node.module)
