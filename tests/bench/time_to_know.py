"""Rows `time to know`: from the update of a service whose deploy cannot run until the tool ends with the reason.

Four deploys in one sandbox with real containers: the container crashes, the image is missing, the container never gets
healthy, or it cannot be placed. Each tool updates a healthy service of its own, all three at the same time, and the next
three start when ours has ended. A tool that ends without the reason, or with success, or is still waiting, counts with
`LONGEST_S`. That flatters it: `aws ecs wait services-stable` gives up after 600 s, `ecs deploy` after 300 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import boto3

from ecr_widgets.sandbox import Sandbox

BIN = Path(sys.executable).parent
LONGEST_S = 120.0
AIM = 0.2
ECS_DEPLOY = "ecs-deploy==1.17.0"
FOREVER = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
GOOD: dict[str, Any] = {"name": "app", "image": "busybox:latest", "memory": 16, "command": FOREVER}


@dataclass(frozen=True)
class Failure:
    """A deploy that cannot run."""

    name: str
    container: dict[str, Any]
    reason: str
    """Part of the text that gives the reason."""


FAILURES = (
    Failure("crash", {"command": ["sh", "-c", "echo cannot open config; exit 3"]}, "code 3"),
    Failure("missing image", {"image": "{registry}/nobody/nothing:1"}, "CannotPull"),
    Failure(
        "never healthy",
        {"healthCheck": {"command": ["CMD-SHELL", "false"], "interval": 5, "timeout": 2, "retries": 1}},
        "failed container health checks",
    ),
    Failure("no room", {"memory": 1 << 30}, "insufficient memory"),
)


@dataclass(frozen=True)
class Known:
    """How one tool ended."""

    tool: str
    failure: str
    seconds: float
    knows: bool


def measured(runs: int, folder: Path) -> Iterator[tuple[Any, ...]]:
    """Return a row per failure; the other is the better of the two tools, which the row names."""
    folder.mkdir()
    ecs_deploy = _installed(folder / "venv")
    found: list[Known] = []
    with Sandbox(folder / "sandbox") as sandbox:
        environ = sandbox.environ(dict(os.environ)) | {"DOCKER_CONFIG": str(folder / "docker-config")}
        for number in range(runs):
            found += _round(environ, str(sandbox.status().registry_host), ecs_deploy, number)
    for failure in FAILURES:
        of_tool: dict[str, list[float]] = {}
        for each in found:
            if each.failure == failure.name:
                of_tool.setdefault(each.tool, []).append(each.seconds if each.knows else LONGEST_S)
        ours = of_tool.pop("ecr-widgets")
        other = min(of_tool, key=lambda tool: median(of_tool[tool]))
        ratio = median(a / b for a, b in zip(ours, of_tool[other], strict=True))
        never = min(of_tool[other]) >= LONGEST_S
        told = f"neither other tool, after {LONGEST_S:.0f} s" if never else other
        yield (
            f"time to know: {failure.name}", round(median(ours), 2), round(median(of_tool[other]), 2), told, "s",
            round(ratio, 3), AIM, runs,
        )  # fmt: skip


def _installed(folder: Path) -> Path:
    """Install the `ecs` command in an environment of its own, and return it."""
    for words in (
        (sys.executable, "-m", "venv", folder),
        (folder / "bin" / "pip", "install", "-q", ECS_DEPLOY),
    ):
        subprocess.run(words, check=True, capture_output=True)
    return folder / "bin" / "ecs"


def _round(environ: dict[str, str], registry: str, ecs_deploy: Path, number: int) -> list[Known]:
    ecs = boto3.client("ecs", endpoint_url=environ["AWS_ENDPOINT_URL"], region_name=environ["AWS_REGION"],
                       aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
                       aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"])  # fmt: skip
    tools = ("ecr-widgets", "aws ecs wait services-stable", "ecs deploy")
    tries = []
    for failure in FAILURES:
        for tool in tools:
            name = f"{failure.name}-{tool.split(maxsplit=1)[0]}-{number}".replace(" ", "-")
            bad = {key: _filled(value, registry) for key, value in failure.container.items()}
            for container in (GOOD, GOOD | bad):
                ecs.register_task_definition(family=name, containerDefinitions=[container])
            ecs.create_service(cluster="demo", serviceName=name, taskDefinition=f"{name}:1", desiredCount=1)
            tries.append((tool, failure, name))
    pace = {"Delay": 1, "MaxAttempts": 120}
    for _, _, name in tries:
        ecs.get_waiter("services_stable").wait(cluster="demo", services=[name], WaiterConfig=pace)
    with ThreadPoolExecutor(len(tries)) as pool:
        ended = []
        for start in range(0, len(tries), len(tools)):
            at_once = [
                pool.submit(_timed, tool, failure, name, environ, ecs_deploy)
                for tool, failure, name in tries[start : start + len(tools)]
            ]
            at_once[0].result()
            ended += at_once
    for _, _, name in tries:
        ecs.delete_service(cluster="demo", service=name, force=True)
    return [each.result() for each in ended]


def _filled(value: Any, registry: str) -> Any:
    return value.format(registry=registry) if isinstance(value, str) else value


def _timed(tool: str, failure: Failure, name: str, environ: dict[str, str], ecs_deploy: Path) -> Known:
    bad = f"{name}:2"
    words: dict[str, list[list[str | Path]]] = {
        "ecr-widgets": [[BIN / "ecr-widgets", "service", "deploy", "ecs:demo", name, bad]],
        "aws ecs wait services-stable": [
            [
                BIN / "aws",
                "ecs",
                "update-service",
                "--cluster",
                "demo",
                "--service",
                name,
                "--task-definition",
                bad,
            ],
            [BIN / "aws", "ecs", "wait", "services-stable", "--cluster", "demo", "--services", name],
        ],
        "ecs deploy": [[ecs_deploy, "deploy", "demo", name, "--task", bad, "--no-deregister"]],
    }
    started_s, said, code = time.monotonic(), "", 0
    for each in words[tool]:
        left_s = max(LONGEST_S - (time.monotonic() - started_s), 0.1)
        try:
            done = subprocess.run(
                each, env=environ, capture_output=True, text=True, check=False, timeout=left_s
            )
        except subprocess.TimeoutExpired:
            return Known(tool, failure.name, LONGEST_S, knows=False)
        said, code = said + done.stdout + done.stderr, done.returncode
    seconds = time.monotonic() - started_s
    knows = code != 0 and failure.reason in said
    print(
        f"  {failure.name}, {tool}: {seconds:.1f} s, {'the reason' if knows else 'no reason'}",
        file=sys.stderr,
    )
    if tool == "ecr-widgets" and not knows:
        raise SystemExit(
            f"ecr-widgets ended with {code} and without the reason of {failure.name!r}: {said[-2000:]}"
        )
    return Known(tool, failure.name, seconds, knows)
