"""Part B and C on the sandbox: a release that is killed, and replies of Layer0 that get lost."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import urllib3

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.model.record import StepRecord
from ecr_widgets.sandbox import Sandbox
from ecr_widgets.settings import Settings
from tests.audit.runs import records_of
from tests.faults import forked
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row
from tests.sandbox.cells import run_cells


def environ_of(at: Attempt, **more: str) -> dict[str, str]:
    """The sandbox's variables, with nothing of this user's own."""
    return (
        at.sandbox().environ(
            {
                **os.environ,
                "AWS_CONFIG_FILE": str(at.folder / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(at.folder / "none"),
                "AWS_EC2_METADATA_DISABLED": "true",
                "DOCKER_CONFIG": str(at.folder / "docker"),
                "XDG_STATE_HOME": str(at.folder / "state"),
                # What a run keeps while it lives goes with the try, whatever was killed.
                "TMPDIR": str(at.folder),
            }
        )
        | more
    )


def words_of(at: Attempt, name: str) -> list[str | Path]:
    """A release into a repository, a deploy and a service of that name."""
    pairs = [word for pair in _release(name).items() for word in ("-p", *pair)]
    return [BIN / "ecr-widgets", "run", "release", "--json", "--runs", at.folder / "runs", *pairs]


def released(at: Attempt, name: str) -> list[StepRecord]:
    """The records of the same release, its cells run in this process: where nobody is killed, and no file is looked at."""
    return run_cells("release", environ_of(at), at.folder, **_release(name))


def _release(name: str) -> dict[str, str]:
    return {"repository": f"faults/{name}", "deploy": name, "service": name, "local_name": f"faults/{name}"}


def made(sandbox: Sandbox, name: str) -> tuple[int, int]:
    """How many deploys and how many services of that name Layer0 was told to make, and made."""
    asked = _posts(sandbox)
    deploys = [each for each in asked if each.get("deploy_id", "").startswith(f"{name}.")]
    # A service's id begins with the first characters of its name.
    services = [each for each in asked if each.get("service_id", "").startswith(name)]
    return len(deploys), len(services)


def moves(sandbox: Sandbox, name: str) -> int:
    """How often Layer0 was told to move the service of that name to another deploy, and did."""
    return sum(
        each["method"] == "PUT" and each["status"] == 200 and each["path"].strip("/").endswith("/deploy")
        for each in layer0_journal(sandbox)
        if each.get("service_id", "").startswith(name)
    )


def tasks(sandbox: Sandbox) -> int:
    """How many tasks Layer0 took on."""
    return sum(each["path"].startswith("/task") and each["status"] == 202 for each in _posts(sandbox))


def journal(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the sandbox's servers were asked to change, by their own account."""
    lines = (sandbox.status().folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def layer0_journal(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What of it is Layer0's."""
    return [each for each in journal(sandbox) if each["server"] == "layer0"]


def pushed(sandbox: Sandbox, name: str) -> set[str]:
    """Digests that were put into the repository of that name."""
    entries = (each for each in journal(sandbox) if each["server"] == "registry")
    return {each["digest"] for each in entries if f"/faults/{name}/" in each.get("path", "")}


def _posts(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [each for each in layer0_journal(sandbox) if each["method"] == "POST"]


def short_name(at: Attempt) -> str:
    """Seven characters that no other try has."""
    return at.rng.choice("klmnop") + "".join(
        at.rng.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(6)
    )


def _again_blindly(at: Attempt) -> None:
    """A release and then again, without its look at what stands."""
    name = short_name(at)
    with mock.patch.object(Layer0Api, "list_deploys", return_value=()):
        for _ in range(2):
            released(at, name)
    tidy(at, name)
    assert made(at.sandbox(), name) == (1, 1), f"{made(at.sandbox(), name)} deploys and services were made"


def _killed(at: Attempt, *, resumes: bool) -> None:
    name = short_name(at)
    environ = environ_of(at)
    process = subprocess.Popen(
        words_of(at, name),
        env=environ,
        cwd=at.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(0.3 + at.rng.random() * 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    saved = list((at.folder / "runs").glob("*.ipynb"))
    words = [*words_of(at, name), "--wait", "30"]
    for path in saved:
        told = json.loads(path.read_text())
        state = told["metadata"]["ecr_widgets"]["state"]
        # A kill after the last write, while the run is sealed, leaves a success.
        assert state in ("succeeded", "running")[: 1 if process.returncode == 0 else 2], state
        _tells_the_truth(at, name, told)
        if resumes and state == "running":
            run_id = told["metadata"]["ecr_widgets"]["run_id"]
            words = [BIN / "ecr-widgets", "run", "--json", "--runs", at.folder / "runs"]
            words += ["--resume", run_id, "--wait", "30"]
    done = forked.run(words, env=environ, cwd=at.folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-500:]} {done.stdout[-300:]}"
    ended = json.loads(done.stdout)
    assert ended["state"] == "succeeded"
    assert made(at.sandbox(), name) == (1, 1), f"{made(at.sandbox(), name)} deploys and services were made"
    _runs_what_was_pushed(at, name)
    before = journal(at.sandbox())
    changed = [each.step for each in released(at, name) if each.changed]
    assert changed == [], changed
    assert journal(at.sandbox()) == before, "the third run changed something"
    tidy(at, name)


def _tells_the_truth(at: Attempt, name: str, notebook: dict[str, Any]) -> None:
    """What a server was asked for has its record, and what a record calls done, a server was asked for."""
    states = {record.step: record.state for record in records_of(notebook)}
    deploys, services = made(at.sandbox(), name)
    done = {
        "push_image": len(pushed(at.sandbox(), name)),
        "create_deploy": deploys,
        "create_service": services,
    }
    for step, times in done.items():
        assert not times or step in states, f"{step} was done and has no record"
        assert times or states.get(step) != "succeeded", f"{step} is called done and was not"


def _runs_what_was_pushed(at: Attempt, name: str) -> None:
    """One digest was ever pushed, and the service's one deployment names it: by the servers alone."""
    (digest,) = pushed(at.sandbox(), name)
    (service_id,) = {
        each["service_id"]
        for each in layer0_journal(at.sandbox())
        if each.get("service_id", "").startswith(name)
    }
    (deployment,) = [
        each for each in ask_layer0(at, f"/service/{service_id}")["deployments"] if each["running_count"]
    ]
    dockerrun = base64.b64decode(ask_layer0(at, f"/deploy/{deployment['deploy_id']}")["dockerrun"]).decode()
    # Layer0 spells the members as it likes; the one image in it is what counts.
    images = re.findall(r"[^\"]+@sha256:[0-9a-f]+", dockerrun)
    assert [each.rpartition("/faults/")[2] for each in images] == [f"{name}@{digest}"], (
        f"{images} run, not {digest}"
    )


def ask_layer0(at: Attempt, path: str) -> Any:
    """What Layer0 itself tells, without any client of ours."""
    environ = environ_of(at)
    headers = {"Authorization": f"Basic {environ['LAYER0_AUTH_TOKEN']}"}
    with urllib3.PoolManager() as http:
        answer = http.request("GET", environ["LAYER0_API_ENDPOINT"] + path, headers=headers)
    assert answer.status == 200, f"{path}: {answer.status}"
    return answer.json()


def tidy(at: Attempt, name: str) -> None:
    # A service keeps its container and address; there is room for about 250 of them.
    settings = Settings.from_environment(at.sandbox().environ({})).layer0
    assert settings is not None
    api = Layer0Api(settings)
    demo = api.find_environment("demo")
    assert demo is not None
    service = api.find_service(demo.environment_id, name)
    assert service is not None
    api.delete_service(service.service_id)


def other_dockerrun(at: Attempt) -> Path:
    """A Dockerrun of another content than the shipped one."""
    path = at.folder / "other.json"
    container = {
        "name": "timeout",
        "image": "x",
        "memory": 11,
        "environment": [{"name": "SLEEP_TIME", "value": "60"}],
    }
    path.write_text(json.dumps({"containerDefinitions": [container]}))
    return path


@row(
    16,
    "SIGKILL of a whole release at a random time, then again or --resume",
    tries=300,
    quick=1,
    control=_again_blindly,
)
def killed(at: Attempt) -> None:
    """The file tells the truth; in the end there is one deploy of that content and one service; a third run changes nothing."""
    _killed(at, resumes=bool(at.seed % 2))


@contextmanager
def losing(endpoint: str, lost: set[tuple[str, str]]) -> Iterator[tuple[str, set[tuple[str, str]]]]:
    """Layer0 behind a proxy that passes on each change and cuts the line instead of its first reply.

    Gives its address, and the kinds of change whose reply it cut so far.
    """
    http = urllib3.PoolManager()
    cut: set[tuple[str, str]] = set()
    lock = threading.Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("host", "connection")
            }
            answer = http.request(
                self.command, endpoint + self.path, body=body, headers=headers, redirect=False
            )
            kind = (self.command, self.path.strip("/").split("/")[0])
            with lock:
                lose = kind in lost and kind not in cut
                if lose:
                    cut.add(kind)
            if lose:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer.status)
            for name in ("Content-Type", "Version", "Location", "X-Jobid"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 -- the base class's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                return

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A cut line is meant."""

    server = Server(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", cut
    finally:
        server.shutdown()
        server.server_close()


LOST = {("POST", "deploy"), ("POST", "service"), ("PUT", "service"), ("POST", "task")}


def _lost(at: Attempt, *, blind: bool) -> None:
    name = short_name(at)
    environ = environ_of(at)
    with losing(environ["LAYER0_API_ENDPOINT"], LOST) as (endpoint, lost_replies):
        if blind:
            body = json.dumps({"deploy_name": name, "dockerrun": _dockerrun_base64()}).encode()
            headers = {
                "Authorization": f"Basic {environ['LAYER0_AUTH_TOKEN']}",
                "Content-Type": "application/json",
            }
            # What a client does that repeats a request whose reply it did not get.
            retries = urllib3.Retry(total=3, allowed_methods=None)
            urllib3.PoolManager().request(
                "POST", f"{endpoint}/deploy", body=body, headers=headers, retries=retries
            )
        else:
            started = tasks(at.sandbox())
            other = ["-p", "dockerrun", str(other_dockerrun(at))]
            for words in (words_of(at, name), [*words_of(at, name), *other], task_words(at, name)):
                done = forked.run(
                    words,
                    env=environ | {"LAYER0_API_ENDPOINT": endpoint},
                    cwd=at.folder,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{done.stderr[-500:]} {done.stdout[-500:]}"
            started = tasks(at.sandbox()) - started
            assert started == 1, f"{started} tasks"
            assert moves(at.sandbox(), name) == 1, f"{moves(at.sandbox(), name)} moves"
    deploys, services = made(at.sandbox(), name)
    assert deploys == (1 if blind else 2), f"{deploys} deploys"
    assert blind or services == 1, f"{services} services"
    if not blind:
        assert lost_replies == LOST, f"never lost: {LOST - lost_replies}"
        tidy(at, name)


def task_words(at: Attempt, name: str) -> list[str | Path]:
    """The same image once as a task; its deploy stands already."""
    given = {"repository": f"faults/{name}", "deploy": name, "task": name}
    pairs = [word for pair in given.items() for word in ("-p", *pair)]
    return [BIN / "ecr-widgets", "run", "task", "--json", "--runs", at.folder / "runs", *pairs]


def _dockerrun_base64() -> str:
    container = {"name": "timeout", "image": "x", "memory": 10}
    return base64.b64encode(json.dumps({"containerDefinitions": [container]}).encode()).decode()


@row(
    40,
    "the change is made and its reply lost: of a deploy, a new service, a moved service and a task",
    tries=200,
    quick=1,
    control=lambda at: _lost(at, blind=True),
)
def lost(at: Attempt) -> None:
    """One of each, found by looking, and the runs succeed."""
    _lost(at, blind=False)
