"""Row `layer0`: the kit's requests to Layer0 against those of the `l0` command for the same work, on one server in memory.

The `l0` command's requests are those recorded from it. The start of both commands is left out: both sides send their requests
over one open connection from this process, and only requests, answers and decoding count.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.sandbox.layer0.dockerrun import parse
from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, Service
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.render import render
from ecr_widgets.sandbox.layer0.store import Store
from ecr_widgets.settings import Layer0Settings
from tests.sandbox.layer0.served import serve
from tests.sandbox.workloads.fake_containers import FakeContainers

SERVICES = 500
DEPLOYS, NAMES = 5000, 50
DOCUMENT = json.dumps({"containerDefinitions": [{"name": "a", "image": "busybox", "memory": 10}]}).encode()


@dataclass
class L0:
    """The `l0` command's requests, as recorded: names resolved through tags, each entity then read by its id."""

    url: str
    token: str
    requests: int = 0
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=1))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and decode its answer."""
        self.requests += 1
        headers = {"Authorization": f"Basic {self.token}", "User-Agent": "Go-http-client/1.1"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode() + b"\n"
        return json.loads(self._http.request(method, self.url + path, body=content, headers=headers).data)

    def work(self, name: str) -> None:
        """`l0 service list`, `l0 deploy get name21:latest` and `l0 deploy create FILE NAME`."""
        assert len(self.ask("GET", "/service/")) == SERVICES
        (found,) = self.ask("GET", "/tag?fuzz=name21&type=deploy&version=latest")
        base64.b64decode(self.ask("GET", f"/deploy/{found['entity_id']}")["dockerrun"])
        body = {"deploy_name": name, "dockerrun": base64.b64encode(DOCUMENT).decode()}
        self.ask("POST", "/deploy", body)


def kit_work(api: Layer0Api, name: str) -> None:
    """The same work with the kit's client."""
    assert len(api.list_services()) == SERVICES
    latest = api.find_latest_deploy("name21")
    assert latest is not None
    assert api.read_deploy(latest.deploy_id).dockerrun
    api.create_deploy(name, DOCUMENT)


def fill(folder: Path) -> None:
    """Fill a Layer0 with services that want no copies, and deploys of 50 names."""
    store = Store(folder)
    store.save(Environment("api", "api"))
    store.tag("environment", "api", name="api", os="linux")
    coded = base64.b64encode(DOCUMENT).decode()
    for number in range(DEPLOYS):
        name, version = f"name{number % NAMES}", number // NAMES + 1
        document = parse(coded, name)
        deploy = Deploy(
            f"{name}.{version}", name, version, render(name, document), document.containerDefinitions
        )
        store.save(deploy)
        store.tag("deploy", deploy.deploy_id, name=name, version=str(version))
    for number in range(SERVICES):
        name = f"service{number}"
        service = Service(service_id=entity_id(name), name=name, environment_id="api", desired_count=0)
        store.save(service)
        store.tag("service", service.service_id, name=service.name, environment_id="api")
    store.close()


@contextmanager
def both(folder: Path) -> Iterator[tuple[Callable[[int], None], Callable[[int], None], str]]:
    """Return our side and the other, and what they asked."""
    fill(folder)
    with serve(FakeContainers(), folder=folder) as served:
        other = L0(served.url, served.token)
        api = Layer0Api(Layer0Settings(served.url, served.token))
        requests = {"ours": 0, "l0": 0}

        def ours(number: int) -> None:
            asked = api._transport.requests
            kit_work(api, f"ours{number + 1}")
            requests["ours"] = api._transport.requests - asked

        def l0(number: int) -> None:
            asked = other.requests
            other.work(f"other{number + 1}")
            requests["l0"] = other.requests - asked

        ours(-2)
        l0(-2)
        told = f"requests of `l0` ({requests['l0']}; ours {requests['ours']}), {SERVICES} services, {DEPLOYS} deploys"
        yield ours, l0, told
