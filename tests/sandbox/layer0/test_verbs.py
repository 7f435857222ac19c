"""The thin verbs for what Layer0 keeps, on a served Layer0 with containers in memory."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main
from tests.sandbox.layer0.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

BIN = Path(sys.executable).parent
Say = Callable[..., str]


@pytest.fixture
def served() -> Iterator[Served]:
    with serve(FakeContainers(missing={"absent"})) as each:
        yield each


@pytest.fixture
def say(served: Served, tmp_path: Path) -> Say:
    """Runs a command; gives its stdout, or stderr where another exit code is expected."""
    environ = {
        "LAYER0_API_ENDPOINT": served.url,
        "LAYER0_AUTH_TOKEN": served.token,
        "XDG_STATE_HOME": str(tmp_path),
    }

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner(env=environ).invoke(main, words)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 or "--json" in words else done.stderr

    return run


def stored(served: Served, name: str, image: str = "busybox", **more: object) -> str:
    container = {"name": "a", "image": image, "memory": 10, **more}
    text = json.dumps({"containerDefinitions": [container]})
    made = served.value("POST", "/deploy", deploy_name=name, dockerrun=_base64(text))
    return str(made["deploy_id"])


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def told(say: Say, *words: str, code: int = 0) -> Any:
    return json.loads(say(*words, "--json", code=code))


def test_an_environment_is_made_sized_linked_and_deleted(say: Say, tmp_path: Path) -> None:
    """Each twice, and the second time nothing changes."""
    script = tmp_path / "user-data.sh"
    script.write_text("#!/bin/sh\n")
    words = (
        "environment",
        "create",
        "prod",
        "--min-count",
        "1",
        "--max-count",
        "3",
        "--user-data",
        str(script),
    )
    assert [told(say, *words)["changed"] for _ in "ab"] == [True, False]
    assert [told(say, "environment", "size", "prod", "2")["changed"] for _ in "ab"] == [True, False]
    shown = told(say, "environment", "show", "prod")
    assert (shown["min_count"], shown["max_count"]) == (2, 3)
    assert [told(say, "environment", "link", "prod", "demo")["changed"] for _ in "ab"] == [True, False]
    assert "linked with demo" in say("environment", "show", "prod")
    assert told(say, "environment", "unlink", "prod", "demo")["changed"]
    assert {each["name"] for each in told(say, "environment", "list")} == {"api", "demo", "prod"}
    assert say("environment", "delete", "prod") == "prod: deleted\n"
    assert say("environment", "delete", "prod") == "prod: did not exist\n"
    refused = say("environment", "create", "x", "--min-count", "3", "--max-count", "2", code=2)
    assert "3 to 2 instances refused" in refused


def test_a_service_is_created_behind_a_balancer_that_can_reach_it(say: Say, served: Served) -> None:
    """Host ports are compared before anything is posted; a service keeps its balancer for life."""
    stored(served, "web", portMappings=[{"containerPort": 80, "hostPort": 18081}])
    stored(served, "deaf", portMappings=[{"containerPort": 80, "hostPort": 18099}])
    words = (
        "loadbalancer",
        "create",
        "demo",
        "front",
        "--port",
        "18080:18081/http",
        "--check",
        "HTTP:18081/",
    )
    assert [told(say, *words)["changed"] for _ in "ab"] == [True, False]
    assert told(say, *words, "--no-cross-zone")["changed"]
    assert "18080 to host port 18081, HTTP" in say("loadbalancer", "show", "demo", "front")
    behind = ("--load-balancer", "front", "--no-wait")
    refused = say("service", "deploy", "demo", "s", "deaf", *behind, code=2)
    assert "forwards to host port 18081, and the Dockerrun listens on 18099" in refused
    assert served.value("GET", "/tag?type=service&fuzz=s") == []
    assert told(say, "service", "deploy", "demo", "s", "web", *behind)["changed"]
    shown = told(say, "loadbalancer", "show", "demo", "front")
    assert shown["service_id"] == told(say, "service", "show", "demo", "s")["service_id"]
    say("loadbalancer", "create", "demo", "other", "--port", "18082:18081", "--check", "TCP:18081")
    refused = say("service", "deploy", "demo", "s", "web", "--load-balancer", "other", code=1)
    assert "is behind load balancer" in refused
    assert "does not exist" in say("service", "deploy", "demo", "t", "web", "--load-balancer", "no", code=1)
    assert say("service", "delete", "demo", "s") == "s: deleted\n"
    assert say("loadbalancer", "delete", "demo", "front") == "front: deleted\n"
    assert [each["name"] for each in told(say, "loadbalancer", "list", "demo")] == ["other"]


def test_the_deploy_command_looks_at_ports_before_it_stores_anything(
    say: Say, served: Served, tmp_path: Path
) -> None:
    """A Dockerrun that the balancer cannot reach is not stored."""
    say("loadbalancer", "create", "demo", "front", "--port", "18080:18081/http", "--check", "TCP:18081")
    path = tmp_path / "Dockerrun.aws.json"
    path.write_text(json.dumps({"containerDefinitions": [{"name": "a", "image": "x", "memory": 10}]}))
    # No registry is set up here, so anything after the port check would fail with another error.
    words = ("deploy", "demo", "s", "web:1", str(path), "--load-balancer", "front")
    assert "listens on none" in say(*words, code=2)
    assert served.value("GET", "/tag?type=deploy&fuzz=s") == []


def test_deploys_are_listed_shown_and_deleted(say: Say, served: Served) -> None:
    """The latest of each name, all of one, and a deletion names its version."""
    for name in ("one", "two", "two"):
        stored(served, name)
    assert [each["deploy_id"] for each in told(say, "deploys", "list")] == ["one.1", "two.2"]
    assert [each["deploy_id"] for each in told(say, "deploys", "list", "two")] == ["two.1", "two.2"]
    assert "containerDefinitions" in say("deploys", "show", "two")
    assert "say which version" in say("deploys", "delete", "two", code=2)
    assert [told(say, "deploys", "delete", "two:1")["changed"] for _ in "ab"] == [True, False]
    assert [each["deploy_id"] for each in told(say, "deploys", "list", "two")] == ["two.2"]


def test_jobs_are_listed_and_say_why_they_failed(say: Say, served: Served) -> None:
    """The log is found by the job's id; runners are in the list of tasks for those who want them."""
    job_id = served.value("DELETE", "/service/nobody123456")
    while told(say, "job", "show", job_id)["state"] not in ("error", "completed"):
        pass
    assert "Service nobody123456 does not exist" in say("job", "logs", job_id)
    assert [each["job_id"] for each in told(say, "job", "list")] == [job_id]
    assert told(say, "task", "list") == []
    assert [each["name"] for each in told(say, "task", "list", "--all")] == [job_id]
    assert [told(say, "job", "delete", job_id)["changed"] for _ in "ab"] == [True, False]


def test_a_failure_is_one_json_document_too(say: Say, served: Served) -> None:
    """Programs find type, exit code and reasons on stdout; people read stderr as always."""
    stored(served, "never", "absent")
    error = told(say, "task", "run", "demo", "t", "never", code=1)["error"]
    assert (error["type"], error["exit_code"]) == ("DeploymentFailed", 1)
    assert "a never ran" in error["message"]
    assert "CannotPullContainerError" in error["reasons"][0]
    assert told(say, "service", "scale", "demo", "x", "100000", code=2)["error"]["type"] == "InputError"
    assert "stopped and never ran" in say("task", "show", told(say, "task", "list", "demo")[0]["entity_id"])


def test_a_layer0_is_looked_at_as_such(say: Say) -> None:
    """Health, version and set-up, the scaler, and its own tags."""
    shown = told(say, "admin", "show")
    assert (shown["healthy"], shown["version"], shown["config"]["prefix"]) == (True, "v0.12.6", "local")
    assert "is healthy" in say("admin", "show")
    assert told(say, "admin", "scale", "demo")["after"] == 1
    assert "restored" in say("admin", "restore-tags")


def test_a_version_is_warned_of_in_one_line(tmp_path: Path) -> None:
    """No path and no line of our source is shown, and also a deletion, which reads first, is warned of."""
    with serve(FakeContainers(), version="v13.0.0") as other:
        environ = {
            "LAYER0_API_ENDPOINT": other.url,
            "LAYER0_AUTH_TOKEN": other.token,
            "XDG_STATE_HOME": str(tmp_path),
        }
        stored(other, "one")
        # In a separate process, as warnings are errors in this one.
        done = subprocess.run(
            [BIN / "ecr-widgets", "deploys", "delete", "one.1"],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            check=True,
        )
    (line,) = [each for each in done.stderr.splitlines() if "v13.0.0" in each]
    assert line.startswith("ecr-widgets: warning: Layer0 v13.0.0 is newer by its number")
    assert ".py" not in done.stderr
