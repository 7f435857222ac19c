"""Part C on Layer0: answers that are none, jobs that go nowhere, services that never run, and a way back that is gone."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    Layer0Error,
    OutcomeUnknown,
    WaitTimeout,
)
from ecr_widgets.model.layer0 import JobState
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.model.record import StepRecord
from ecr_widgets.settings import Layer0Settings, Settings
from ecr_widgets.steps.shared.layer0_jobs import wait_for_job
from ecr_widgets.steps.shared.service_wait import wait_for_service
from tests.audit.runs import records_of
from tests.fakes import FakeClock, World
from tests.faults import forked
from tests.faults.books import BIN, Ran, write_book
from tests.faults.plan import Attempt, row
from tests.faults.rows.replies import ask_layer0, environ_of, moves
from tests.ports import free_port
from tests.sandbox.layer0.served import TOKEN, serve
from tests.sandbox.workloads.fake_containers import FakeContainers
from tests.unit.adapters.scripted import RESET, answering, http

ECHO = f"Authorization: Basic {TOKEN} ".encode()
PLAIN = "text/plain; charset=utf-8"
LARGEST = 8 * 1024 * 1024
BROKEN: dict[str, Callable[[], bytes]] = {
    "500": lambda: http(500, b'{"error_code": 21, "message": "AWS Error: ' + ECHO * 99 + b'"}', label=PLAIN),
    "500 text": lambda: http(500, b"recover from panic situation: " + ECHO * 99, label=PLAIN),
    "502": lambda: http(502, b"<html>" + ECHO * 99, label="text/html"),
    "503": lambda: http(503, b'{"error_code": 20, "message": "Throttled"}', label=PLAIN),
    "504": lambda: http(504, b"<html>time-out</html>", label="text/html"),
    "html": lambda: http(200, b"<html>log in " + ECHO + b"</html>", label="text/html"),
    "empty": lambda: http(200),
    "truncated": lambda: http(200, b'{"deploy_id": "d.1", "deplo'),
    "number": lambda: http(200, b"42"),
    "redirect": lambda: http(301, b'""', more={"Location": "http://127.0.0.1/deploy"}),
    "label": lambda: http(200, b"deploy_id=d.1", label="application/x-www-form-urlencoded"),
    "error in 200": lambda: http(200, b'{"error_code": 21, "message": "no"}'),
    "huge": lambda: http(200, b"[" + b" " * (LARGEST + 1) + b"]"),
    "endless": lambda: http(200, b"[" + b" " * (LARGEST + 1), length=100 * 1024 * 1024),
    "reset": lambda: RESET,
}
READS: list[Callable[[Layer0Api], object]] = [
    lambda api: api.read_deploy("d.1"),
    lambda api: api.read_service("s"),
    lambda api: api.read_job("j"),
    lambda api: api.list_services(),
]
CHANGES: list[Callable[[Layer0Api], object]] = [
    lambda api: api.create_deploy("d", b"{}"),
    lambda api: api.create_service("e", "s", "d.1"),
    lambda api: api.scale_service("s", 2),
    lambda api: api.create_environment("e"),
    lambda api: api.delete_service("s"),
]


def _broken(at: Attempt, *, naive: bool) -> None:
    kind = at.rng.choice(sorted(BROKEN))
    is_change = at.rng.random() < 0.5
    call = at.rng.choice(CHANGES if is_change else READS)
    with answering(BROKEN[kind]()) as server:
        try:
            if naive:
                with urllib.request.urlopen(f"{server.url}/deploy/d.1", timeout=5) as answer:
                    json.loads(answer.read())["deploy_id"]
            else:
                found = call(Layer0Api(Layer0Settings(server.url, TOKEN)))
                # A deletion's answer is empty but for its headers; nothing else gets through.
                raise AssertionError(f"{kind} was taken for {found!r}")
        except EcrWidgetsError as error:
            told = str(error)
            assert len(told) < 1500, f"{len(told)} characters"
            assert TOKEN not in told, told
            assert isinstance(error, (Layer0Error, OutcomeUnknown)), type(error)
            asked = len(server.asked)
            assert asked == 1 if is_change else asked <= 4, f"{kind}: asked {asked} times"
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AssertionError(f"{kind}: {type(error).__name__}") from error


@row(
    39,
    "Layer0 answers 5xx, HTML, nothing, half, too much, a redirect or another shape",
    tries=300,
    quick=20,
    control=lambda at: _broken(at, naive=True),
)
def broken(at: Attempt) -> None:
    """A typed error, short, without the token; reads are tried four times at most, changes once."""
    _broken(at, naive=False)


def _job(state: int, **more: object) -> bytes:
    return http(200, json.dumps({"job_id": "j", "job_status": state, "task_id": "run", **more}).encode())


def _ending(at: Attempt, *, naive: bool) -> None:
    how = at.rng.choice(["never", "vanishes", "fails"]) if not naive else "fails"
    looks = at.rng.randrange(1, 6)
    answers = [_job(at.rng.choice([1, 2])) for _ in range(looks)]
    log = http(200, b'[{"name": "l0-job", "lines": ["looking for room", "Error: no room"]}]')
    answers += {
        "never": [_job(2)],
        "vanishes": [http(404, b'{"error_code": 25, "message": "gone"}', label=PLAIN)],
        "fails": [_job(4), log],
    }[how]
    with answering(*answers) as server:
        api = Layer0Api(Layer0Settings(server.url, TOKEN))
        raised: EcrWidgetsError | None = None
        if naive:
            # What scripts do: the job is over when it is no longer at work, and over is done.
            while api.read_job("j").state in (JobState.PENDING, JobState.IN_PROGRESS):
                pass
        else:
            try:
                wait_for_job(api, FakeClock(World()), "j", what="deletion", timeout_s=120)
            except EcrWidgetsError as error:
                raised = error
        expected = {"never": WaitTimeout, "vanishes": OutcomeUnknown, "fails": DeploymentFailed}[how]
        assert isinstance(raised, expected), f"{how} gave {raised!r}"
        assert len(server.asked) < 100
        if isinstance(raised, DeploymentFailed):
            told = (raised.message.rpartition(": ")[2], raised.reasons)
            assert told == ("no room", ("looking for room", "Error: no room")), told


@row(
    41,
    "a job never ends, vanishes or fails late",
    tries=60,
    quick=6,
    control=lambda at: _ending(at, naive=True),
)
def ending(at: Attempt) -> None:
    """Waiting is bounded, an end that nobody knows is told as unknown, a failure with the job's own log."""
    _ending(at, naive=False)


def _dockerrun(command: str, image: str = "busybox") -> bytes:
    container = {
        "name": "web",
        "image": image,
        "memory": 16,
        "command": ["sh", "-c", command],
        "portMappings": [{"hostPort": 80, "containerPort": 8080}],
    }
    return json.dumps({"containerDefinitions": [container]}).encode()


SERVING = "mkdir -p /www && echo ok > /www/index.html && exec httpd -f -p 8080 -h /www"
BAD = [("echo cannot start; exit 1", "busybox"), (SERVING, "127.0.0.1:1/nobody/nothing:1")]


@contextmanager
def _probing(port: int) -> Iterator[list[float]]:
    """Ask again and again; gives the lengths of silences, in seconds."""
    silences: list[float] = []
    over = threading.Event()

    def probe() -> None:
        silent_since: float | None = None
        while not over.wait(0.05):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                    answer.read()
            except OSError:
                silent_since = silent_since or time.monotonic()
            else:
                if silent_since is not None:
                    silences.append(time.monotonic() - silent_since)
                silent_since = None
        if silent_since is not None:
            silences.append(time.monotonic() - silent_since)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield silences
    finally:
        over.set()
        thread.join()


def _never_healthy(at: Attempt, *, back: bool) -> None:
    settings = Settings.from_environment(at.sandbox().environ({})).layer0
    assert settings is not None
    api, clock = Layer0Api(settings), SystemClock()
    name = f"never{at.rng.randrange(10**6)}"
    demo = api.find_environment("demo")
    assert demo is not None
    port = free_port()
    check = HealthCheck("HTTP:80/", interval=5, timeout=2)
    balancer = api.create_load_balancer(
        demo.environment_id, name, [Port(port, 80, "HTTP")], health_check=check
    )
    try:
        good = api.create_deploy(name, _dockerrun(SERVING))
        bad = api.create_deploy(name, _dockerrun(*at.rng.choice(BAD)))
        service = api.create_service(
            demo.environment_id, name, good.deploy_id, load_balancer_id=balancer.load_balancer_id
        )
        wait_for_service(api, clock, service.service_id, deploy_id=good.deploy_id, timeout_s=60)
        _until_served(port)
        before = moves(at.sandbox(), service.service_id)
        with _probing(port) as silences:
            ran = _deploy(at, name, bad.deploy_id, "rollback" if back else "stop")
        moved = moves(at.sandbox(), service.service_id) - before
        assert moved == 2, f"{moved} moves, and there and back are two"
        _told(
            ran,
            exit_code=1,
            steps=[("update_service", "succeeded"), ("wait", "failed"), ("rollback", "succeeded")],
        )
        assert (_record(ran, "wait").error or {})["reasons"]
        assert _record(ran, "rollback").outcome["deploy_id"] == good.deploy_id
        standing = ask_layer0(at, f"/service/{service.service_id}")["deployments"]
        primary = next(each["deploy_id"] for each in standing if each["status"] == "PRIMARY")
        assert primary == good.deploy_id, f"it stands on {primary}"
        assert max(silences, default=0.0) < check.interval, silences
        api.delete_service(service.service_id)
    finally:
        api.delete_load_balancer(balancer.load_balancer_id)


DEPLOY = """
from ecr_widgets import connect
kit = connect()
kit.check_target(environment="demo", service={service!r})
running = kit.deploy_service("demo", {service!r}, {deploy_id!r})
kit.wait(running, timeout_s=60, on_failure={on_failure!r})
"""


def _deploy(at: Attempt, service: str, deploy_id: str, on_failure: str, **environ: str) -> Ran:
    """A run that brings a service to a stored deploy, as our command ends it."""
    book = write_book(at.folder, [DEPLOY.format(service=service, deploy_id=deploy_id, on_failure=on_failure)])
    done = forked.run(
        [BIN / "ecr-widgets", "run", book, "--runs", at.folder / "runs"],
        env=environ_of(at) | environ,
        cwd=at.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    (saved,) = (at.folder / "runs").glob("*.ipynb")
    return Ran(done.returncode, done.stdout, done.stderr, saved)


def _told(ran: Ran, *, exit_code: int, steps: list[tuple[str, str]]) -> None:
    """The exit code, and each change as a recorded step, after the look at the target."""
    told = [(each.step, each.state) for each in records_of(ran.saved)]
    assert told == [("check_target", "succeeded"), *steps], told
    assert ran.exit_code == exit_code, f"{ran.exit_code}: {ran.stderr[-300:]}"


def _record(ran: Ran, step: str) -> StepRecord:
    """The one record of a step."""
    (record,) = [each for each in records_of(ran.saved) if each.step == step]
    return record


def _until_served(port: int) -> None:
    for _ in range(400):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("never served")


@row(
    42,
    "a service never gets healthy on its new deploy",
    tries=50,
    quick=1,
    control=lambda at: _never_healthy(at, back=False),
)
def never_healthy(at: Attempt) -> None:
    """The run fails with reasons, the way back is a recorded step of its own, and the old copies serve all the while."""
    _never_healthy(at, back=True)


def _no_way_back(at: Attempt, *, breaks: bool) -> None:
    asked: list[dict[str, Any]] = []
    with serve(FakeContainers(exit_codes={"bad": 1}), journal=asked.append) as served:
        good, bad = (
            served.value("POST", "/deploy/", deploy_name="d", dockerrun=_encoded(image))["deploy_id"]
            for image in ("good", "bad")
        )
        (demo,) = [
            each["environment_id"]
            for each in served.value("GET", "/environment/")
            if each["environment_name"] == "demo"
        ]
        service = served.value(
            "POST", "/service/", environment_id=demo, service_name="s", deploy_id=good, load_balancer_id=""
        )["service_id"]
        if breaks:
            served.value("DELETE", f"/deploy/{good}")
        del asked[:]
        ran = _deploy(
            at, "s", bad, "rollback", LAYER0_API_ENDPOINT=served.url, LAYER0_AUTH_TOKEN=served.token
        )
        standing = served.value("GET", f"/service/{service}")["deployments"]
        primary = next(each["deploy_id"] for each in standing if each["status"] == "PRIMARY")
    _told(
        ran, exit_code=6, steps=[("update_service", "succeeded"), ("wait", "failed"), ("rollback", "failed")]
    )
    error = _record(ran, "rollback").error or {}
    assert (error["type"], good in error["message"], "by hand" in error["hint"]) == (
        "RollbackFailed",
        True,
        True,
    )
    assert [each["method"] for each in asked] == ["PUT", "PUT"], f"there, and back once: {asked}"
    assert primary == bad, f"it stands on {primary}"


def _encoded(image: str) -> str:
    container = {"name": "a", "image": image, "memory": 10}
    return base64.b64encode(json.dumps({"containerDefinitions": [container]}).encode()).decode()


@row(
    43,
    "the rollback itself fails: the deploy to go back to is gone",
    tries=30,
    quick=1,
    control=lambda at: _no_way_back(at, breaks=False),
)
def no_way_back(at: Attempt) -> None:
    """A recorded step with what to do by hand, and an exit code of its own; nothing is tried in a loop."""
    _no_way_back(at, breaks=True)
