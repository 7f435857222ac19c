"""The Layer0 client's changes without a usable reply, and answers that differ between servers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from ecr_widgets.adapters.layer0 import transport
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import (
    DeployTargetError,
    EcrWidgetsError,
    EntityNotFound,
    InputError,
    Layer0Error,
    Layer0Unavailable,
    OutcomeUnknown,
    SettingsError,
)
from ecr_widgets.model.layer0 import JobState
from ecr_widgets.settings import Layer0Settings
from tests.unit.adapters.scripted import RESET, Request, Scripted, answering, http

TOKEN = "bGF5ZXIwOm5vaGF4cGx6"
NOT_FOUND = http(404, b'{"error_code": 23, "message": "gone"}', label="text/plain; charset=utf-8")
NO_REPLIES = {
    "reset": RESET,
    "closed": b"",
    "cut": http(200, b'{"deploy_id"', length=500),
    "truncated": http(200, b'{"deploy_id": "timeo'),
    "html": http(200, b"<html>log in", label="text/html"),
    "empty": http(200),
    "number": http(200, b"42"),
    "other-object": http(200, b'{"status": "ok"}'),
    "gateway": http(502, b"<html>bad gateway", label="text/html"),
    "gateway-timeout": http(504, b"upstream timed out", label="text/plain"),
    "large": http(200, b" " * (8 * 1024 * 1024 + 1)),
}
CHANGES: dict[str, Callable[[Layer0Api], object]] = {
    "create_deploy": lambda layer0: layer0.create_deploy("timeout", b"{}"),
    "create_service": lambda layer0: layer0.create_service("demo24e9e412", "timeoutsvc", "timeout.1"),
    "update_service": lambda layer0: layer0.update_service("timeout95c61", "timeout.1"),
}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retry pauses of reads, which are recorded instead of slept."""
    asked_s: list[float] = []
    monkeypatch.setattr(transport.Transport.__init__, "__kwdefaults__", {"sleep": asked_s.append})
    return asked_s


def client(server: Scripted) -> Layer0Api:
    return Layer0Api(Layer0Settings(server.url, TOKEN))


def wire(value: Any) -> bytes:
    return http(200, json.dumps(value, indent=1).encode())


def entity(entity_id: str, **tags: str) -> dict[str, Any]:
    return {"entity_id": entity_id, "tags": [{"key": key, "value": value} for key, value in tags.items()]}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("reply", NO_REPLIES)
def test_a_change_without_a_usable_reply_is_unknown_and_asked_once(reply: str, change: str) -> None:
    """A change without a usable reply is sent once and reported as of unknown outcome."""
    with (
        answering(NO_REPLIES[reply]) as server,
        pytest.raises(OutcomeUnknown, match="check whether it was done"),
    ):
        CHANGES[change](client(server))
    assert len(server.asked) == 1


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http(400, b'{"error_code": 19, "message": "DeployName is required"}'), Layer0Error),
        (http(503, b'{"error_code": 20, "message": "throttled"}'), Layer0Error),
        (http(404, b'{"error_code": 28, "message": "no service"}'), EntityNotFound),
        (http(401, b"401: Not Authorized", label="text/plain"), Layer0Error),
        (http(404, b"404: Page Not Found", label="text/plain"), Layer0Unavailable),
        (http(415, b"415: Unsupported Media Type", label="text/plain"), Layer0Unavailable),
        (http(302, more={"Location": "https://login.example/"}), Layer0Unavailable),
    ],
    ids=["400", "503", "404", "401", "404-text", "415", "302"],
)
def test_a_refused_change_is_a_failure_and_asked_once(
    reply: bytes, kind: type[DeployTargetError], change: str
) -> None:
    """A refused change is sent once and is an error, since nothing happened."""
    with answering(reply) as server, pytest.raises(DeployTargetError) as caught:
        CHANGES[change](client(server))
    assert type(caught.value) is kind
    assert len(server.asked) == 1


@pytest.mark.parametrize("reply", ["reset", "closed", "cut", "gateway", "gateway-timeout"])
def test_a_read_that_keeps_failing_gives_up(reply: str, pauses: list[float]) -> None:
    """A read is tried four times with growing pauses, then raises a retryable error."""
    with answering(NO_REPLIES[reply]) as server, pytest.raises(Layer0Unavailable) as caught:
        client(server).read_deploy("timeout.1")
    assert caught.value.retryable
    assert (len(server.asked), pauses) == (4, [0.2, 0.4, 0.8])


@pytest.mark.parametrize("reply", ["truncated", "html", "empty", "number", "other-object", "large"])
def test_a_read_of_what_is_not_layer0_is_not_repeated(reply: str) -> None:
    """An answer that is not from Layer0 is not requested again, as it would be the same."""
    with answering(NO_REPLIES[reply]) as server, pytest.raises(Layer0Unavailable) as caught:
        client(server).read_deploy("timeout.1")
    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_a_body_that_drips_in_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out applies to the whole body, not to each part of it."""
    now_s = iter(range(0, 10_000, 20))
    monkeypatch.setattr(transport.time, "monotonic", lambda: float(next(now_s)))
    monkeypatch.setattr(transport, "_CHUNK_BYTES", 1)
    with (
        answering(wire({"deploy_id": "timeout.1"})) as server,
        pytest.raises(Layer0Unavailable, match="not complete"),
    ):
        client(server).read_deploy("timeout.1")


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("offset", [0, 150, 190])
def test_the_token_is_masked_before_a_text_is_cut(status: int, offset: int) -> None:
    """A page that echoes the token shows no part of it in the error, wherever the text is cut."""
    page = b"<p>" + b"x" * offset + TOKEN.encode() + b"y" * 300
    with (
        answering(http(status, page, label="text/html")) as server,
        pytest.raises(Layer0Unavailable) as caught,
    ):
        client(server).read_deploy("timeout.1")
    assert TOKEN[:6] not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_servers_message_is_masked_and_cut_too() -> None:
    """Layer0's own error text is shortened, and the token removed from it."""
    message = json.dumps({"error_code": 21, "message": TOKEN + "z" * 100_000}).encode()
    with answering(http(500, message)) as server, pytest.raises(Layer0Error) as caught:
        client(server).read_deploy("timeout.1")
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value)) < 1200
    assert (caught.value.status, caught.value.code) == (500, 21)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_takes_the_token_along(status: int) -> None:
    """A redirect is reported and not followed, so that the token is not sent elsewhere."""
    with answering(wire({"deploy_id": "timeout.1"})) as other:
        redirect = http(status, b'""', more={"Location": f"{other.url}/deploy/timeout.1"})
        with answering(redirect) as server, pytest.raises(Layer0Unavailable, match="redirect to http"):
            client(server).read_deploy("timeout.1")
    assert other.asked == []


@pytest.mark.parametrize(
    ("endpoint", "token", "why"),
    [
        ("http://layer0.example:9090", TOKEN, "plain http"),
        ("http://127.0.0.1.example.com", TOKEN, "plain http"),
        ("https://user:hunter2hunter2@layer0.example", TOKEN, "holds a user or password"),
        ("https://layer0.example", f"{TOKEN}\r\nX-Evil: 1", "LAYER0_AUTH_TOKEN"),
        ("https://layer0.example", TOKEN + "ü", "LAYER0_AUTH_TOKEN"),
    ],
)
def test_settings_that_would_leak_are_refused(endpoint: str, token: str, why: str) -> None:
    """Plain HTTP to another host, a password in the address and a malformed token are refused without showing them."""
    with pytest.raises(SettingsError, match=why) as caught:
        Layer0Api(Layer0Settings(endpoint, token))
    assert TOKEN not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_plain_http_on_an_https_endpoint_is_no_trust_matter() -> None:
    """An https endpoint without TLS is reported as a broken connection, not as an untrusted certificate."""
    with answering(http(400, b"plain http")) as server:
        layer0 = Layer0Api(Layer0Settings(server.url.replace("http:", "https:"), TOKEN))
        with pytest.raises(Layer0Unavailable, match="connection to Layer0 broke"):
            layer0.version()


@pytest.mark.parametrize("version", [b"42", b"null", b"{}", b"[]"])
def test_a_version_is_text(version: bytes) -> None:
    """A version that is not text means that the server is not Layer0."""
    with answering(http(200, version)) as server, pytest.raises(Layer0Unavailable, match="version"):
        client(server).version()


@pytest.mark.parametrize("wild", ["a/../b", "x?y=1", "ü &#%"])
def test_an_id_stays_one_segment_of_the_path(wild: str) -> None:
    """An id with special characters stays one segment of the path, and an empty one is refused."""
    with answering(NOT_FOUND) as server:
        for look in (Layer0Api.read_deploy, Layer0Api.read_service, Layer0Api.read_task, Layer0Api.read_job):
            with pytest.raises(EntityNotFound):
                look(client(server), wild)
        with pytest.raises(InputError, match="id is empty"):
            client(server).read_deploy("")
    for asked in server.asked:
        assert asked.target.count("/") == 2
        assert "?" not in asked.target


def test_a_name_is_escaped_in_a_query() -> None:
    """A name with special characters is escaped in the query."""
    with answering(wire([])) as server:
        assert client(server).find_environment("a&type=job #%") is None
    assert server.asked[0].target == "/tag?fuzz=a%26type%3Djob+%23%25&type=environment"


def test_environments_match_by_exact_name_or_id() -> None:
    """An environment is found by its exact name or id; a name that two of them have is an error."""
    tags = [entity("demo24e9e412", name="demo"), entity("demo2c0ffee0", name="demo2")]
    with answering(wire(tags)) as server:
        layer0 = client(server)
        for name in ("demo", "demo24e9e412"):
            found = layer0.find_environment(name)
            assert found is not None
            assert (found.environment_id, found.name) == ("demo24e9e412", "demo")
        assert layer0.find_environment("dem") is None
    twice = wire([*tags, entity("demo00000000", name="demo")])
    with answering(twice) as server, pytest.raises(Layer0Error, match="2 environments are called 'demo'"):
        client(server).find_environment("demo")


def test_a_service_is_found_through_its_tags() -> None:
    """A service is found by its tags, ignoring other environments, longer names and tags of deleted services."""
    tags = [
        entity("timeout00001", name="timeoutsvc", environment_id="other0000000"),
        entity("timeout00002", name="timeoutsvc2", environment_id="demo24e9e412"),
        entity("timeout00003", name="timeoutsvc", environment_id="demo24e9e412"),
        entity("timeout00004", name="timeoutsvc", environment_id="demo24e9e412"),
    ]

    def say(request: Request) -> bytes:
        if request.target.startswith("/tag"):
            return wire(tags)
        if request.target == "/service/timeout00004":
            return wire({"service_id": "timeout00004", "service_name": "timeoutsvc"})
        return http(404, b'{"error_code": 28, "message": "gone"}')

    with answering(say) as server:
        found = client(server).find_service("demo24e9e412", "timeoutsvc")
    assert found is not None
    assert found.service_id == "timeout00004"
    assert [request.target for request in server.asked[1:]] == [
        "/service/timeout00003",
        "/service/timeout00004",
    ]


def test_deploys_are_asked_for_without_a_version() -> None:
    """Deploys are requested without `latest`, for which servers return the highest version of any matching name."""
    with answering(wire([entity("timeout.2", name="timeout", version="2")])) as server:
        assert [each.version for each in client(server).list_deploys("timeout")] == [2]
    assert server.asked[0].target == "/tag?fuzz=timeout&type=deploy"


def test_changes_go_out_in_layer0s_words() -> None:
    """The path and body of each change are those of Layer0's API."""
    with answering(wire({"deploy_id": "timeout.1", "service_id": "timeout95c61"})) as server:
        for change in CHANGES.values():
            change(client(server))
    told = [(asked.method, asked.target, json.loads(asked.body)) for asked in server.asked]
    assert told == [
        ("POST", "/deploy", {"deploy_name": "timeout", "dockerrun": base64.b64encode(b"{}").decode()}),
        (
            "POST",
            "/service/",
            {
                "deploy_id": "timeout.1",
                "environment_id": "demo24e9e412",
                "load_balancer_id": "",
                "service_name": "timeoutsvc",
            },
        ),
        ("PUT", "/service/timeout95c61/deploy", {"deploy_id": "timeout.1"}),
    ]
    assert {asked.headers["content-type"] for asked in server.asked} == {"application/json"}
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Basic {TOKEN}"}


def task_server(reply: bytes) -> Callable[[Request], bytes]:
    return lambda request: reply if request.method == "POST" else wire({"deploy_id": "timeout.1"})


@pytest.mark.parametrize("header", [{"X-Jobid": "createtce94a"}, {"Location": "/job/createtce94a"}])
def test_a_tasks_job_is_in_a_header(header: dict[str, str]) -> None:
    """A 202 answer to a task has the job's id in the X-Jobid or Location header."""
    reply = http(202, b'""', label="text/plain; charset=utf-8", more=header)
    with answering(task_server(reply)) as server:
        job = client(server).start_task(
            "demo24e9e412", "one", "timeout.1", {"timeout": {"A": "b"}}, run_id="", token=""
        )
    assert job == "createtce94a"
    assert json.loads(server.asked[-1].body) == {
        "container_overrides": [{"container_name": "timeout", "environment_overrides": {"A": "b"}}],
        "deploy_id": "timeout.1",
        "environment_id": "demo24e9e412",
        "task_name": "one",
        # Servers up to v0.10.3 read a number of copies, and start none if it is missing.
        "copies": 1,
    }


@pytest.mark.parametrize("reply", [http(202, b'""'), http(200, b'{"task_id": "x"}'), http(202), RESET])
def test_a_task_without_a_job_is_unknown(reply: bytes) -> None:
    """A task's start without a job id in its answer is of unknown outcome."""
    with answering(task_server(reply)) as server, pytest.raises(OutcomeUnknown):
        client(server).start_task("demo24e9e412", "one", "timeout.1", {}, run_id="", token="")
    assert [asked.method for asked in server.asked] == ["GET", "POST"]


def test_the_start_of_a_task_is_known_by_its_job() -> None:
    """A lost start is found by the jobs that request the same task; a failed job's reasons come without log prefixes."""
    request = {
        "container_overrides": [{"container_name": "timeout", "environment_overrides": {"A": "b"}}],
        "deploy_id": "timeout.1",
        "environment_id": "demo24e9e412",
        "task_name": "one",
    }
    job = {"job_id": "1", "job_status": 4, "task_id": "runner", "request": json.dumps(request)}
    other = job | {"job_id": "2", "request": json.dumps(request | {"task_name": "two"})}
    log = {"name": "l0-job", "lines": ["2026-11-24 10:00:00 [Main] INFO : Error: AWS Error: no room"]}

    def reply(asked: Request) -> bytes:
        listed = {"/job/": [job, other], "/job/1": job, "/task/runner/logs?tail=20": [log]}
        return wire(listed[asked.target])

    with answering(reply) as server:
        layer0 = client(server)
        asked = layer0.task_requests(
            "demo24e9e412", "one", "timeout.1", {"timeout": {"A": "b"}}, run_id="any"
        )
        assert asked == {"1"}
        found = layer0.read_task_request("1")
    assert (found.task_id, found.is_over, found.state, found.reasons) == (None, True, "error", ("no room",))


def test_a_task_of_a_deploy_that_is_gone_is_not_asked_for() -> None:
    """Starting a task of a missing deploy is refused before the request, since Layer0 would retry it for a day."""
    with answering(NOT_FOUND) as server, pytest.raises(EntityNotFound):
        client(server).start_task("demo24e9e412", "one", "timeout.9", {}, run_id="", token="")
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda a: a.read_service("x"), {"service_id": "x", "deployments": 3}),
        (lambda a: a.read_service("x"), {"service_id": "x", "deployments": [3]}),
        (lambda a: a.read_task("x"), {"task_id": "x", "copies": [{"details": "odd"}]}),
        (lambda a: a.read_job("x"), {"job_id": "x", "job_status": 9}),
        (lambda a: a.read_job("x"), {"job_id": "x", "job_status": []}),
        (lambda a: a.read_job("x"), {"job_id": "x", "job_status": 3, "meta": [1]}),
        (lambda a: a.service_logs("x", tail=1), {"name": "x"}),
        (lambda a: a.task_logs("x", tail=1), [1]),
        (lambda a: a.find_environment("x"), {"x": 1}),
        (lambda a: a.list_deploys("x"), [entity("x.1") | {"tags": 4}]),
    ],
)
def test_an_odd_shape_is_a_typed_error(call: Callable[[Layer0Api], object], value: Any) -> None:
    """A value of the wrong type anywhere in an answer is an error of ours."""
    with answering(wire(value)) as server, pytest.raises(EcrWidgetsError):
        call(client(server))


def test_a_job_tells_its_task() -> None:
    """A job's task id comes from its `meta`, and is None until it is there."""
    with answering(wire({"job_id": "j", "job_status": 2, "meta": None})) as server:
        assert client(server).read_job("j").task_id is None
    with answering(wire({"job_id": "j", "job_status": 3, "meta": {"task_id": "one3427f5670"}})) as server:
        job = client(server).read_job("j")
    assert (job.state, job.task_id) == (JobState.COMPLETED, "one3427f5670")


def test_logs_ask_for_their_tail() -> None:
    """Logs are requested with the number of lines wanted, and returned per container."""
    with answering(
        wire([{"name": "timeout", "lines": ["a", "b"]}, {"name": "other", "lines": None}])
    ) as server:
        logs = client(server).service_logs("timeout95c61", tail=2)
    assert [(log.name, log.lines) for log in logs] == [("timeout", ("a", "b")), ("other", ())]
    assert server.asked[0].target == "/service/timeout95c61/logs?tail=2"


def test_a_server_of_another_version_is_warned_of_once_before_the_first_change() -> None:
    """A newer server causes one warning, before the first change, which is made nevertheless; reads do not warn."""
    told = {"Version": "v13.0.0"}
    deploy = json.dumps({"deploy_id": "timeout.1", "deploy_name": "timeout", "version": "1"}).encode()
    with answering(http(200, b"[]", more=told), http(200, deploy, more=told)) as server:
        layer0 = client(server)
        layer0.list_deploys("timeout")
        with pytest.warns(UserWarning, match=r"v13.0.0 is newer by its number"):
            layer0.create_deploy("timeout", b"{}")
        layer0.create_deploy("timeout", b"{}")
    assert len(server.asked) == 3


def test_a_server_that_was_not_read_from_is_warned_of_as_soon_as_its_version_is_known() -> None:
    """If the first request is a change, its answer reveals the newer version, and the next change warns."""
    with answering(http(200, b'""', more={"Version": "v13.0.0"})) as server:
        layer0 = client(server)
        layer0.delete_deploy("timeout.1")
        with pytest.warns(UserWarning, match=r"v13.0.0 is newer by its number"):
            layer0.delete_deploy("timeout.2")


def test_reasons_are_asked_for() -> None:
    """Each request asks for stop reasons with a header, which servers without them ignore."""
    with answering(wire([])) as server:
        client(server).list_deploys("timeout")
    assert server.asked[0].headers["prefer"] == "reasons"


@pytest.mark.parametrize("gone", [True, False])
def test_a_task_deletion_that_trips_over_its_tags_is_judged_by_the_task(*, gone: bool) -> None:
    """A 500 after deleting a task, as v0.12.1 to v0.12.6 answer, is an error only if the task still exists."""
    tripped = http(500, b'{"error_code": 21, "message": "dynamo: no item found"}', label="text/plain")
    task = http(404, b'{"error_code": 29, "message": "gone"}') if gone else wire({"task_id": "t"})
    with answering(tripped, task) as server:
        if gone:
            client(server).delete_task("t")
        else:
            with pytest.raises(Layer0Error, match="no item found"):
                client(server).delete_task("t")
    assert [each.method for each in server.asked] == ["DELETE", "GET"]


def test_services_are_listed_in_one_request_where_the_server_knows_their_names() -> None:
    """Services with names are listed in one request and sorted by name."""
    where = {"environment_id": "demo1", "environment_name": "demo"}
    listed = [{"service_id": f"s{n}", "service_name": f"service{n}", **where} for n in (2, 1)]
    with answering(wire(listed)) as server:
        assert [each.name for each in client(server).list_services("demo1")] == ["service1", "service2"]
    assert len(server.asked) == 1


def test_services_without_names_are_listed_by_their_tags() -> None:
    """If the server lists services without names, tags supply them: three requests, however many services there are."""
    listed = wire([{"service_id": "demo1", "service_name": "", "environment_id": "", "environment_name": ""}])
    tagged = [entity(f"s{n}", name=f"service{n}", environment_id="demo1") for n in (2, 1, 3)]
    with answering(listed, wire(tagged), wire([entity("demo1", name="demo")])) as server:
        found = client(server).list_services("demo1")
    assert [(each.entity_id, each.name, each.environment) for each in found] == [
        (f"s{n}", f"service{n}", "demo") for n in (1, 2, 3)
    ]
    assert len(server.asked) == 3


def test_the_latest_of_a_name_is_found_though_a_longer_name_hides_it() -> None:
    """If a longer name hides the latest deploy, all versions are requested; otherwise one request is enough."""
    ours = [entity(f"late.{n}", name="late", version=str(n)) for n in (2, 10, 9)]
    other = entity("late-worker.11", name="late-worker", version="11")
    with answering(wire([other]), wire([*ours, other])) as server:
        found = client(server).find_latest_deploy("late")
    assert found is not None
    assert (found.deploy_id, len(server.asked)) == ("late.10", 2)
    with answering(wire([ours[1]])) as server:
        assert client(server).find_latest_deploy("late") == found
    assert len(server.asked) == 1
    with answering(wire([])) as server:
        assert client(server).find_latest_deploy("late") is None


@pytest.mark.parametrize("code", [4, 6, 8, 10, 12, 14])
def test_old_servers_tell_of_what_is_not_there_by_an_invalid_id(code: int) -> None:
    """The codes for an invalid id, which servers up to v0.10.2 send for missing entities, mean not found."""
    told = json.dumps({"error_code": code, "message": "no"}).encode()
    with answering(http(400, told, label="text/plain")) as server, pytest.raises(EntityNotFound) as raised:
        Layer0Api(Layer0Settings(server.url, "token")).read_service("s")
    assert raised.value.code == code
