"""AWS's own clients on the sandbox with real containers, and what tests do with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3

from tests.sandbox.conftest import BIN

SHELL = ["sh", "-c"]
FOREVER = "trap exit TERM; sleep 3600 & wait"
EXECUTION_ROLE = "arn:aws:iam::111222333444:role/ecsTaskExecutionRole"
LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/ecs/demo",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "test",
    },
}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


class Aws:
    """AWS's clients, and what tests do with them."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.session = boto3.Session(
            environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name=environ["AWS_REGION"]
        )
        self.ecs = self.client("ecs")
        self.family = f"test-{uuid.uuid4().hex[:8]}"
        self.services: list[str] = []

    def client(self, name: str) -> Any:
        return self.session.client(name, endpoint_url=self.environ["AWS_ENDPOINT_URL"])

    def define(self, *containers: dict[str, Any], **more: Any) -> str:
        """Register busybox containers, by default one named `app`."""
        whole = [
            {"name": "app", "image": "busybox:latest", "memory": 32, "command": [*SHELL, FOREVER]} | each
            for each in containers or ({},)
        ]
        made = self.ecs.register_task_definition(family=self.family, containerDefinitions=whole, **more)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, *containers: dict[str, Any], network: Any = None, **more: Any) -> dict[str, Any]:
        """Run a task to its end."""
        given = {"networkConfiguration": network} if network else {}
        answer = self.ecs.run_task(cluster="demo", taskDefinition=self.define(*containers, **more), **given)
        arn = answer["tasks"][0]["taskArn"]
        pace = {"Delay": 1, "MaxAttempts": 60}
        self.ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[arn], WaiterConfig=pace)
        return self.task(arn)

    def task(self, arn: str) -> dict[str, Any]:
        task: dict[str, Any] = self.ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]
        return task

    def create(self, *containers: dict[str, Any], **more: Any) -> str:
        """Create a service of one task; its name."""
        of_definition = more.pop("definition", {})
        definition = self.define(*containers, **of_definition)
        given = {"desiredCount": 1, "taskDefinition": definition} | more
        self.ecs.create_service(cluster="demo", serviceName=self.family, **given)
        self.services.append(self.family)
        return self.family

    def service(self) -> dict[str, Any]:
        service: dict[str, Any] = self.ecs.describe_services(cluster="demo", services=[self.family])[
            "services"
        ][0]
        return service

    def until(self, is_so: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 60
        while not (value := is_so()):
            assert time.monotonic() < deadline, self.service()
            time.sleep(0.1)
        return value

    def completed(self) -> dict[str, Any]:
        """Wait until the only deployment is completed."""
        done: dict[str, Any] = self.until(
            lambda: (
                [each["rolloutState"] for each in self.service()["deployments"]] == ["COMPLETED"]
                and self.service()
            )
        )
        return done

    def lines(self, task: dict[str, Any], container: str = "app") -> list[str]:
        """What a container has printed."""
        stream = f"test/{container}/{task['taskArn'].rpartition('/')[2]}"
        answer = self.client("logs").get_log_events(
            logGroupName="/ecs/demo", logStreamName=stream, startFromHead=True
        )
        return [each["message"] for each in answer["events"]]

    def command(self, *words: str, timeout_s: float = 60) -> str:
        """What the aws command prints."""
        done = subprocess.run(
            [BIN / "aws", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def aws_version_2() -> str | None:
    """An `aws` on PATH that is of version 2, which no package index has."""
    for folder in os.get_exec_path():
        program = shutil.which("aws", path=folder)
        if program is not None:
            done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
            if done.stdout.startswith("aws-cli/2"):
                return program
    return None
