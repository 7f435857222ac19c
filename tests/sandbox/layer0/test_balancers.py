"""Load balancers listen and forward."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_widgets.sandbox.workloads.certificates import Certificates
from tests.ports import free_port
from tests.sandbox.layer0.served import REASONS, Served, serve
from tests.sandbox.layer0.test_restart import post, running
from tests.sandbox.workloads.backend import Backend, answering
from tests.sandbox.workloads.fake_containers import FakeContainers

CHECK = {"target": "HTTP:80/", "interval": 5, "timeout": 2, "healthy_threshold": 2, "unhealthy_threshold": 2}
DOCKERRUN = {"containerDefinitions": [{"name": "a", "image": "busybox", "memory": 10, "portMappings": []}]}


@pytest.fixture
def backend() -> Iterator[int]:
    with answering() as port:
        yield port


@pytest.fixture
def served(backend: int, tmp_path: Path) -> Iterator[Served]:
    with serve(FakeContainers(listening={80: backend}), folder=tmp_path) as each:
        yield each


def balanced(served: Served, *, idle_timeout: int = 60, **ports: int) -> str:
    """A service behind a balancer, in service; the balancer's id."""
    (demo,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
    where = {"environment_id": demo["entity_id"]}
    certificate = {"certificate_name": "sandbox"}
    balancer = post(
        served,
        "/loadbalancer",
        **where,
        load_balancer_name="lb",
        is_public=True,
        ports=[
            {"host_port": port, "container_port": 80, "protocol": protocol}
            | (certificate if protocol in ("https", "ssl") else {})
            for protocol, port in ports.items()
        ],
        health_check=CHECK,
        idle_timeout=idle_timeout,
    )
    document = json.loads(json.dumps(DOCKERRUN))
    document["containerDefinitions"][0]["portMappings"] = [{"hostPort": 80, "containerPort": 8080}]
    coded = base64.b64encode(json.dumps(document).encode()).decode()
    deploy = post(served, "/deploy", deploy_name="web", dockerrun=coded)
    service = post(
        served,
        "/service",
        **where,
        service_name="web",
        deploy_id=deploy["deploy_id"],
        load_balancer_id=balancer["load_balancer_id"],
    )
    running(served, str(service["service_id"]), 1)
    return str(balancer["load_balancer_id"])


def fetch(url: str, context: ssl.SSLContext | None = None) -> tuple[int, dict[str, str]]:
    """Status and what the backend saw; asks anew while nothing is in service yet."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=10, context=context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503:
                return error.code, {}
        except OSError:
            pass
        time.sleep(0.05)
    return 503, {}


def test_each_protocol_reaches_the_container(served: Served, tmp_path: Path) -> None:
    """TCP and SSL pass bytes on, HTTP and HTTPS add what a balancer adds; the certificate is the named one."""
    ports = {protocol: free_port() for protocol in ("tcp", "ssl", "http", "https")}
    balancer_id = balanced(served, **ports)
    trusting = ssl.create_default_context(cafile=Certificates(tmp_path / "certificates").path("sandbox", ""))
    for protocol, port in ports.items():
        scheme = "https" if protocol in ("ssl", "https") else "http"
        status, seen = fetch(f"{scheme}://127.0.0.1:{port}/a?b=c", trusting if scheme == "https" else None)
        assert (status, seen["path"]) == (200, "/a?b=c")
        added = {key: seen.get(key) for key in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port")}
        if protocol in ("http", "https"):
            assert added == {
                "X-Forwarded-For": "127.0.0.1",
                "X-Forwarded-Proto": protocol,
                "X-Forwarded-Port": str(port),
            }
        else:
            assert set(added.values()) == {None}
    told = served.ask("GET", "/admin/listeners", None, REASONS).value[balancer_id]
    assert told == {str(port): f"127.0.0.1:{port}" for port in ports.values()}


def test_what_fails_its_health_check_gets_no_requests(served: Served) -> None:
    """503 with a balancer's own words, and a TCP connection is closed at once; once well it is served."""
    http_port, tcp_port = free_port(), free_port()
    Backend.healthy = False
    balanced(served, http=http_port, tcp=tcp_port)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{http_port}/", timeout=5)
    refused.value.close()
    assert (refused.value.code, refused.value.reason) == (
        503,
        "Service Unavailable: Back-end server is at capacity",
    )
    with socket.create_connection(("127.0.0.1", tcp_port), timeout=5) as connection:
        assert connection.recv(1) == b""
    Backend.healthy = True
    assert fetch(f"http://127.0.0.1:{http_port}/")[0] == 200


def test_an_idle_connection_ends(served: Served) -> None:
    """After the idle timeout HTTP gets 504 and TCP is closed."""
    http_port, tcp_port = free_port(), free_port()
    balanced(served, idle_timeout=1, http=http_port, tcp=tcp_port)
    assert fetch(f"http://127.0.0.1:{http_port}/")[0] == 200
    assert fetch(f"http://127.0.0.1:{http_port}/slow")[0] == 504
    with socket.create_connection(("127.0.0.1", tcp_port), timeout=5) as connection:
        assert connection.recv(1) == b""


def test_ports_come_and_go(served: Served) -> None:
    """A new list opens what is new and closes what is gone; deleting the balancer closes all."""
    first, second = free_port(), free_port()
    balancer_id = balanced(served, http=first)
    assert fetch(f"http://127.0.0.1:{first}/")[0] == 200
    ports = [{"host_port": second, "container_port": 80, "protocol": "HTTP"}]
    served.ask("PUT", f"/loadbalancer/{balancer_id}/ports", json.dumps({"ports": ports}))
    assert fetch(f"http://127.0.0.1:{second}/")[0] == 200
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", first), timeout=5):
        pass
    served.ask("DELETE", f"/loadbalancer/{balancer_id}")
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", second), timeout=5).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it still listens")


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    """The balancer listens elsewhere, and its url says where."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = int(taken.getsockname()[1])
        balancer_id = balanced(served, http=wanted)
        url = served.ask("GET", f"/loadbalancer/{balancer_id}").value["url"]
        assert url != f"127.0.0.1:{wanted}"
        assert fetch(f"http://{url}/")[0] == 200


@pytest.mark.parametrize(
    ("certificate", "status"),
    [
        ({"certificate_name": "sandbox"}, 200),
        ({"certificate_arn": "arn:aws:acm:us-west-2:123456789012:certificate/mine"}, 200),
        ({"certificate_name": "nobody"}, 500),
        ({"certificate_arn": "mine"}, 500),
    ],
)
def test_a_certificate_is_found_by_name_or_arn(
    served: Served, certificate: dict[str, str], status: int
) -> None:
    """Others are refused, and nothing is left of the balancer."""
    (demo,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
    body = {
        "environment_id": demo["entity_id"],
        "load_balancer_name": "tls",
        "ports": [{"host_port": free_port(), "container_port": 80, "protocol": "HTTPS"} | certificate],
        "health_check": CHECK,
        "idle_timeout": 60,
    }
    assert served.ask("POST", "/loadbalancer", json.dumps(body)).status == status
    assert len(served.ask("GET", "/loadbalancer").value) == (2 if status == 200 else 1)
