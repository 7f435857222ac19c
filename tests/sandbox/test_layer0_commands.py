"""The thin Layer0 verbs, on the sandbox."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.settings import Settings
from tests import ours
from tests.ports import free_port


class Commands:
    """Runs `ecr-widgets` against the sandbox."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._environ = environ | {"XDG_STATE_HOME": str(folder)}
        self._folder = folder

    def __call__(self, *words: str, code: int = 0) -> str:
        done = ours.call(*words, environ=self._environ, cwd=self._folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def json(self, *words: str):
        return json.loads(self(*words, "--json"))


@pytest.fixture
def command(sandbox_environ: dict[str, str], tmp_path: Path) -> Commands:
    return Commands(sandbox_environ, tmp_path)


@pytest.fixture
def layer0(sandbox_environ: dict[str, str]) -> Layer0Api:
    settings = Settings.from_environment(sandbox_environ).layer0
    assert settings is not None
    return Layer0Api(settings)


def store(layer0: Layer0Api, name: str, command: str) -> str:
    container = {"name": "main", "image": "busybox", "memory": 10, "command": ["sh", "-c", command]}
    document = json.dumps({"containerDefinitions": [container]}).encode()
    return layer0.create_deploy(name, document).deploy_id


def test_a_service_is_listed_scaled_shown_and_deleted(command: Commands, layer0: Layer0Api) -> None:
    """With tables for people, one JSON document for programs, and our exit codes."""
    demo = layer0.find_environment("demo")
    assert demo is not None
    layer0.create_service(demo.environment_id, "verbs", store(layer0, "verbs", "echo here; sleep 60"))
    assert "verbs" in command("service", "list", "demo")
    done = command.json("service", "scale", "demo", "verbs", "2")
    assert (done["desired_count"], done["running_count"], done["changed"]) == (2, 2, True)
    assert command("service", "show", "demo", "verbs").startswith("verbs (verbs")
    lines = command.json("logs", "demo", "verbs")
    assert sorted((line["source"], line["text"]) for line in lines) == [("main", "here"), ("main-2", "here")]
    assert command("service", "delete", "demo", "verbs") == "verbs: deleted\n"
    assert command.json("service", "delete", "demo", "verbs")["changed"] is False
    assert "does not exist" in command("service", "show", "demo", "verbs", code=1)
    assert "refused" in command("service", "scale", "demo", "verbs", "100000", code=2)


def test_a_task_is_run_by_its_deploys_name_and_judged_by_its_exit_code(
    command: Commands, layer0: Layer0Api
) -> None:
    """Values may hold what `l0` cannot write; a container that fails makes the command fail."""
    store(layer0, "verb-task", "echo $GREETING; exit $CODE")
    words = ("task", "run", "demo", "verb-task", "verb-task")
    told = command(*words, "--env", "main:CODE=0", "--env", "main:GREETING=a=b:c")
    assert told.startswith("main: a=b:c\n")
    failed = command(*words, "--env", "main:CODE=3", code=1)
    assert "main with code 3" in failed
    assert "refused" in command(*words, "--env", "CODE=3", code=2)
    tasks = [each for each in command.json("task", "list", "demo") if each["name"] == "verb-task"]
    assert len(tasks) == 2
    shown = {command.json("task", "show", each["entity_id"])["containers"][0]["exit_code"] for each in tasks}
    assert shown == {0, 3}
    assert "use an id" in command("logs", "demo", "verb-task", code=2)
    for each in tasks:
        command("task", "delete", each["entity_id"])
    assert "verb-task" not in command("task", "list")


def test_a_tasks_log_is_followed_to_its_end(command: Commands, layer0: Layer0Api) -> None:
    """Lines come as they are written, and the command ends when the task does."""
    store(layer0, "verb-follow", "for n in 1 2 3; do echo $n; sleep 1; done")
    command("task", "run", "demo", "verb-follow", "verb-follow", "--no-wait")
    assert command("logs", "demo", "verb-follow", "--follow") == "[main] 1\n[main] 2\n[main] 3\n"


@pytest.mark.parametrize(
    ("image", "entry", "reason"),
    [("nosuch:1", ["sh"], "CannotPullContainerError"), ("busybox", ["nosuch"], "CannotStartContainerError")],
)
def test_a_task_that_cannot_be_started_failed(
    command: Commands, layer0: Layer0Api, image: str, entry: list[str], reason: str
) -> None:
    """The engine's own word is told, and no exit code of what never ran."""
    container = {"name": "main", "image": image, "memory": 10, "entryPoint": entry}
    document = json.dumps({"containerDefinitions": [container]}).encode()
    deploy_id = layer0.create_deploy("verb-never", document).deploy_id
    told = command("task", "run", "demo", "verb-never", deploy_id, code=1)
    assert "main never ran" in told
    assert reason in told
    (task,) = [each for each in command.json("task", "list", "demo") if each["name"] == "verb-never"]
    shown = command.json("task", "show", task["entity_id"])
    assert (shown["containers"][0]["exit_code"], reason in shown["reason"]) == (None, True)
    command("task", "delete", task["entity_id"])


def test_a_service_answers_behind_its_load_balancer(command: Commands, layer0: Layer0Api) -> None:
    """Made with two commands, it is reached through the balancer's port."""
    page = "mkdir /www; echo served > /www/index.html; exec httpd -f -p 8080 -h /www"
    container = {
        "name": "main",
        "image": "busybox",
        "memory": 10,
        "command": ["sh", "-c", page],
        "portMappings": [{"containerPort": 8080, "hostPort": 80}],
    }
    layer0.create_deploy("verb-web", json.dumps({"containerDefinitions": [container]}).encode())
    port = free_port()
    command(
        *("loadbalancer", "create", "demo", "verb-front", "--port", f"{port}:80/http"),
        *("--check", "HTTP:80/", "--check-interval", "5", "--check-timeout", "2"),
    )
    command("service", "deploy", "demo", "verb-web", "verb-web", "--load-balancer", "verb-front")
    deadline_s = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                assert answer.read() == b"served\n"
            break
        except OSError:
            assert time.monotonic() < deadline_s
    command("service", "delete", "demo", "verb-web")
    command("loadbalancer", "delete", "demo", "verb-front")
