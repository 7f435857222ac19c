"""The release runbook on the sandbox: real engine, real registry protocol, real containers."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.sandbox import Sandbox
from tests.sandbox.conftest import BIN, SHIPPED, Cells, Run, give_up, journal, records, succeeded
from tests.unit.adapters.scripted import answering, chunked, http

STEPS = [
    "check_target", "login", "build_image", "create_repository", "push_image", "create_deploy", "create_service", "wait",
    "verify",
]  # fmt: skip


def failed(ended: list[StepRecord], step: str) -> str:
    """The message of the step that was the last, and failed."""
    assert (ended[-1].step, ended[-1].state) == (step, StepState.FAILED)
    assert ended[-1].error
    return str(ended[-1].error["message"])


def test_a_release_ends_with_the_pushed_image_running(
    run: Run, engine: docker.DockerClient, sandbox: Sandbox, sandbox_environ: dict[str, str]
) -> None:
    """The digest that the notebook claims is the one that the engine runs and that public clients see; no secret is in it."""
    given = {"repository": "first/release", "deploy": "first", "service": "first"}
    told = run(**given)
    assert (told["state"], told["exit_code"]) == ("succeeded", 0), told
    assert [step["step"] for step in told["steps"]] == STEPS
    digest = records(told)["verify"]["outcome"]["running_digest"]
    running = [
        reference
        for container in engine.containers.list()
        for reference in engine.images.get(container.attrs["Image"]).attrs["RepoDigests"]
    ]
    assert any(reference.endswith(f"/first/release@{digest}") for reference in running)

    images = subprocess.run(
        [BIN / "aws", "ecr", "describe-images", "--repository-name", "first/release", "--output", "json"],
        env=sandbox_environ,
        capture_output=True,
        check=True,
    )
    assert [image["imageDigest"] for image in json.loads(images.stdout)["imageDetails"]] == [digest]

    host = sandbox.status().registry_host
    password = subprocess.run(
        [BIN / "aws", "ecr", "get-login-password"], env=sandbox_environ, capture_output=True, check=True
    ).stdout
    login = ["docker", "login", "--username", "AWS", "--password-stdin", host]
    subprocess.run(login, env=sandbox_environ, input=password, capture_output=True, check=True)
    pulled = subprocess.run(
        ["docker", "pull", f"{host}/first/release:custom-tag-1"],
        env=sandbox_environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"Digest: {digest}" in pulled.stdout

    text = Path(told["notebook"]).read_text()
    assert sandbox_environ["LAYER0_AUTH_TOKEN"] not in text
    assert sandbox_environ["AWS_SECRET_ACCESS_KEY"] not in text


def test_another_image_moves_the_service(cells: Cells, tmp_path: Path) -> None:
    """A changed Dockerfile makes a new digest, a new deploy and an update of the same service."""
    given = {"repository": "moving", "deploy": "moving", "service": "moving", "local_name": "test/moving"}
    first = succeeded(cells(**given, tag="1"))
    context = shutil.copytree(SHIPPED / "wait", tmp_path / "wait")
    (context / "Dockerfile.wait").write_text((context / "Dockerfile.wait").read_text() + "\nENV MOVED=1\n")
    second = succeeded(cells(**given, tag="2", context=str(context)))
    deploys = [ended["create_deploy"].outcome["deploy_id"] for ended in (first, second)]
    assert deploys == ["moving.1", "moving.2"]
    assert second["update_service"].outcome["previous_deploy_id"] == "moving.1"


NEW = {"repository": "first/bad", "deploy": "bad", "service": "bad", "local_name": "test/bad"}
"""Names of which nothing stands, and nothing may stand after bad input."""

BAD_INPUT = {
    "malformed reference": (
        {"repository": "Bad//Name"},
        "check_target",
        "not a repository name that ECR accepts",
    ),
    "malformed tag": ({"tag": "-bad"}, "check_target", "is not a tag"),
    "no Dockerfile": ({"dockerfile": "Dockerfile.none"}, "check_target", "no Dockerfile 'Dockerfile.none'"),
    "no context": ({"context": "nowhere"}, "check_target", "is not a folder"),
    "no Dockerrun": ({"dockerrun": "none.json"}, "check_target", "cannot read 'none.json'"),
    "no such container": ({"container": "web"}, "check_target", "it has: timeout"),
    "deploy name with a dot": ({"deploy": "time.out"}, "check_target", "deploy name 'time.out' refused"),
    "local name with capitals": (
        {"local_name": "Xfra/wait"},
        "check_target",
        "it has capital letters; write it in lower case",
    ),
    "unknown environment": (
        {"environment": "staging"},
        "check_target",
        "environment 'staging' does not exist",
    ),
    "missing repository": (
        {"repository": "missing", "create_repository": "false"},
        "create_repository",
        "creating it is switched off",
    ),
}


def test_a_run_of_bad_input_ends_with_one_clear_error(run: Run, sandbox: Sandbox) -> None:
    """The saved run names the failing step and why, the exit code is 1, and nothing remote was changed."""
    given, step, why = BAD_INPUT["missing repository"]
    before = journal(sandbox)
    told = run(**(NEW | given))
    assert (told["state"], told["exit_code"]) == ("failed", 1)
    record = records(told)[step]
    assert (told["steps"][-1]["step"], record["state"]) == (step, "failed")
    assert why in record["error"]["message"]
    assert journal(sandbox) == before


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_by_the_step_that_meets_it(cells: Cells, sandbox: Sandbox, case: str) -> None:
    """With the reason, and nothing remote was changed."""
    given, step, why = BAD_INPUT[case]
    before = journal(sandbox)
    assert why in failed(cells(**(NEW | given)), step)
    assert journal(sandbox) == before


BAD_DOCKERRUNS = {
    "byte-order mark": (b'\xef\xbb\xbf{"containerDefinitions":[{"name":"timeout","image":"x","memory":10}]}', "byte-order mark"),
    "no memory": (b'{"containerDefinitions":[{"name":"timeout","image":"x"}]}', "without memory"),
    "a name twice": (
        b'{"containerDefinitions":[{"name":"timeout","image":"x","memory":10},{"name":"timeout","image":"x","memory":10}]}',
        "/containerDefinitions/1/name",
    ),
    "wrong type": (b'{"containerDefinitions":[{"name":"timeout","image":"x","memory":"10"}]}', "/containerDefinitions/0/memory"),
    "broken JSON": (b'{"containerDefinitions":[', "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DOCKERRUNS)
def test_a_bad_dockerrun_is_refused_with_its_place(
    cells: Cells, sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    """The error says what is wrong and where, and nothing remote was changed: no repository, image or deploy."""
    content, why = BAD_DOCKERRUNS[case]
    (tmp_path / "bad.json").write_bytes(content)
    before = journal(sandbox)
    assert why in failed(cells(**NEW, dockerrun="bad.json"), "check_target")
    assert journal(sandbox) == before


def test_a_failing_build_shows_its_log(cells: Cells, sandbox: Sandbox, tmp_path: Path) -> None:
    """The record of a failed build holds the builder's output; nothing remote was changed."""
    context = shutil.copytree(SHIPPED / "wait", tmp_path / "wait")
    (context / "Dockerfile.wait").write_text("FROM busybox\nRUN echo about-to-fail && exit 7\n")
    before = journal(sandbox)
    ended = cells(**NEW, context=str(context))
    assert journal(sandbox) == before
    message, error = failed(ended, "build_image"), ended[-1].error
    assert error
    assert re.search(r"code: 7\b", message)  # the text before that depends on the builder
    assert "about-to-fail" in error["log"]


UNREACHABLE = {
    "engine": ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "no Docker Engine answers"),
    "Layer0": ({"LAYER0_API_ENDPOINT": "http://127.0.0.1:9"}, "Layer0 at http://127.0.0.1:9 does not answer"),
    "AWS": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "ecr:GetAuthorizationToken got no answer"),
    "Layer0's token": ({"LAYER0_AUTH_TOKEN": "d3Jvbmc6dG9rZW4="}, "Layer0 refused the token"),
    "not Layer0": ({}, "is not Layer0"),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_what_cannot_be_reached_is_said_before_anything_changes(
    cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], case: str
) -> None:
    """The target check fails with what does not answer; nothing was changed anywhere."""
    environ, why = UNREACHABLE[case]
    if case == "not Layer0":
        # AWS's endpoint answers with HTML or XML instead of Layer0's JSON.
        environ = {"LAYER0_API_ENDPOINT": sandbox_environ["AWS_ENDPOINT_URL"]}
    before = journal(sandbox)
    assert why in failed(cells(environ=environ, repository="first/unreachable"), "check_target")
    assert journal(sandbox) == before


def test_a_registry_that_does_not_answer_is_said_before_anything_changes(
    cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str]
) -> None:
    """AWS answers and the registry that it names does not: the check says whom it could not reach."""
    before = journal(sandbox)

    def elsewhere(answer: bytes) -> bytes:
        return re.sub(rb'("proxyEndpoint": ?"http://)[^"]+', rb"\g<1>127.0.0.1:9", answer)

    with aws_answering(sandbox_environ, elsewhere) as endpoint:
        ended = cells(
            environ={"AWS_ENDPOINT_URL": endpoint}, repository="first/gone", deploy="gone", service="gone"
        )
    assert "the registry 127.0.0.1:9 does not answer" in failed(ended, "check_target")
    assert journal(sandbox) == before


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_in_layer0s_place_is_said_before_anything_changes(
    cells: Cells, sandbox: Sandbox, status: int
) -> None:
    """A proxy's error page, or any other, is not taken for Layer0's word."""
    before = journal(sandbox)
    page = http(status, b"<html><body><h1>Bad Gateway</h1></body></html>", label="text/html")
    with answering(page) as proxy:
        ended = cells(environ={"LAYER0_API_ENDPOINT": proxy.url}, **NEW)
    message = failed(ended, "check_target")
    assert f"with status {status} is not Layer0: " in message
    assert "; check LAYER0_API_ENDPOINT, " in message
    assert journal(sandbox) == before


def test_a_refused_token_is_renewed_once_and_the_run_goes_on(
    cells: Cells, sandbox_environ: dict[str, str]
) -> None:
    """Whatever the clock says of it: the registry refused the first token, and the second one served the whole run."""
    issued: list[bytes] = []

    def first_one_is_wrong(answer: bytes) -> bytes:
        if b"authorizationToken" not in answer:
            return answer
        issued.append(answer)
        wrong = base64.b64encode(b"AWS:refused-password")
        pattern = rb'("authorizationToken": ?")[^"]+'
        return re.sub(pattern, rb"\g<1>" + wrong, answer) if len(issued) == 1 else answer

    given = {"repository": "first/renewed", "deploy": "renewed", "service": "renewed"}
    with aws_answering(sandbox_environ, first_one_is_wrong) as endpoint:
        succeeded(cells(environ={"AWS_ENDPOINT_URL": endpoint}, **given))
    assert len(issued) == 2


def test_a_push_that_fails_inside_its_stream_ends_the_run(
    cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str]
) -> None:
    """The engine answers 200 and tells the failure in an event: the step has failed, with a next step, and no deploy is
    made.
    """
    failure = chunked(
        b'{"status":"Preparing","progressDetail":{},"id":"1a"}\r\n',
        b'{"errorDetail":{"message":"manifest invalid"},"error":"manifest invalid"}\r\n',
    )

    before = [entry for entry in journal(sandbox) if entry["server"] == "layer0"]
    with pushes_answered(sandbox_environ["DOCKER_HOST"], failure) as docker_host:
        ended = cells(environ={"DOCKER_HOST": docker_host}, **(NEW | {"repository": "first/unpushed"}))
    message = failed(ended, "push_image")
    assert re.search(r"pushing \S+/first/unpushed:custom-tag-1 failed: manifest invalid; .+", message)
    assert [entry for entry in journal(sandbox) if entry["server"] == "layer0"] == before


@contextmanager
def pushes_answered(docker_host: str, answer: bytes) -> Iterator[str]:
    """The engine at another address, where each push gets this answer; all else is passed on, byte by byte."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := line.recv(65536)):
                    return
                head += more
            if re.match(rb"POST \S+/push[? ]", head):
                line.sendall(answer)
                line.shutdown(socket.SHUT_WR)
                while line.recv(65536):
                    pass
                return
            # One request per connection, so that each is checked; an upgraded connection is no longer HTTP.
            if not re.search(rb"(?i)\r\nupgrade:", head):
                head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
                head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            with connected(docker_host) as far:
                far.sendall(head)
                back = threading.Thread(target=pump, args=(far, line))
                back.start()
                pump(line, far)
                back.join()

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(line,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on until the source ends."""
    with suppress(OSError):
        while more := source.recv(65536):
            sink.sendall(more)
        sink.shutdown(socket.SHUT_WR)


def connected(docker_host: str) -> socket.socket:
    """A connection to an engine."""
    where = urlsplit(docker_host)
    if where.scheme != "unix":
        return socket.create_connection((where.hostname, where.port))
    line = socket.socket(socket.AF_UNIX)
    line.connect(where.path)
    return line


@contextmanager
def aws_answering(environ: Mapping[str, str], change: Callable[[bytes], bytes]) -> Iterator[str]:
    """The sandbox's AWS endpoint behind a proxy that signs anew, for its own name, and changes what is answered."""
    endpoint = environ["AWS_ENDPOINT_URL"]
    keys = Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])
    pool = urllib3.PoolManager()

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service = self.headers["Authorization"].split("/")[3]
            kept = {
                name: self.headers[name] for name in ("Content-Type", "X-Amz-Target") if name in self.headers
            }
            request = AWSRequest("POST", endpoint + self.path, headers=kept, data=body)
            SigV4Auth(keys, service, "us-east-1").add_auth(request)
            answer = pool.request("POST", request.url, body=body, headers=dict(request.headers))
            content = change(answer.data)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: the test's own output is enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_service_that_crashes_ends_the_run_with_reasons(
    cells: Cells, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """A container that exits again and again fails the wait early, with exit code and log lines in the record."""
    context = shutil.copytree(SHIPPED / "wait", tmp_path / "wait")
    (context / "Dockerfile.wait").write_text("FROM busybox\nCMD echo cannot-open-config && exit 3\n")
    ended = cells(
        repository="first/crash", context=str(context), deploy="crash", service="crash", local_name="test/crash",
        wait_timeout_s="120",
    )  # fmt: skip
    failed(ended, "wait")
    error = ended[-1].error
    assert error
    assert any("exit code 3" in reason for reason in error["reasons"])
    assert "timeout: cannot-open-config" in error["log"]
    give_up(sandbox_environ, "crash")
