"""Finer points of the real server that its command, its smoke tests and replayed recordings come upon."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.layer0.served import REASONS, Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

CHECK = {"target": "TCP:80", "interval": 30, "timeout": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}


@pytest.fixture
def served() -> Iterator[Served]:
    with serve(FakeContainers()) as each:
        yield each


def coded(**document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def container(**more: object) -> dict[str, object]:
    return {"name": "a", "image": "busybox", "memory": 10, **more}


def stored(served: Served, **document: object) -> dict[str, Any]:
    """A Dockerrun as the server hands it back."""
    made = served.value("POST", "/deploy", deploy_name="d", dockerrun=coded(**document))
    read: dict[str, Any] = json.loads(
        base64.b64decode(served.value("GET", f"/deploy/{made['deploy_id']}")["dockerrun"])
    )
    return read


def demo(served: Served) -> str:
    (found,) = served.value("GET", "/tag?fuzz=demo&type=environment")
    return str(found["entity_id"])


def created(served: Served, name: str, **more: object) -> tuple[int, Any]:
    body = {"environment_name": name, "operating_system": "linux", **more}
    reply = served.ask("POST", "/environment", json.dumps(body))
    return reply.status, reply.value


def ended(served: Served, job_id: str) -> dict[str, Any]:
    for _ in range(1000):
        job: dict[str, Any] = served.value("GET", f"/job/{job_id}")
        if job["job_status"] in (3, 4):
            return job
    raise AssertionError(job)


def test_an_environment_that_only_stood_ready_can_be_created_once(served: Served) -> None:
    """`demo` is there for those who look, and whoever creates it gets it as asked for; after that its name is taken."""
    stood = demo(served)
    status, made = created(served, "demo", instance_size="t2.small", min_cluster_count=3)
    assert (status, made["instance_size"], made["min_count"]) == (200, "t2.small", 3)
    assert (demo(served) == made["environment_id"]) is (made["environment_id"] != stood)
    assert [each["environment_name"] for each in served.value("GET", "/environment")] == ["api", "demo"]
    assert created(served, "demo")[0] == 400


@pytest.mark.parametrize("use", ["change", "link", "service", "task", "balancer"])
def test_an_environment_that_was_used_cannot_be_created_again(served: Served, use: str) -> None:
    """What people have put in an environment is never thrown away by a creation."""
    where = demo(served)
    served.value("POST", "/deploy", deploy_name="d", dockerrun=coded(containerDefinitions=[container()]))
    if use == "change":
        served.value("PUT", f"/environment/{where}", min_cluster_count=2)
    elif use == "link":
        served.value("POST", f"/environment/{where}/link", environment_id="api")
    elif use == "service":
        served.value("POST", "/service", environment_id=where, service_name="s", deploy_id="d.1")
    elif use == "task":
        served.value("POST", "/task", environment_id=where, task_name="t", deploy_id="d.1")
    else:
        served.value(
            "POST", "/loadbalancer", environment_id=where, load_balancer_name="l", ports=[],
            health_check=CHECK, idle_timeout=60,
        )  # fmt: skip
    status, told = created(served, "demo")
    assert (status, told["error_code"], demo(served)) == (400, 6, where)


def test_every_layer0_has_a_certificate_of_its_own_and_tells_name_and_arn(served: Served) -> None:
    """The smoke tests' `l0-…-api` is known; a listener's certificate has both words, however it was given."""
    arn = "arn:aws:acm:us-west-2:123456789012:certificate/1"
    ports: list[dict[str, object]] = [
        {"host_port": 18443, "container_port": 80, "protocol": "https", "certificate_name": "l0-bats-api"},
        {"host_port": 18444, "container_port": 80, "protocol": "ssl", "certificate_arn": arn},
    ]
    made = served.value(
        "POST", "/loadbalancer", environment_id=demo(served), load_balancer_name="l", ports=ports,
        health_check=CHECK, idle_timeout=60,
    )  # fmt: skip
    read = served.value("GET", f"/loadbalancer/{made['load_balancer_id']}")["ports"]
    assert [(each["certificate_name"], each["certificate_arn"]) for each in read] == [
        ("l0-bats-api", "arn:aws:iam::111222333444:server-certificate/l0-bats-api"),
        ("", arn),
    ]


def test_members_of_a_dockerrun_are_read_in_any_case(served: Served) -> None:
    """As Go's decoder reads them; names that are people's own stay as they are."""
    read = stored(
        served,
        containerdefinitions=[
            {
                "NAME": "a",
                "image": "busybox",
                "memory": 10,
                "entrypoint": ["sh"],
                "portmappings": [{"containerport": 80, "hostPORT": 8080}],
                "dockerlabels": {"Name": "kept"},
            }
        ],
    )
    (told,) = read["containerDefinitions"]
    assert (told["Name"], told["EntryPoint"], told["DockerLabels"]) == ("a", ["sh"], {"Name": "kept"})
    assert told["PortMappings"] == [{"ContainerPort": 80, "HostPort": 8080, "Protocol": None}]


def test_a_task_role_and_placement_constraints_are_kept(served: Served) -> None:
    """Both are read by Layer0, so both come back; without them nothing of the kind does."""
    read = stored(
        served,
        containerDefinitions=[container()],
        taskRoleArn="arn:aws:iam::1:role/r",
        placementConstraints=[{"type": "memberOf", "expression": "attribute:x == y"}],
    )
    assert read["taskRoleArn"] == "arn:aws:iam::1:role/r"
    assert read["placementConstraints"] == [{"Expression": "attribute:x == y", "Type": "memberOf"}]
    assert not {"taskRoleArn", "placementConstraints"} & set(
        stored(served, containerDefinitions=[container()])
    )


@pytest.mark.parametrize(
    "document",
    [
        {"containerDefinitions": [container()], "networkMode": 5},
        {"containerDefinitions": [container()], "taskRoleArn": []},
        {"containerDefinitions": [container()], "placementConstraints": "x"},
        {"containerDefinitions": [container(memory=2**63)]},
    ],
)
def test_members_of_a_wrong_type_are_refused(served: Served, document: dict[str, object]) -> None:
    """Code 1, as for all that Go cannot decode; a number beyond 64 bits is one of them."""
    reply = served.ask("POST", "/deploy", json.dumps({"deploy_name": "d", "dockerrun": coded(**document)}))
    assert (reply.status, reply.value["error_code"]) == (400, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=environment&version=latest", []),
        ("type=environment&version=", []),
        ("type=environment&nokey=", []),
        ("type=environment&fuzz=", ["api", "demo"]),
        ("type=environment&fuzz=api&fuzz=demo", ["api"]),
    ],
)
def test_tags_are_filtered_as_the_real_server_does(served: Served, query: str, found: list[str]) -> None:
    """Latest knows versioned entities only, a filter without a value matches nothing, of two equal keys the first counts."""
    listed = served.value("GET", f"/tag?{query}")
    names = [tag["value"] for each in listed for tag in each["tags"] if tag["key"] == "name"]
    assert sorted(names) == found


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/service", {}, "EnvironmentID not specified"),
        ("POST", "/service", {"environment_id": "DEMO"}, "ServiceName not specified"),
        ("POST", "/service", {"environment_id": "DEMO", "service_name": "s"}, "DeployID not specified"),
        (
            "POST",
            "/service",
            {"environment_id": "x", "service_name": "s", "deploy_id": "d.1"},
            "Environment with id 'x' was not found",
        ),
        ("POST", "/loadbalancer", {"environment_id": "DEMO"}, "LoadBalancerName not specified"),
        (
            "POST",
            "/loadbalancer",
            {"environment_id": "x", "load_balancer_name": "l"},
            "Security group for environment 'x' does not exist",
        ),
        (
            "POST",
            "/loadbalancer",
            {"environment_id": "api", "load_balancer_name": "api"},
            "LoadBalancer with name 'api' already exists in Environment 'api'",
        ),
        (
            "POST",
            "/service",
            {"environment_id": "DEMO", "service_name": "s", "deploy_id": "d.1", "load_balancer_id": "api"},
            "No containers defined that listen on a port that is mapped by the load balancer",
        ),
        ("GET", "/service/x", None, "Service x does not exist"),
        ("GET", "/job/x", None, "Job x does not exist"),
        ("GET", "/task/x", None, "Failed to find environment for task x"),
    ],
)
def test_errors_are_worded_as_the_real_server_words_them(
    served: Served, method: str, path: str, body: dict[str, object] | None, message: str
) -> None:
    """Recordings are compared by the message, too."""
    served.value("POST", "/deploy", deploy_name="d", dockerrun=coded(containerDefinitions=[container()]))
    text = None if body is None else json.dumps(body).replace("DEMO", demo(served))
    assert served.ask(method, path, text).value["message"] == message


def test_a_deployment_loses_its_deploys_name_with_the_deploy(served: Served) -> None:
    """Name and version are the deploy's tags, which go when it is deleted; the id stays."""
    served.value("POST", "/deploy", deploy_name="d", dockerrun=coded(containerDefinitions=[container()]))
    made = served.value("POST", "/service", environment_id=demo(served), service_name="s", deploy_id="d.1")
    served.value("DELETE", "/deploy/d.1")
    (told,) = served.value("GET", f"/service/{made['service_id']}")["deployments"]
    assert (told["deploy_id"], told["deploy_name"], told["deploy_version"]) == ("d.1", "", "")


@pytest.mark.parametrize("path", ["/environment/api", "/service/api", "/loadbalancer/api"])
def test_what_layer0_runs_in_cannot_be_deleted(served: Served, path: str) -> None:
    """The job fails, and all of it stays."""
    job = ended(served, served.value("DELETE", path))
    assert job["job_status"] == 4
    for each in ("environment", "service", "loadbalancer"):
        assert served.ask("GET", f"/{each}/api").status == 200


def test_a_tag_may_be_of_any_kind_of_thing(served: Served) -> None:
    """Set without a question; taken from what has none it is the store's own error."""
    tag = json.dumps({"entity_id": "a", "entity_type": "cat", "key": "k", "value": "v"})
    refused = served.ask("DELETE", "/tag", tag)
    assert (refused.status, refused.value["error_code"]) == (500, 21)
    assert served.ask("POST", "/tag", tag).status == 201


def test_what_the_real_server_has_not_is_there_for_those_who_ask(served: Served) -> None:
    """Where balancers listen is told to one who prefers reasons; the older health path is not served at all."""
    assert served.ask("GET", "/admin/listeners").status == 404
    assert served.ask("GET", "/admin/listeners", None, REASONS).status == 200
    assert served.ask("GET", "/admin/health").status == 404


def test_a_preflight_has_no_type(served: Served) -> None:
    """An answer without a body is labelled as nothing."""
    assert "Content-Type" not in served.ask("OPTIONS", "/deploy").headers


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        ({"max_cluster_count": 3}, 1),
        ({"max_cluster_count": 3, "target_cap_size": 100}, 1),
        ({"target_cap_size": 100}, 2),
    ],
)
def test_a_group_that_scales_needs_a_least_number(served: Served, counts: dict[str, int], wrong: int) -> None:
    """AWS wants both step sizes of a capacity provider to be 1 at least."""
    status, told = created(served, "grows", **counts)
    assert (status, told["error_code"]) == (500, 21)
    assert told["message"] == f"AWS Error: {wrong} validation error(s) found. (code 'InvalidParameter')"
    assert created(served, "grows", min_cluster_count=1, **counts)[0] == 200


def test_an_operating_system_is_told_as_it_was_given(served: Served) -> None:
    """Layer0 compares without case and keeps what it got."""
    assert created(served, "win", operating_system="WINDOWS")[1]["operating_system"] == "WINDOWS"


def test_a_port_that_is_there_can_be_added_again(served: Served) -> None:
    """`l0 loadbalancer addport` sends it twice; two different ones on one host port are AWS's to refuse."""
    port = {"host_port": 41080, "container_port": 80, "protocol": "tcp"}
    made = served.value(
        "POST",
        "/loadbalancer",
        environment_id=demo(served),
        load_balancer_name="web",
        ports=[port],
        health_check=CHECK,
        idle_timeout=60,
    )
    path = f"/loadbalancer/{made['load_balancer_id']}/ports"
    assert len(served.value("PUT", path, ports=[port, port])["ports"]) == 2
    assert len(served.value("GET", f"/loadbalancer/{made['load_balancer_id']}")["ports"]) == 1
    other = json.dumps({"ports": [port, port | {"container_port": 81}]})
    assert served.ask("PUT", path, other).status == 500


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"containerDefinitions": [container(name=f"c{n}") for n in range(11)]}, "too many container"),
        ({"containerDefinitions": [container(command=["x" * 66000])]}, "max allowed length is '65536' bytes"),
    ],
)
def test_a_dockerrun_beyond_what_aws_takes_is_refused(
    served: Served, document: dict[str, Any], why: str
) -> None:
    """As ECS does, whatever the client let through."""
    reply = served.ask("POST", "/deploy", json.dumps({"deploy_name": "d", "dockerrun": coded(**document)}))
    assert (reply.status, reply.value["error_code"]) == (500, 21)
    assert why in reply.value["message"]


def test_nothing_is_pending_in_the_answer_that_creates_a_service(served: Served) -> None:
    """ECS answers before it has looked for room."""
    stored(served, containerDefinitions=[container()])
    made = served.value("POST", "/service", environment_id=demo(served), service_name="s", deploy_id="d.1")
    counts = (made["desired_count"], made["pending_count"], made["running_count"])
    assert counts == (1, 0, 0)


def test_the_number_of_last_lines_is_read_before_the_task_is_looked_for(served: Served) -> None:
    """Its error comes first, as the real server's handlers have it."""
    for path in ("/task/none/logs", "/service/none/logs"):
        reply = served.ask("GET", f"{path}?tail=x")
        assert (reply.status, reply.value["error_code"]) == (400, 1)
        assert reply.value["message"] == 'strconv.ParseInt: parsing "x": invalid syntax'
        assert served.ask("GET", f"{path}?tail=1").status == 404


def test_a_tag_without_id_is_refused_by_the_table_behind(served: Served) -> None:
    """Layer0 itself checks nothing."""
    reply = served.ask("POST", "/tag", "{}")
    assert (reply.status, reply.value["error_code"]) == (500, 21)
    assert "(code 'ValidationException')" in reply.value["message"]


def test_a_body_that_is_never_read_is_not_refused(served: Served) -> None:
    """`POST /admin/sql` has none that anybody looks at."""
    assert served.ask("POST", "/admin/sql", "no json").status == 204


def test_a_redirect_has_a_page_as_go_writes_it(served: Served) -> None:
    """With the address in it, for a GET alone."""
    got, asked = served.ask("GET", "//environment"), served.ask("HEAD", "//environment")
    assert (got.status, got.body) == (301, '<a href="/environment">Moved Permanently</a>.\n\n')
    assert got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (asked.status, asked.body) == (301, "")
