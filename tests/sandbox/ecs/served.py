"""An ECS in a thread of its own, called as the door calls it: without HTTP, signatures and an engine."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecr_widgets.sandbox.ecs import EcsSandbox
from ecr_widgets.sandbox.ecs.names import Names
from ecr_widgets.sandbox.neighbours import MODULES, Application, Neighbours
from ecr_widgets.sandbox.workloads.containers import Containers
from tests.sandbox.workloads.fake_containers import FakeContainers, in_quick_rounds

ACCOUNT = "111222333444"
_TARGETS = {
    "ecs": "AmazonEC2ContainerServiceV20141113",
    "logs": "Logs_20140328",
    "secretsmanager": "secretsmanager",
    "ssm": "AmazonSSM",
}


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        super().__init__(f"{answer['__type']}: {answer['message']}")
        self.status, self.answer = status, answer
        self.code: str = answer["__type"]
        self.message: str = answer["message"]


@dataclass
class Served:
    """One that answers."""

    applications: dict[str, Application]
    containers: FakeContainers
    journal: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self, operation: str, at: str = "ecs", region: str = "us-east-1", **members: Any
    ) -> dict[str, Any]:
        """Make a call, to the service `at`; its answer."""
        return self.send(operation, json.dumps(members).encode(), at, region)

    def send(self, operation: str, body: bytes, at: str = "ecs", region: str = "us-east-1") -> dict[str, Any]:
        """Send exactly this."""
        status: list[str] = []
        environ = {
            "wsgi.input": io.BytesIO(body),
            "CONTENT_TYPE": "application/x-amz-json-1.1",
            "HTTP_X_AMZ_TARGET": f"{_TARGETS[at]}.{operation}",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=key/20261126/{region}/{at}/aws4_request",
        }
        content = b"".join(self.applications[at](environ, lambda line, _: status.append(line)))
        answer: dict[str, Any] = json.loads(content or b"{}")
        if not status[0].startswith("200"):
            raise Refused(int(status[0][:3]), answer)
        return answer

    def define(self, family: str = "web", **more: Any) -> str:
        """Register a task definition of one container, and give its `family:revision`."""
        container = {"name": "app", "image": "app", "memory": 64} | more.pop("container", {})
        answer = self.ask("RegisterTaskDefinition", family=family, containerDefinitions=[container], **more)
        return str(answer["taskDefinition"]["taskDefinitionArn"]).rpartition("/")[2]

    def service(self, name: str = "web", cluster: str = "demo") -> dict[str, Any]:
        """A service as DescribeServices shows it."""
        answer = self.ask("DescribeServices", cluster=cluster, services=[name])
        shown: dict[str, Any] = answer["services"][0]
        return shown

    def tasks(self, cluster: str = "demo", **filters: Any) -> list[dict[str, Any]]:
        """Tasks as DescribeTasks shows them."""
        arns = self.ask("ListTasks", cluster=cluster, **filters)["taskArns"]
        shown: list[dict[str, Any]] = (
            self.ask("DescribeTasks", cluster=cluster, tasks=arns)["tasks"] if arns else []
        )
        return shown

    def until(self, is_so: Callable[[], Any]) -> Any:
        """Wait for what the loop brings about, and give it."""
        deadline = time.monotonic() + 30
        while not (value := is_so()):
            assert time.monotonic() < deadline, self.service()
            time.sleep(0.02)
        return value

    def completed(self, name: str = "web") -> dict[str, Any]:
        """Wait until a service's only deployment is completed."""

        def is_so() -> dict[str, Any] | None:
            shown = self.service(name)
            states = [each["rolloutState"] for each in shown["deployments"]]
            return shown if states == ["COMPLETED"] else None

        shown: dict[str, Any] = self.until(is_so)
        return shown


@contextlib.contextmanager
def serve(containers: Containers | None = None, *, folder: Path | None = None) -> Iterator[Served]:
    """Serve until the block ends; containers stay for the next server on the folder."""
    # moto reads the account from here, and creates in it what exists from the start, such as an instance.
    os.environ.setdefault("MOTO_ACCOUNT_ID", ACCOUNT)
    loop = asyncio.new_event_loop()
    passing = tempfile.TemporaryDirectory(prefix="ecs-")
    where = folder or Path(passing.name)
    neighbours = Neighbours(where, account=ACCOUNT, region="us-east-1")
    journal: list[dict[str, Any]] = []
    fake = containers or FakeContainers()

    async def start() -> EcsSandbox:
        names = Names(ACCOUNT, "us-east-1")
        made = EcsSandbox(
            fake, folder=where, names=names, neighbours=neighbours, journal=journal.append, settle_s=0.05
        )
        made.begin()
        return made

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        of_moto = {name: neighbours.application(name) for name in MODULES}
        assert isinstance(fake, FakeContainers)
        with in_quick_rounds():
            yield Served(of_moto | server.applications, fake, journal)
    finally:
        try:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(30)
        finally:
            # Even if closing fails, no thread may be left that would keep the whole test run from ending.
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            neighbours.close()
            passing.cleanup()
