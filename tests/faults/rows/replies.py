"""Part B and C on the sandbox: a release that is killed, and replies of Layer0 that get lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

from ecr_widgets.sandbox import Sandbox
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row


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
    given = {"repository": f"faults/{name}", "deploy": name, "service": name, "local_name": f"faults/{name}"}
    pairs = [word for pair in given.items() for word in ("-p", *pair)]
    return [BIN / "ecr-widgets", "run", "release", "--json", "--runs", at.folder / "runs", *pairs]


def made(sandbox: Sandbox, name: str) -> tuple[int, int]:
    """How many deploys and how many services of that name Layer0 was told to make, and made."""
    asked = _posts(sandbox)
    deploys = [each for each in asked if each.get("deploy_id", "").startswith(f"{name}.")]
    # A service's id begins with the first characters of its name.
    services = [each for each in asked if each.get("service_id", "").startswith(name)]
    return len(deploys), len(services)


def _posts(sandbox: Sandbox) -> list[dict[str, Any]]:
    lines = (sandbox.status().folder / "journal.jsonl").read_text().splitlines()
    entries = map(json.loads, lines)
    return [each for each in entries if each["server"] == "layer0" and each["method"] == "POST"]


def _tasks(sandbox: Sandbox) -> int:
    """How many tasks Layer0 took on."""
    return sum(each["path"].startswith("/task") and each["status"] == 202 for each in _posts(sandbox))


def short_name(at: Attempt) -> str:
    """Seven characters that no other try has."""
    return at.rng.choice("klmnop") + "".join(
        at.rng.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(6)
    )


def _killed(at: Attempt, *, again: str) -> None:
    name = short_name(at)
    environ = environ_of(at)
    words = words_of(at, name)
    process = subprocess.Popen(
        words,
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
    for path in saved:
        told = json.loads(path.read_text())
        state = told["metadata"]["ecr_widgets"]["state"]
        assert state == ("succeeded" if process.returncode == 0 else state)
        assert state in ("running", "succeeded"), state
    if saved and again == "resume" and state == "running":
        run_id = told["metadata"]["ecr_widgets"]["run_id"]
        words = [
            BIN / "ecr-widgets",
            "run",
            "--json",
            "--runs",
            at.folder / "runs",
            "--resume",
            run_id,
            "--wait",
            "30",
        ]
    elif again == "blind":
        words = [*words, "-p", "tag", "2", "-p", "dockerrun", str(_other_dockerrun(at))]
    else:
        words = [*words, "--wait", "30"]
    done = subprocess.run(words, env=environ, cwd=at.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-500:]} {done.stdout[-300:]}"
    ended = json.loads(done.stdout)
    assert ended["state"] == "succeeded"
    assert made(at.sandbox(), name) == (1, 1), made(at.sandbox(), name)
    third = subprocess.run(
        words_of(at, name), env=environ, cwd=at.folder, capture_output=True, text=True, check=False
    )
    changed = [step["step"] for step in json.loads(third.stdout)["steps"] if step["changed"]]
    assert changed == [], changed
    tidy(at, name)


def tidy(at: Attempt, name: str) -> None:
    # A service keeps its container and address; there is room for about 250 of them.
    words = [BIN / "ecr-widgets", "service", "delete", "demo", name]
    subprocess.run(words, env=environ_of(at), capture_output=True, check=True)


def _other_dockerrun(at: Attempt) -> Path:
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
    quick=3,
    control=lambda at: _killed(at, again="blind"),
)
def killed(at: Attempt) -> None:
    """The file tells the truth; in the end there is one deploy of that content and one service; a third run changes nothing."""
    _killed(at, again="resume" if at.seed % 2 else "again")


@contextmanager
def losing(endpoint: str, lost: set[tuple[str, str]]) -> Iterator[str]:
    """Layer0 behind a proxy that passes on each change and cuts the line instead of its first reply."""
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
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


LOST = {("POST", "deploy"), ("POST", "service"), ("PUT", "service"), ("POST", "task")}


def _lost(at: Attempt, *, blind: bool) -> None:
    name = short_name(at)
    environ = environ_of(at)
    with losing(environ["LAYER0_API_ENDPOINT"], LOST) as endpoint:
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
            tasks = _tasks(at.sandbox())
            for words in (words_of(at, name), _task_words(at, name)):
                done = subprocess.run(
                    words,
                    env=environ | {"LAYER0_API_ENDPOINT": endpoint},
                    cwd=at.folder,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{done.stderr[-500:]} {done.stdout[-500:]}"
            tasks = _tasks(at.sandbox()) - tasks
            assert tasks == 1, f"{tasks} tasks"
    deploys, services = made(at.sandbox(), name)
    assert deploys == 1, f"{deploys} deploys"
    assert blind or services == 1, f"{services} services"
    if not blind:
        tidy(at, name)


def _task_words(at: Attempt, name: str) -> list[str | Path]:
    """The same image once as a task; its deploy stands already."""
    given = {"repository": f"faults/{name}", "deploy": name, "task": name}
    pairs = [word for pair in given.items() for word in ("-p", *pair)]
    return [BIN / "ecr-widgets", "run", "task", "--json", "--runs", at.folder / "runs", *pairs]


def _dockerrun_base64() -> str:
    import base64

    container = {"name": "timeout", "image": "x", "memory": 10}
    return base64.b64encode(json.dumps({"containerDefinitions": [container]}).encode()).decode()


@row(
    40,
    "the change is made and its reply lost: of a deploy, a service and a task",
    tries=200,
    quick=2,
    control=lambda at: _lost(at, blind=True),
)
def lost(at: Attempt) -> None:
    """One of each, found by looking, and the run succeeds."""
    _lost(at, blind=False)
