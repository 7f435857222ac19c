"""How an engine is reached, and how long it is waited for."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from ecr_widgets.adapters import engine_connection
from ecr_widgets.adapters.engine_connection import EngineConnection
from ecr_widgets.errors import EngineError, EngineLost, EngineUnavailable, SettingsError
from ecr_widgets.sandbox.workloads.certificates import Certificates
from tests.unit.adapters.unreachable import http, told

pytestmark = [
    pytest.mark.usefixtures("machine"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_an_engine_by_ssh_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine over ssh without the ssh command names the package that is missing."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://ops@build.example")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SettingsError, match="openssh-client"):
        _ = EngineConnection().facts


@pytest.mark.parametrize(
    ("host", "asked", "by_hand"),
    [
        (
            "ssh://ops@Build.example:2222",
            "-T -l ops -p 2222 -- Build.example docker system dial-stdio",
            "ssh://ops@Build.example:2222",
        ),
        (
            "ssh://[::1]/run/user/7/docker.sock",
            "-T -- ::1 docker --host unix:///run/user/7/docker.sock system dial-stdio",
            "ssh://[::1]",
        ),
    ],
)
def test_an_engine_by_ssh_is_asked_through_the_users_own_ssh(
    machine: Path, monkeypatch: pytest.MonkeyPatch, host: str, asked: str, by_hand: str
) -> None:
    """The user's own ssh is started as the docker command starts it; a failure tells the end of what ssh said, and how to try it."""
    monkeypatch.setenv("DOCKER_HOST", host)
    ssh(machine, monkeypatch, f'echo "$@" >{machine}/asked; seq 500 >&2; echo No route. >&2; exit 255')
    assert told().endswith(f"499 500 No route; see what `ssh {by_hand} docker version` says")
    assert "200 201" not in told()
    assert (machine / "asked").read_text() == asked + "\n"


def test_ssh_cannot_ask_on_the_terminal(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh has no terminal, so that an unknown host is refused and not asked about; nor does a Ctrl-C reach it."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
    ssh(machine, monkeypatch, "ps -o sid= -p $$ >&2; exit 255")
    said = re.search(r"answers at \S+ \(DOCKER_HOST\): (\d+);", told())
    assert said is not None
    assert int(said[1]) != os.getsid(0)


def test_a_host_whose_shell_talks_is_told_from_an_engine(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the shell on the other host prints a greeting, the error shows it and says that it must not."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
    ssh(machine, monkeypatch, "echo Welcome to production; cat")
    assert re.search(r"Welcome to production; `ssh ssh://build.example true` must print nothing", told())


def test_an_engine_by_ssh_that_says_nothing_is_not_waited_for_any_longer(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that goes silent, at first or after answers, ends the call as any other engine's does; ssh ends, too."""
    with engine_by_http() as (port, _):
        monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
        relay(machine, monkeypatch, port)
        engine, others = EngineConnection(), children()
        assert engine.facts.version == "28.5"
        (started,) = children() - others
        started.suspend()
        engine.client.api.timeout = 0.05
        with pytest.raises(EngineUnavailable, match="sent nothing for"):
            engine.ask(engine.client.ping)
        started.resume()
        started.wait(10)
    ssh(machine, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(engine_connection, "_SSH_S", 0.05)
    assert "has not answered within 0.05 s; see what `ssh" in told()


def test_an_engine_by_ssh_answers(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ssh reaches docker's own dial-stdio, the engine at its end answers all calls by one ssh, which ends with them."""
    with engine_by_http() as (port, _):
        monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
        relay(machine, monkeypatch, port)
        engine, others = EngineConnection(), children()
        assert engine.facts.version == "28.5"
        (started,) = children() - others
        engine.ask(engine.client.ping)
        assert children() - others == {started}
        engine.close()
        assert not started.is_running()


def children() -> set[psutil.Process]:
    """The processes that this one has started: other tests may have left some."""
    return set(psutil.Process().children())


def ssh(machine: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (machine / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (machine / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(machine), prepend=":")


def relay(machine: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Have ssh do what docker's dial-stdio does, to this machine's port."""
    (machine / "relay.py").write_text(
        "import os, socket, threading\n"
        f"line = socket.create_connection(('127.0.0.1', {port}))\n"
        "def away():\n"
        "    while got := os.read(0, 65536): line.sendall(got)\n"
        "    line.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=away, daemon=True).start()\n"
        "while got := line.recv(65536): os.write(1, got)\n"
    )
    ssh(machine, monkeypatch, f"exec {sys.executable} {machine}/relay.py")


@pytest.mark.parametrize("named_by", ["context", "variables"])
def test_an_engine_by_tls_is_checked_against_its_own_authority(
    machine: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    """An engine over TLS is verified with its own CA, not that for web servers, and gets the client's certificate."""
    pem = Certificates(machine / "made").path("engine", "")
    with secured_engine(pem) as port:
        folder = machine / "certificates"
        host = f"tcp://127.0.0.1:{port}"
        if named_by == "context":
            key = hashlib.sha256(b"safe").hexdigest()
            meta = machine / "config" / "contexts" / "meta" / key
            meta.mkdir(parents=True)
            (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
            folder = machine / "config" / "contexts" / "tls" / key / "docker"
            monkeypatch.setenv("DOCKER_CONTEXT", "safe")
        else:
            monkeypatch.setenv("DOCKER_HOST", host)
            monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
            monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
        folder.mkdir(parents=True)
        for name in ("ca.pem", "cert.pem", "key.pem"):
            (folder / name).write_bytes(pem.read_bytes())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Certificates(machine / "others").path("web", "")))
        engine = EngineConnection()
        assert engine.facts.version == "28.5"
        engine.close()
        # An engine whose certificate another CA signed is refused.
        (folder / "ca.pem").write_bytes(Certificates(machine / "others").path("web", "").read_bytes())
        assert "certificate verify failed" in told()
        assert f"check the certificates in {folder}: " in told()
        (folder / "key.pem").unlink()
        assert "(there is no key.pem)" in told()


@contextmanager
def secured_engine(pem: Path) -> Iterator[int]:
    """An engine that presents this certificate and requires the same of its client; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with engine_by_http(context) as (port, _):
        yield port


@contextmanager
def engine_by_http(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """An engine that reports its version; yields its port, and the requested paths with the headers of a test. A POST breaks off."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            asked.extend(self.headers.get_all("X-Who", ()))
            body = json.dumps({"Version": "28.5", "ApiVersion": "1.44"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'13\r\n{"status":"pushed"}\r\n')
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_answer_that_breaks_off_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the connection ends in the middle of a push, that is said, and not what a decoder thinks of it."""
    with engine_by_http() as (port, _):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        engine = EngineConnection()
        events = engine.events(lambda: engine.client.api.push("app", stream=True), EngineError)
        assert next(events) == {"status": "pushed"}
        with pytest.raises(EngineLost, match="any more: the connection ended in the middle of"):
            next(events)
        engine.close()


def test_an_engine_is_asked_once_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to an engine and asking what it is makes one request for its version."""
    with engine_by_http() as (port, asked):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        engine = EngineConnection()
        assert engine.facts.version == "28.5"
        engine.close()
    assert [path for path in asked if path.endswith("/version")] == ["/version"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_engine_of_this_machine_is_asked_directly(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An engine on loopback is reached without the proxy, whose loopback is another one."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    for host in ("127.0.0.1", "localhost"):
        with engine_by_http() as (port, asked):
            monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}:{port}")
            engine = EngineConnection()
            assert engine.facts.version == "28.5"
            engine.close()
        assert "/version" in asked


def test_an_engine_elsewhere_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote engine is reached through the proxy, as by the docker command, unless NO_PROXY names it."""
    with engine_by_http() as (port, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("DOCKER_HOST", "tcp://build.invalid:2375")
        engine = EngineConnection()
        assert engine.facts.version == "28.5"
        engine.close()
        assert asked[0] == "http://build.invalid:2375/version"
        monkeypatch.setenv("NO_PROXY", "build.invalid")
        assert "no Docker Engine answers at tcp://build.invalid:2375" in told()


def test_certificates_that_are_not_there_are_a_matter_of_settings(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unusable TLS certificates are an error with the engine's address."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(machine))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (machine / name).write_text("no certificate")
    with pytest.raises((SettingsError, EngineUnavailable), match=r"tcp://127\.0\.0\.1:1"):
        _ = EngineConnection().facts


def test_an_engine_that_says_nothing_is_not_waited_for_long(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer has a time limit of its own, shorter than that of later answers."""
    assert engine_connection._FIRST_ANSWER_S < engine_connection._SILENCE_S
    monkeypatch.setattr(engine_connection, "_FIRST_ANSWER_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(machine / "docker.sock"))
        silent.listen()
        assert "docker.sock has not answered within 0.05 s; it may be paused" in told()


def test_an_engine_that_says_little_is_not_waited_for_longer(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for the first answer is for all of it: each byte that comes does not start it anew."""
    monkeypatch.setattr(engine_connection, "_FIRST_ANSWER_S", 0.2)
    ended = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for byte in http('{"ApiVersion": "1.44", "Version": "28.5"}'):
                if ended.wait(0.05):
                    break
                self.wfile.write(bytes([byte]))

    with socketserver.ThreadingUnixStreamServer(str(machine / "docker.sock"), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert "docker.sock has not answered within 0.2 s; it may be paused" in told()
        finally:
            ended.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("headers", [7, ["a"], {"a": 1}, {"a": "b\nc"}, {"a\n": "b"}, {"a": "é"}])
def test_headers_that_cannot_be_sent_are_a_matter_of_settings(machine: Path, headers: object) -> None:
    """Headers in config.json that HTTP does not allow are refused as a matter of settings, before the engine is asked."""
    (machine / "config").mkdir()
    (machine / "config" / "config.json").write_text(json.dumps({"HttpHeaders": headers}))
    with pytest.raises(SettingsError, match=r"HttpHeaders in config\.json"):
        _ = EngineConnection().facts


@pytest.mark.parametrize(
    "settings", [{"proxies": None}, {"proxies": {"default": "x"}}, {"auths": ["a"]}, {"HttpHeaders": {"X-Who": "me"}}]
)  # fmt: skip
def test_settings_for_other_things_do_not_matter(
    machine: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    """The engine is asked whatever config.json says about logins and proxies; headers in it are sent."""
    (machine / "config").mkdir()
    (machine / "config" / "config.json").write_text(json.dumps(settings))
    with engine_by_http() as (port, asked):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        engine = EngineConnection()
        assert engine.facts.version == "28.5"
        engine.close()
    assert ("me" in asked) == ("HttpHeaders" in settings)


@pytest.mark.parametrize(
    ("script", "found", "why"),
    [
        ('echo \'{"Username": "a", "Secret": "b"}\'', {"Username": "a", "Password": "b"}, None),
        ("exec sleep 60", None, "did not end within 0.05 s"),
        ("echo locked the-secret; exit 1", None, "failed with exit code 1"),
        ("echo credentials not found in native keychain; exit 1", None, None),
        ("echo garbage the-secret", None, "is no login"),
        ("printf '\\377'", None, "is no login"),
        ("echo '[]'", None, "is no login"),
        (None, None, "cannot be started: No such file"),
    ],
)
def test_a_credential_helper_is_neither_waited_for_nor_heard(
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    script: str | None,
    found: dict[str, str] | None,
    why: str | None,
) -> None:
    """A helper that hangs, fails or is missing gives no login and is named, and what it writes is shown nowhere."""
    (machine / "config").mkdir()
    (machine / "config" / "config.json").write_text('{"credsStore": "test"}')
    if script is not None:
        helper = machine / "docker-credential-test"
        helper.write_text(f"#!/bin/sh\necho the-secret >&2\n{script}\n")
        helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(machine), prepend=":")
    if script == "exec sleep 60":
        monkeypatch.setattr(engine_connection, "_HELPER_S", 0.05)
    told: list[str] = []
    login = engine_connection.users_login("registry.test", unread=told.append)
    assert (login and {name: login[name] for name in ("Username", "Password")}) == found
    assert capfd.readouterr() == ("", "")
    if why is None:
        assert told == []
    else:
        (text,) = told
        assert text.startswith("the login for registry.test could not be read: ")
        assert "docker-credential-test" in text
        assert why in text
        assert "the-secret" not in text
