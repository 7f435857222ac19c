"""Builds, and broken streams, from a scripted engine on loopback."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.engine_connection import _LONG_SILENCE_S, _SILENCE_S
from ecr_widgets.errors import (
    AuthorizationError,
    BuildError,
    EcrWidgetsError,
    EngineError,
    EngineUnavailable,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    SettingsError,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.engine_facts import ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ignore_progress
from tests.unit.adapters.scripted import RESET, Answer, Request, Scripted, answering, chunked, http

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TOKEN = AuthorizationToken("127.0.0.1:5000", "AWS", "password-1", NOW, NOW + timedelta(hours=12))
IMAGE = ImageReference.parse("127.0.0.1:5000/xfra-wait:1")
DIGEST = "sha256:" + "a" * 64
IMAGE_ID = "sha256:" + "b" * 64
CONTAINERD = [["driver-type", "io.containerd.snapshotter.v1"]]
OTHERS_PASSWORD = "somebody-elses-password"

Engines = Callable[[bytes | Answer], AbstractContextManager[tuple[DockerEngine, Scripted]]]


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's config.json, which the tests write."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder / "config.json"


@pytest.fixture
def scripted(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Makes engines that answer everything except version and info with the given bytes."""

    @contextmanager
    def make(answer: bytes | Answer) -> Iterator[tuple[DockerEngine, Scripted]]:
        def say(request: Request) -> bytes:
            if request.target.endswith("/version"):
                return http(200, json.dumps({"ApiVersion": "1.41", "Version": "20.10.24"}).encode())
            if request.target.endswith("/info"):
                return http(200, b'{"Driver": "overlay2"}')
            return answer if isinstance(answer, bytes) else answer(request)

        with answering(say) as server:
            monkeypatch.setenv("DOCKER_HOST", f"tcp://{server.host}")
            # These tests build through the engine's API, even if this machine has a build tool.
            monkeypatch.setattr("ecr_widgets.adapters.docker_engine.find_build_tool", lambda _: None)
            engine = DockerEngine()
            try:
                yield engine, server
            finally:
                engine.close()

    return make


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context with an ignored file."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\n")
    (folder / "kept").write_text("kept")
    (folder / "secret").write_text("secret")
    (folder / ".dockerignore").write_text("# what stays at home\nsecret\nDockerfile\n")
    return folder


def events(*said: Any) -> bytes:
    return chunked(*(json.dumps(each).encode() + b"\r\n" for each in said))


def build(engine: DockerEngine, context: Path, **given: Any) -> str:
    return engine.build(
        find_context(context, given.pop("dockerfile", "Dockerfile")),
        options=BuildOptions(build_args=given.pop("build_args", {})),
        **{"tags": ["xfra/wait"], "logins": [], "progress": ignore_progress} | given,
    )


def test_a_stream_in_one_piece_is_read_event_by_event(scripted: Engines) -> None:
    """A push answered with a length instead of in chunks is read event by event, and its error is raised."""
    lines = ({"status": "Preparing", "id": "1a"}, {"errorDetail": {"message": "blob upload unknown"}})
    body = b"".join(json.dumps(each).encode() + b"\r\n" for each in lines)
    with scripted(http(200, body)) as (engine, _), pytest.raises(PushError, match="blob upload unknown"):
        engine.push(IMAGE, TOKEN, progress=ignore_progress)


BUILT = events({"stream": "Step 1/1 : FROM busybox\n"}, {"aux": {"ID": IMAGE_ID}})


def test_a_build_sends_no_login_and_no_proxy_of_the_users_own(
    scripted: Engines, docker_config: Path, context: Path
) -> None:
    """The user's passwords and proxies in config.json are not sent to the engine."""
    login = base64.b64encode(f"other:{OTHERS_PASSWORD}".encode()).decode()
    docker_config.write_text(
        json.dumps(
            {
                "auths": {"registry.example": {"auth": login}},
                "proxies": {"default": {"httpProxy": f"http://other:{OTHERS_PASSWORD}@proxy.example"}},
            }
        )
    )
    with scripted(BUILT) as (engine, server):
        assert build(engine, context) == IMAGE_ID
    (asked,) = [request for request in server.asked if "/build" in request.target]
    assert "x-registry-config" not in asked.headers
    assert OTHERS_PASSWORD not in asked.target


def test_a_build_sends_logins_for_the_registries_that_its_dockerfile_names(
    scripted: Engines, docker_config: Path, context: Path
) -> None:
    """A build sends the account's token and the user's logins for registries in the Dockerfile, and no other password."""
    logins = {
        host: {"auth": base64.b64encode(f"me:{host}-password".encode()).decode()}
        for host in ("127.0.0.1:5000", "named.example", "other.example", "https://index.docker.io/v1/")
    }
    docker_config.write_text(json.dumps({"auths": logins}))
    (context / "Dockerfile").write_text(
        "FROM 127.0.0.1:5000/base:1\nCOPY --from=named.example/tools /a /b\nFROM somebody/tools\n"
    )
    with scripted(BUILT) as (engine, server):
        build(engine, context, logins=[TOKEN])
        build(engine, context)
    first, second = (
        {
            host: login["password"]
            for host, login in json.loads(
                base64.urlsafe_b64decode(request.headers["x-registry-config"])
            ).items()
        }
        for request in server.asked
        if "/build" in request.target
    )
    users = {host: f"{host}-password" for host in logins if host != "other.example"}
    assert first == users | {"127.0.0.1:5000": "password-1"}
    assert second == users


def test_a_refused_login_is_told_from_a_failed_step(scripted: Engines, context: Path) -> None:
    """A refusal of our login is an authorization error, so that the token is renewed; another registry's is a build error."""
    ours = "pull access denied for 127.0.0.1:5000/base, no basic auth credentials"
    for text, kind in ((ours, AuthorizationError), (ours.replace("127.0.0.1", "10.0.0.1"), BuildError)):
        with scripted(events({"errorDetail": {"message": text}})) as (engine, _), pytest.raises(kind):
            build(engine, context, logins=[TOKEN])


@pytest.mark.parametrize(
    "content",
    [
        '{"credsStore": "no-such-helper"}',
        '{"auths": {"registry.example": 3}}',
        '{"auths": {"registry.example": {"auth": "bm9jb2xvbg=="}}}',
        '{"auths": {"registry.example": {"auth": "?"}}}',
    ],
)
def test_a_login_that_cannot_be_read_stops_no_build(
    scripted: Engines, docker_config: Path, context: Path, content: str
) -> None:
    """A broken login of another registry in config.json does not stop a build."""
    docker_config.write_text(content)
    with scripted(BUILT) as (engine, _):
        assert build(engine, context) == IMAGE_ID


def test_a_login_that_cannot_be_read_is_named(scripted: Engines, docker_config: Path, context: Path) -> None:
    """A helper that gives no login is named in the progress, and in the error if the registry then refuses the build; it is not asked for a registry whose token is given."""
    docker_config.write_text('{"credsStore": "no-such-helper"}')
    (context / "Dockerfile").write_text(f"FROM named.example/base\nCOPY --from={TOKEN.registry}/base /a /b\n")
    denied = "Head https://named.example/v2/base/manifests/latest: no basic auth credentials"
    told: list[Progress] = []
    helper = "docker-credential-no-such-helper cannot be started"
    with (
        scripted(events({"errorDetail": {"message": denied}})) as (engine, _),
        pytest.raises(BuildError, match=helper),
    ):
        build(engine, context, logins=[TOKEN], progress=told.append)
    (unread,) = [each.message for each in told if "could not be read" in each.message]
    assert unread.startswith(
        "the login for named.example could not be read: docker-credential-no-such-helper"
    )
    failed_step = {"errorDetail": {"message": "returned a non-zero code: 1"}}
    with scripted(events(failed_step)) as (engine, _), pytest.raises(BuildError) as failed:
        build(engine, context)
    assert "no-such-helper" not in failed.value.message


def test_an_unusable_docker_config_is_said_as_that(scripted: Engines, docker_config: Path) -> None:
    """A config.json that cannot be followed is a settings error, not an unavailable engine."""
    with scripted(BUILT) as (engine, _):
        docker_config.write_text('{"HttpHeaders": 7}')
        with pytest.raises(SettingsError, match=r"config\.json"):
            engine.find_image_id("xfra/wait")


def test_a_build_sends_what_dockerignore_leaves(scripted: Engines, context: Path) -> None:
    """Ignored files are not sent, but the Dockerfile is even if it is ignored."""
    with scripted(BUILT) as (engine, server):
        build(engine, context, build_args={"TIME": "60"})
    (asked,) = [request for request in server.asked if "/build" in request.target]
    with tarfile.open(fileobj=io.BytesIO(asked.body)) as sent:
        assert {"Dockerfile", "kept"} <= set(sent.getnames())
        assert "secret" not in sent.getnames()
    query = parse_qs(urlsplit(asked.target).query)
    assert json.loads(query["buildargs"][0]) == {"TIME": "60"}
    # Otherwise a failed step's container would stay on the engine.
    assert query["forcerm"] == ["True"]


def test_how_much_of_a_context_is_sent_is_progress(scripted: Engines, context: Path) -> None:
    """While a large context is sent, progress says how much of it."""
    (context / "large").write_bytes(bytes(20_000_000))
    seen: list[Progress] = []
    with scripted(BUILT) as (engine, _):
        build(engine, context, progress=seen.append)
    sent = [each.done for each in seen if each.unit == "bytes" and each.done is not None]
    assert len(sent) == 2
    assert 8_000_000 < sent[0] < sent[1] < 20_000_000


def test_a_missing_dockerfile_is_named_with_its_context(scripted: Engines, context: Path) -> None:
    """A missing Dockerfile is an error with its name and context, and nothing is sent."""
    with scripted(BUILT) as (engine, server):
        with pytest.raises(BuildError, match=r"no Dockerfile 'sub/Dockerfile\.x' in .*context"):
            build(engine, context, dockerfile="sub/Dockerfile.x")
        assert server.asked == []


def test_an_unreadable_dockerignore_is_a_build_error(scripted: Engines, context: Path) -> None:
    """An invalid .dockerignore is a build error, not an engine error."""
    (context / ".dockerignore").write_text("a[")
    with scripted(BUILT) as (engine, _), pytest.raises(BuildError, match="cannot be used"):
        build(engine, context)


def test_a_failing_step_tells_its_command_and_the_last_lines(scripted: Engines, context: Path) -> None:
    """The error has the failing command, and its log the lines printed before."""
    text = "The command '/bin/sh -c exit 7' returned a non-zero code: 7"
    failing = events(
        {"stream": "Step 2/2 : RUN exit 7\n"},
        {"stream": "about-to-fail\nreally\n"},
        {"errorDetail": {"code": 7, "message": text}, "error": text},
    )
    with scripted(failing) as (engine, _), pytest.raises(BuildError, match="exit 7") as caught:
        build(engine, context)
    assert caught.value.log == ("Step 2/2 : RUN exit 7", "about-to-fail", "really")


def test_a_dockerfile_that_the_engine_refuses_is_a_build_error(scripted: Engines, context: Path) -> None:
    """A 400 answer to a build is a build error in the engine's words."""
    refusal = http(400, b'{"message": "dockerfile parse error line 1: unknown instruction: FORM"}')
    with scripted(refusal) as (engine, _), pytest.raises(BuildError, match="unknown instruction: FORM"):
        build(engine, context)


def test_a_build_that_ends_without_an_image_is_no_success(scripted: Engines, context: Path) -> None:
    """A build stream that ends without an image id is an error."""
    stream = events({"stream": "Step 1/1\n"}, {"aux": None})
    with scripted(stream) as (engine, _), pytest.raises(BuildError, match="without an image"):
        build(engine, context)


def test_a_builds_lines_are_progress(scripted: Engines, context: Path) -> None:
    """The builder's lines are reported as progress, after a first line that says what it waits for."""
    seen: list[Progress] = []
    with scripted(BUILT) as (engine, _):
        build(engine, context, progress=seen.append)
    assert [one.message for one in seen] == ["sending the context", "Step 1/1 : FROM busybox"]


def push(engine: DockerEngine) -> str:
    return engine.push(IMAGE, TOKEN, progress=ignore_progress)


def test_a_push_takes_its_own_token_and_one_tag(scripted: Engines, docker_config: Path) -> None:
    """A push sends the call's token, not the stale login in config.json, and a single tag."""
    stale = base64.b64encode(b"AWS:stale").decode()
    docker_config.write_text(json.dumps({"auths": {"127.0.0.1:5000": {"auth": stale}}}))
    with scripted(events({"aux": {"Tag": "1", "Digest": DIGEST, "Size": 1}})) as (engine, server):
        assert push(engine) == DIGEST
    (asked,) = [request for request in server.asked if "/push" in request.target]
    assert json.loads(base64.urlsafe_b64decode(asked.headers["x-registry-auth"])) == {
        "username": "AWS",
        "password": "password-1",
        "serveraddress": "127.0.0.1:5000",
    }
    assert parse_qs(urlsplit(asked.target).query) == {"tag": ["1"]}


def test_a_push_without_a_tag_is_refused(scripted: Engines) -> None:
    """A push without a tag is refused, since the engine would push every tag of the repository."""
    with scripted(events()) as (engine, server):
        with pytest.raises(PushError, match="has no tag"):
            engine.push(ImageReference.parse("127.0.0.1:5000/xfra-wait"), TOKEN, progress=ignore_progress)
        assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (events({"errorDetail": {"message": "blob upload unknown"}}), PushError, "blob upload unknown"),
        (events({"error": "blob upload unknown"}), PushError, "blob upload unknown"),
        (events({"errorDetail": {"code": 1}}), PushError, "no reason given"),
        (events({"errorDetail": {"message": "late"}}, {"aux": {"Digest": DIGEST}}), PushError, "late"),
        (events({"aux": {"Digest": DIGEST}}, {"errorDetail": {"message": "late"}}), PushError, "late"),
        (events(7), EngineError, "int instead of an event"),
        (chunked(b'{"status": "x"}\r\n{"aux": {"Dig'), EngineUnavailable, "does not answer"),
        (chunked(b'{"status": "x"}\r\n', ended=False), EngineError, "does not answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\ncut",
            EngineUnavailable,
            "does not answer",
        ),
        (RESET, EngineUnavailable, "does not answer"),
        (http(500, b"<html>oops", label="text/html"), PushError, "oops"),
        (http(401, b'{"message": "unauthorized: log in"}'), AuthorizationError, "log in"),
        (http(200, b"<html>", label="text/html"), EngineError, "."),
    ],
    ids=[
        "detail-only", "error-only", "no-text", "error-then-digest", "digest-then-error", "number",
        "cut-event", "no-end", "cut-chunk", "reset", "html-500", "401", "html-200",
    ],
)  # fmt: skip
def test_a_broken_push_stream_is_a_typed_error(
    scripted: Engines, answer: bytes, kind: type[EcrWidgetsError], why: str
) -> None:
    """A broken or unexpected answer to a push is an error of ours, never a success."""
    with scripted(answer) as (engine, _), pytest.raises(kind, match=why):
        push(engine)


@pytest.mark.parametrize(
    ("said", "digest"),
    [
        ([{"aux": {"Tag": "1", "Digest": DIGEST, "Size": 1}}], DIGEST),
        ([{"status": f"1: digest: {DIGEST} size: 529"}], DIGEST),
        ([{"status": f"2: digest: {DIGEST} size: 529"}], None),
        ([{"status": f"1: digest: {DIGEST}"}], None),
        ([{"aux": "odd"}, {"aux": {"Digest": 7}}], None),
        ([{"status": "Pushing", "id": "1a"}], None),
        ([], None),
    ],
    ids=["aux", "text", "other-tag", "other-text", "odd-aux", "early-end", "empty"],
)
def test_the_digest_of_a_push_is_told_where_the_engine_names_one(
    scripted: Engines, said: list[Any], digest: str | None
) -> None:
    """The digest is read from an event's member or text; if the engine names none, the push still succeeds."""
    with scripted(events(*said)) as (engine, _):
        assert push(engine) == digest


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (
            {"errorDetail": {"message": "tag invalid: the tag is immutable"}, "error": "x"},
            TagImmutable,
            "tag invalid",
        ),
        ({"error": "name unknown: no such repository"}, RepositoryNotFound, "name unknown"),
        ({"errorDetail": {"message": "authentication required"}}, AuthorizationError, "authentication"),
        ({"cause": "image not known", "response": 500}, PushError, "image not known"),
        ({"message": "toomanyrequests: later"}, PushError, "toomanyrequests"),
        ([], PushError, r"\[\]"),
        ({}, PushError, "{}"),
    ],
)
def test_a_reason_in_the_body_of_a_failed_answer_is_read(
    scripted: Engines, body: object, kind: type[EcrWidgetsError], why: str
) -> None:
    """The reason for a failed push is read from every member that Podman uses, not only docker-py's."""
    with scripted(http(500, json.dumps(body).encode())) as (engine, _), pytest.raises(kind, match=why):
        push(engine)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("toomanyrequests: Rate exceeded", True),
        ("unexpected status from PUT request to http://r/v2/a/manifests/1: 429 Too Many Requests", True),
        ("unexpected status from PUT request to http://r/v2/a/manifests/1: 503 Service Unavailable", True),
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("SlowDown: Please reduce your request rate", True),
        ("net/http: TLS handshake timeout", True),
        ('Put "https://r/v2/a": dial tcp 192.0.2.1:443: i/o timeout', True),
        (
            'Get "https://r/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
            True,
        ),
        ("lookup r: Temporary failure in name resolution", True),
        ("failed to copy: unexpected EOF", True),
        (
            "unexpected status from PUT request to http://r/v2/rate-exceeded/manifests/429: 400 Bad Request",
            False,
        ),
        ("manifest invalid: layers of lab/throttled are missing", False),
        ("lookup nowhere.example: no such host", False),
        ("x509: certificate signed by unknown authority", False),
        ("tag does not exist: r/a:1", False),
    ],
)
def test_what_passes_is_tried_again_and_nothing_else(scripted: Engines, text: str, *, again: bool) -> None:
    """Throttling, time-outs and lost connections are retryable; names that only sound like them are not."""
    failed = events({"errorDetail": {"message": text}})
    with scripted(failed) as (engine, _), pytest.raises(PushError) as caught:
        push(engine)
    assert caught.value.retryable is again


def test_podman_may_say_nothing_before_all_is_sent(scripted: Engines) -> None:
    """A push to Podman gets a longer time-out, as Podman is silent until everything is sent; other calls keep the usual one."""
    podman = {"ApiVersion": "1.41", "Version": "5.4.2", "Components": [{"Name": "Podman Engine"}]}
    seen = []

    def say(request: Request) -> bytes:
        seen.append((request.target.rpartition("/")[2], engine._api.timeout))
        return events()

    with scripted(say) as (engine, _):
        engine._connection.client.version = lambda: podman
        assert engine.facts().store is ImageStore.PODMAN
        push(engine)
        assert seen == [("push?tag=1", _LONG_SILENCE_S)]
        assert engine._api.timeout == _SILENCE_S


@pytest.mark.parametrize(
    ("version", "info", "store", "name", "pushes"),
    [
        (
            {"Components": [{"Name": "Engine"}]},
            {"Driver": "overlay2"},
            "graph driver",
            "Docker Engine",
            False,
        ),
        ({"Version": "26.1.5"}, {"DriverStatus": CONTAINERD}, "containerd", "Docker Engine", False),
        ({"Version": "28.1.1"}, {"DriverStatus": CONTAINERD}, "containerd", "Docker Engine", False),
        ({"Version": "28.2.0-rc.1"}, {"DriverStatus": CONTAINERD}, "containerd", "Docker Engine", True),
        ({"Version": "29.0.1"}, {"DriverStatus": CONTAINERD}, "containerd", "Docker Engine", True),
        (
            {"Components": [{"Name": "Podman Engine"}]},
            {"Driver": "overlay"},
            "containers-storage",
            "Podman Engine",
            False,
        ),
        (
            {},
            {"DriverStatus": None, "SecurityOptions": ["name=rootless"]},
            "graph driver",
            "Docker Engine",
            False,
        ),
        ({}, None, "graph driver", "Docker Engine", False),
    ],
)
def test_the_kind_of_engine_is_asked_once(
    scripted: Engines, version: Any, info: Any, store: str, name: str, *, pushes: bool
) -> None:
    """The engine's name, store and features are read once; an engine that refuses its details is used with defaults."""
    with scripted(http(403, b'{"message": "forbidden"}')) as (engine, server):
        client = engine._connection.client
        client.version = lambda: {"Version": "20.10", "ApiVersion": "1.41"} | version
        if info is None:
            client.info = lambda: client.api.inspect_image("refused")
        else:
            client.info = lambda: info
        found = engine.facts()
        assert (found.store, found.name, found.pushes_indexes) == (store, name, pushes)
        assert found.rootless == bool(info and "SecurityOptions" in info)
        assert found.address == f"tcp://{server.host} (DOCKER_HOST)"
        assert engine.facts() is found


@pytest.mark.parametrize(
    ("described", "index"),
    [
        ("application/vnd.oci.image.index.v1+json", True),
        ("application/vnd.docker.distribution.manifest.list.v2+json", True),
        ("application/vnd.oci.image.manifest.v1+json", False),
    ],
)
def test_a_containerd_store_tells_an_index_from_an_image(
    scripted: Engines, described: str, *, index: bool
) -> None:
    """An index is recognized by an inspection's descriptor, or without one by the manifest in the saved image."""
    manifest = json.dumps({"manifests" if index else "layers": []}).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in (("0" * 64, b"\0" * 99_999), ("b" * 64, manifest), ("f" * 64, b"x")):
            member = tarfile.TarInfo(f"blobs/sha256/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    answers: list[dict[str, Any]] = [
        {"Id": IMAGE_ID, "Descriptor": {"mediaType": described}},
        {"Id": IMAGE_ID},
    ]

    def say(request: Request) -> bytes:
        if request.target.endswith("/get"):
            return chunked(archive.getvalue())
        return http(200, json.dumps(answers[0]).encode())

    with scripted(say) as (engine, server):
        engine._connection.client.info = lambda: {"DriverStatus": CONTAINERD}
        assert engine.holds_index(IMAGE_ID) is index
        assert not any(asked.target.endswith("/get") for asked in server.asked)
        del answers[0]
        assert engine.holds_index(IMAGE_ID) is index


def test_a_bare_id_is_looked_up_as_an_id(scripted: Engines) -> None:
    """A bare id is looked up with its `sha256:` prefix, since Podman takes 64 hex digits for a name."""
    with scripted(http(200, json.dumps({"Id": IMAGE_ID}).encode())) as (engine, server):
        assert engine.find_image_id("b" * 64) == IMAGE_ID
    assert unquote(server.asked[-1].target).endswith(f"/images/{IMAGE_ID}/json")


def test_a_pull_by_digest_asks_for_the_digest(scripted: Engines) -> None:
    """A reference with tag and digest is pulled by its digest, since tags move."""
    image = ImageReference.parse(f"127.0.0.1:5000/xfra-wait:1@{DIGEST}")

    def say(request: Request) -> bytes:
        if request.method == "POST":
            return events({"status": f"Digest: {DIGEST}"})
        return http(200, json.dumps({"Id": IMAGE_ID}).encode())

    with scripted(say) as (engine, server):
        assert engine.pull(image, TOKEN, progress=ignore_progress) == IMAGE_ID
    asked, looked = server.asked[-2:]
    assert parse_qs(urlsplit(asked.target).query)["tag"] == [DIGEST]
    assert unquote(looked.target).endswith(f"/images/127.0.0.1:5000/xfra-wait@{DIGEST}/json")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null"])
def test_what_is_no_docker_engine_is_said_as_that(scripted: Engines, body: bytes) -> None:
    """An answer without an inspection's members is reported as not from a Docker Engine."""
    with scripted(http(200, body)) as (engine, _), pytest.raises(EngineUnavailable, match="Docker Engine"):
        engine.find_image_id("xfra/wait")


def test_a_pull_from_an_engine_that_dies_is_unavailable(scripted: Engines) -> None:
    """An engine that dies during a pull is reported as unavailable."""
    with scripted(RESET) as (engine, _), pytest.raises(EngineUnavailable):
        engine.pull(IMAGE, TOKEN, progress=ignore_progress)


def test_tagging_an_image_that_is_not_there_names_it(scripted: Engines) -> None:
    """Tagging a missing local image is an error that names it."""
    answer = http(404, b'{"message": "No such image: nobody"}')
    with scripted(answer) as (engine, _), pytest.raises(ImageNotFound, match="no local image 'nobody'"):
        engine.tag("nobody", IMAGE)


def test_names_that_images_lost_are_left_out(scripted: Engines) -> None:
    """A repository named `<none>` among an image's digests is not listed as one of its names."""
    answer = {"Id": IMAGE_ID, "RepoDigests": [f"<none>@{DIGEST}", f"127.0.0.1:5000/xfra-wait@{DIGEST}"]}
    with scripted(http(200, json.dumps(answer).encode())) as (engine, _):
        held = engine.look_at("xfra/wait")
    assert held is not None
    assert held.known_as == (IMAGE.with_digest(DIGEST),)


def test_an_engine_that_falls_silent_may_be_waiting_for_a_registry(
    scripted: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine stops answering during a push, the error suggests the registry, not that the engine is down."""
    monkeypatch.setattr("ecr_widgets.adapters.engine_connection._SILENCE_S", 0.3)
    asked = Event()

    def silent(_: Request) -> bytes:
        asked.wait(30)
        return http(200, b"")

    with scripted(silent) as (engine, _):
        try:
            with pytest.raises(EngineUnavailable, match="a registry that does not answer") as caught:
                engine.push(IMAGE, TOKEN, progress=ignore_progress)
        finally:
            asked.set()
    assert "sent nothing for 0.3 s" in str(caught.value)
