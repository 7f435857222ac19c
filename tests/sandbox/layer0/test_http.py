"""Rules of Layer0's HTTP that the `l0` command lives by; each row was seen on a real server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from ecr_widgets.sandbox.layer0.api_errors import aws_error
from tests.sandbox.layer0.served import REASONS, TOKEN, Reply, Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

AUTHORIZED = {"Authorization": f"Basic {TOKEN}"}
JSON = AUTHORIZED | {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve(FakeContainers(missing={"absent"}, exit_codes={"ends": 3}), version="v0.12.11") as each:
        yield each


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "text"),
    [
        ("GET", "/health", {}, None, 200, '""'),
        ("GET", "/admin/config", {}, None, 200, '"prefix"'),
        ("GET", "/deploy", {}, None, 401, "401: Not Authorized"),
        ("GET", "/deploy", {"Authorization": f"basic {TOKEN}"}, None, 401, "401: Not Authorized"),
        ("GET", "/deploy", {"Authorization": f"Bearer {TOKEN}"}, None, 401, "401: Not Authorized"),
        ("GET", "/deploy?", AUTHORIZED, None, 200, "["),
        ("GET", "/deploy/", AUTHORIZED, None, 200, "["),
        ("GET", "/deploy//x", AUTHORIZED, None, 301, ""),
        ("GET", "/deploy/x/y/z", AUTHORIZED, None, 404, "404: Page Not Found"),
        ("GET", "/nothing", AUTHORIZED, None, 404, "custom 404"),
        ("PATCH", "/deploy", AUTHORIZED, None, 405, "405: Method Not Allowed"),
        ("GET", "/deploy", AUTHORIZED | {"Accept": "text/html"}, None, 406, "406: Not Acceptable"),
        ("GET", "/deploy", AUTHORIZED | {"Accept": "text/html, */*;q=0.1"}, None, 200, "["),
        ("POST", "/deploy", AUTHORIZED, None, 406, "406: Not Acceptable"),
        ("POST", "/deploy", AUTHORIZED, "{}", 415, "415: Unsupported Media Type"),
        ("POST", "/deploy", JSON, None, 400, '"EOF"'),
        ("POST", "/deploy", JSON, "{}\n", 400, "DeployName is required"),
        ("GET", "/health", {"X-Forwarded-Proto": "http"}, None, 301, '""'),
        ("GET", "/", {}, None, 404, "custom 404"),
        ("GET", "/apidocs.json", {}, None, 404, "custom 404"),
        ("GET", "/deploy/api%2E1", AUTHORIZED, None, 200, "api.1"),
        ("GET", "/tag?type=deploy&fuzz=%FF", AUTHORIZED, None, 200, "[]"),
        ("POST", "/deploy", JSON, '{"deploy_name": "\\ud800.x"}', 400, '"error_code": 4'),
    ],
)
def test_what_is_wrong_before_a_call_is_told_as_the_real_server_does(
    served: Served, method: str, path: str, headers: dict[str, str], body: str | None, status: int, text: str
) -> None:
    """Status, text and, but for unknown top-level paths and doubled slashes, the settable version."""
    reply = served.ask(method, path, body, headers)
    assert (reply.status, text in reply.body) == (status, True)
    without = path == "/" or "nothing" in path or "//" in path or "docs" in path
    assert reply.headers.get("Version") == (None if without else "v0.12.11")


def test_what_aws_says_comes_in_layer0s_words() -> None:
    """The words of AWS that Layer0 swaps are swapped, one after the other."""
    error = aws_error("The Application of this Environment has no Listener", "Nope")
    assert error.message == "AWS Error: the environment of this service has no port (code 'Nope')"


def test_an_override_for_a_container_that_is_not_there_fails_the_job(
    served: Served, demo: str, deploy: str
) -> None:
    """The task is not run without it."""
    strange = [{"container_name": "strange", "environment_overrides": {"A": "b"}}]
    reply = post(
        served,
        "/task",
        environment_id=demo,
        task_name="strange",
        deploy_id=deploy,
        container_overrides=strange,
    )
    job = ended(served, reply.headers["X-Jobid"])
    assert (job["job_status"], served.ask("GET", "/tag?type=task&fuzz=strange").value) == (4, [])
    (log,) = served.ask("GET", f"/task/{job['task_id']}/logs").value
    assert "container named strange" in log["lines"][-1]


def test_options_are_answered_without_a_token(served: Served) -> None:
    """The methods of a path are no secret."""
    reply = served.ask("OPTIONS", "/deploy", None)
    assert (reply.status, reply.body, reply.headers["Allow"]) == (200, "", "GET, OPTIONS, POST")


@pytest.mark.parametrize("path", ["/deploy", "/health", "/apidocs", "/deploy//x", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://a.example", None),
        ("null", None),
        ("", None),
        (None, "a.example"),
        (None, "localhost"),
        (None, ""),
    ],
)
def test_pages_of_the_web_get_no_answer(
    served: Served, method: str, path: str, origin: str | None, host: str | None
) -> None:
    """A request with an origin or for another host is refused before anything else, with the right token too."""
    headers = AUTHORIZED | ({} if origin is None else {"Origin": origin})
    reply = served.ask(method, path, None, headers, to_host=host)
    assert reply.status == 403
    assert [name for name in reply.headers if name.startswith("Access-Control")] == []


def post(served: Served, path: str, **body: object) -> Reply:
    return served.ask("POST", path, json.dumps(body))


def put(served: Served, path: str, **body: object) -> Reply:
    return served.ask("PUT", path, json.dumps(body))


def coded(**document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


@pytest.fixture(scope="module")
def demo(served: Served) -> str:
    (found,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
    return str(found["entity_id"])


@pytest.fixture(scope="module")
def deploy(served: Served) -> str:
    made = post(
        served, "/deploy", deploy_name="errors", dockerrun=coded(containerDefinitions=[container("a")])
    )
    return str(made.value["deploy_id"])


def container(name: str) -> dict[str, object]:
    return {"name": name, "image": "busybox", "memory": 10}


CONTAINER = container("a")
CHECK = {"target": "TCP:80", "interval": 30, "timeout": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}
PORT = {"host_port": 18080, "container_port": 80, "protocol": "tcp"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/deploy", {"deploy_name": 1}, 400, 1),
        ("/deploy", {"deploy_name": "a", "dockerrun": "%"}, 400, 1),
        ("/deploy", {"deploy_name": "a"}, 400, 1),
        ("/deploy", {"deploy_name": "a.b"}, 400, 4),
        ("/deploy", {"deploy_name": "a b", "dockerrun": coded(containerDefinitions=[CONTAINER])}, 500, 21),
        ("/environment", {"environment_name": "e", "user_data_template": "%"}, 400, 1),
        ("/deploy", {"deploy_name": "a", "dockerrun": coded()}, 500, 21),
        ("/deploy", {"deploy_name": "a", "dockerrun": coded(containerDefinitions=[{"name": "a"}])}, 500, 21),
        (
            "/deploy",
            {"deploy_name": "a", "dockerrun": coded(family="x", containerDefinitions=[container("a")])},
            500,
            21,
        ),
        ("/environment", {}, 400, 19),
        ("/environment", {"environment_name": "e"}, 400, 19),
        ("/environment", {"environment_name": "api"}, 400, 6),
        ("/environment", {"environment_name": "api", "operating_system": "linux"}, 400, 6),
        ("/environment", {"environment_name": "e", "operating_system": "plan9"}, 500, 21),
        (
            "/environment",
            {"environment_name": "e", "operating_system": "linux", "target_cap_size": 100},
            500,
            21,
        ),
        ("/environment/DEMO/link", {"environment_id": "nowhere"}, 500, 21),
        ("/service", {}, 400, 19),
        ("/service", {"environment_id": "DEMO"}, 400, 19),
        ("/service", {"environment_id": "DEMO", "service_name": "s"}, 400, 19),
        ("/service", {"environment_id": "x", "service_name": "s", "deploy_id": "DEPLOY"}, 400, 6),
        ("/service", {"environment_id": "DEMO", "service_name": "s", "deploy_id": "x.1"}, 500, 21),
        (
            "/service",
            {"environment_id": "DEMO", "service_name": "s", "deploy_id": "DEPLOY", "load_balancer_id": "x"},
            404,
            26,
        ),
        ("/loadbalancer", {}, 400, 19),
        ("/loadbalancer", {"environment_id": "DEMO"}, 400, 19),
        ("/loadbalancer", {"environment_id": "x", "load_balancer_name": "l"}, 500, 21),
        (
            "/loadbalancer",
            {"environment_id": "DEMO", "load_balancer_name": "l", "ports": [PORT | {"protocol": "udp"}]},
            500,
            21,
        ),
        (
            "/loadbalancer",
            {"environment_id": "DEMO", "load_balancer_name": "l", "ports": [PORT], "health_check": CHECK},
            500,
            21,
        ),
        ("/tag", {"entity_id": "a", "entity_type": "task", "key": "", "value": "v"}, 400, 17),
        ("/tag", {"entity_id": "a", "entity_type": "task", "key": "k", "value": ""}, 400, 18),
    ],
)
def test_a_refused_creation_has_the_real_servers_status_and_code(
    served: Served, demo: str, deploy: str, path: str, body: dict[str, object], status: int, code: int
) -> None:
    """Errors are JSON labelled as plain text, with the code that clients tell them by."""
    text = json.dumps(body).replace("DEMO", demo).replace("DEPLOY", deploy)
    reply = served.ask("POST", path.replace("DEMO", demo), text)
    assert (reply.status, reply.value["error_code"]) == (status, code)
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/deploy/x.1", None, 404, 23),
        ("DELETE", "/deploy/x.1", None, 500, 21),
        ("GET", "/environment/x", None, 404, 24),
        ("GET", "/job/x", None, 404, 25),
        ("DELETE", "/job/x", None, 404, 25),
        ("GET", "/loadbalancer/x", None, 404, 26),
        ("PUT", "/loadbalancer/x/ports", {"ports": []}, 404, 26),
        ("PUT", "/loadbalancer/x/healthcheck", {"health_check": CHECK}, 500, 21),
        ("PUT", "/loadbalancer/x/idletimeout", {"health_check": 60}, 500, 21),
        ("PUT", "/loadbalancer/api/idletimeout", {"idle_timeout": 60}, 500, 21),
        ("PUT", "/loadbalancer/api/idletimeout", {"health_check": {"target": "a"}}, 400, 1),
        ("PUT", "/loadbalancer/x/crosszone", {"cross_zone": True}, 500, 21),
        ("GET", "/service/x", None, 404, 28),
        ("GET", "/service/x/logs", None, 404, 28),
        ("PUT", "/service/x/scale", {"desired_count": 1}, 404, 28),
        ("PUT", "/service/x/deploy", {"deploy_id": "x.1"}, 404, 28),
        ("PUT", "/service/api/deploy", {"deploy_id": "x.1"}, 500, 21),
        ("GET", "/service/api/logs?tail=x", None, 400, 1),
        ("GET", "/service/api/logs?start=x", None, 500, 21),
        ("GET", "/task/x", None, 404, 29),
        ("DELETE", "/task/x", None, 404, 29),
        ("GET", "/tag", None, 400, 19),
        (
            "DELETE",
            "/tag",
            {"entity_id": "x", "entity_type": "task", "key": "k", "value": "v"},
            500,
            21,
        ),
        ("DELETE", "/environment/x/link/y", None, 200, None),
    ],
)
def test_what_does_not_stand_is_told_as_the_real_server_does(
    served: Served, method: str, path: str, body: object, status: int, code: int | None
) -> None:
    """Not found comes in three dresses, by call."""
    reply = served.ask(method, path, None if body is None else json.dumps(body))
    value = reply.value
    assert (reply.status, value.get("error_code") if isinstance(value, dict) else None) == (status, code)


@pytest.mark.parametrize("path", ["/environment/x", "/service/x", "/loadbalancer/x"])
def test_deleting_what_does_not_stand_is_a_job_that_fails(served: Served, path: str) -> None:
    """202 as always, then state 4, and the log says why."""
    reply = served.ask("DELETE", path)
    job_id = reply.headers["X-Jobid"]
    assert (reply.status, reply.value, reply.headers["Location"]) == (202, "", f"/job/{job_id}")
    job = ended(served, job_id)
    assert (job["job_status"], job["meta"]) == (4, None)
    (log,) = served.ask("GET", f"/task/{job['task_id']}/logs").value
    assert log["name"] == "l0-job"
    assert "does not exist" in log["lines"][-1]


def ended(served: Served, job_id: str) -> dict[str, object]:
    for _ in range(1000):
        job: dict[str, object] = served.ask("GET", f"/job/{job_id}").value
        if job["job_status"] in (3, 4):
            return job
    raise AssertionError(job)


def test_a_version_is_never_given_twice(served: Served) -> None:
    """Not after a deletion either; the list does not show what was deleted."""
    document = coded(containerDefinitions=[container("a")])
    first, second = (post(served, "/deploy", deploy_name="numbers", dockerrun=document).value for _ in "ab")
    assert served.ask("DELETE", f"/deploy/{second['deploy_id']}").status == 200
    third = post(served, "/deploy", deploy_name="numbers", dockerrun=document).value
    assert [each["version"] for each in (first, second, third)] == ["1", "2", "3"]
    listed = [each["deploy_id"] for each in served.ask("GET", "/deploy").value]
    assert [each for each in listed if each.startswith("numbers.")] == ["numbers.1", "numbers.3"]


def test_latest_is_found_for_each_name(served: Served) -> None:
    """A longer name with a higher version does not hide a shorter one; ids and names are found by prefix."""
    document = coded(containerDefinitions=[container("a")])
    for name in ("late", "late-worker", "late-worker"):
        post(served, "/deploy", deploy_name=name, dockerrun=document)
    found = served.ask("GET", "/tag?fuzz=late&type=deploy&version=latest").value
    assert sorted(each["entity_id"] for each in found) == ["late-worker.2", "late.1"]
    (by_filter,) = served.ask("GET", "/tag?fuzz=late&type=deploy&version=2").value
    assert by_filter["entity_id"] == "late-worker.2"
    assert served.ask("GET", "/tag?fuzz=nobody&type=deploy").value == []
    assert served.ask("GET", "/tag?type=cats").value == []


def test_tags_are_set_and_taken_away(served: Served) -> None:
    """201 and 204 have no body at all; a key that is not there is no error."""
    tag = {"entity_id": "mine", "entity_type": "job", "key": "note", "value": "x"}
    assert (post(served, "/tag", **tag).status, post(served, "/tag", **tag).body) == (201, "")
    (found,) = served.ask("GET", "/tag?type=job&id=mine").value
    assert found["tags"] == [tag]
    assert served.ask("DELETE", "/tag", json.dumps(tag | {"key": "other"})).status == 204
    assert served.ask("DELETE", "/tag", json.dumps(tag)).body == ""


def test_all_links_are_kept_where_the_real_server_keeps_the_last(served: Served, demo: str) -> None:
    """Both sides show each other; taking one away leaves the others."""
    ids = [
        post(served, "/environment", environment_name=name, operating_system="Linux").value["environment_id"]
        for name in ("link-b", "link-c")
    ]
    for each in ids:
        assert post(served, f"/environment/{demo}/link", environment_id=each).value == ""
    assert served.ask("GET", f"/environment/{demo}").value["links"] == ids
    served.ask("DELETE", f"/environment/{demo}/link/{ids[0]}")
    assert served.ask("GET", f"/environment/{demo}").value["links"] == ids[1:]
    assert served.ask("GET", f"/environment/{ids[0]}").value["links"] == []


def test_an_environment_is_deleted_with_all_that_is_in_it(served: Served, deploy: str) -> None:
    """Its service, task and load balancer go first; names are free again."""
    environment = post(served, "/environment", environment_name="gone", operating_system="linux").value
    environment_id = environment["environment_id"]
    assert len(environment_id) == 12
    where = {"environment_id": environment_id}
    service = post(served, "/service", **where, service_name="s", deploy_id=deploy).value
    balancer = post(
        served,
        "/loadbalancer",
        **where,
        load_balancer_name="l",
        ports=[PORT],
        health_check=CHECK,
        idle_timeout=60,
    ).value
    job = post(served, "/task", **where, task_name="t", deploy_id=deploy)
    task_id = ended(served, job.headers["X-Jobid"])["meta"]
    assert isinstance(task_id, dict)
    job = served.ask("DELETE", f"/environment/{environment_id}")
    assert ended(served, job.headers["X-Jobid"])["job_status"] == 3
    for path in (
        f"/environment/{environment_id}",
        f"/service/{service['service_id']}",
        f"/loadbalancer/{balancer['load_balancer_id']}",
        f"/task/{task_id['task_id']}",
    ):
        assert served.ask("GET", path).status == 404
    assert served.ask("GET", f"/tag?type=service&environment_id={environment_id}").value == []


def test_a_task_with_unknown_ids_is_refused_at_once(served: Served, demo: str) -> None:
    """The real server takes it and tries for a day."""
    reply = post(served, "/task", environment_id=demo, task_name="t", deploy_id="x.1")
    assert (reply.status, reply.value["error_code"]) == (404, 23)


def test_an_image_that_cannot_be_pulled_is_told_by_the_task_and_the_service(
    served: Served, demo: str
) -> None:
    """ECS's reason stands where ECS puts it, and a service goes on trying, ever later."""
    document = coded(containerDefinitions=[container("a") | {"image": "absent"}])
    deploy_id = post(served, "/deploy", deploy_name="absent", dockerrun=document).value["deploy_id"]
    given = {"environment_id": demo, "deploy_id": deploy_id}
    job = ended(served, post(served, "/task", **given, task_name="t").headers["X-Jobid"])
    assert isinstance(job["meta"], dict)
    for _ in range(1000):
        task = served.ask("GET", f"/task/{job['meta']['task_id']}").value
        if task["pending_count"] == 0:
            break
    assert "CannotPullContainerError" in task["copies"][0]["reason"]
    service = post(served, "/service", **given, service_name="absent").value
    for _ in range(5000):
        service = served.ask("GET", f"/service/{service['service_id']}", None, REASONS).value
        if "stopped_reasons" in service["deployments"][0]:
            break
    assert "CannotPullContainerError" in service["deployments"][0]["stopped_reasons"][0]
    assert (service["desired_count"], service["running_count"]) == (1, 0)
    plain = served.ask("GET", f"/service/{service['service_id']}").value
    assert not {"events", "stopped_reasons"} & set(plain["deployments"][0])


def test_a_container_that_ends_while_it_is_started_is_told_as_one_that_ends_later(
    served: Served, demo: str
) -> None:
    """ECS's words for why, and the exit code, wherever the first look at it came."""
    document = coded(containerDefinitions=[container("a") | {"image": "ends"}])
    deploy_id = post(served, "/deploy", deploy_name="ends", dockerrun=document).value["deploy_id"]
    service = post(served, "/service", environment_id=demo, deploy_id=deploy_id, service_name="ends").value
    for _ in range(5000):
        service = served.ask("GET", f"/service/{service['service_id']}", None, REASONS).value
        if told := service["deployments"][0].get("stopped_reasons"):
            break
    assert told[0] == "Essential container in task exited (a exit code 3)"
