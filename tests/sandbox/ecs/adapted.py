"""Our adapter on the sandbox's ECS, without HTTP and an engine; what becomes of a call on its way, a test says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.session import get_session
from werkzeug.test import Client

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.kit import Kit
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports.services import Services
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.steps.push_image import PushOutcome
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections
from tests.sandbox.ecs.served import Served, serve
from tests.unit.adapters.ecs.scripted_aws import STS, Body

HERE = "ecs:demo"
SPEED = 10.0
_MODELS = get_session().get_component("data_loader")
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")


class HurriedClock(SystemClock):
    """Waits a tenth of what is asked for, and says that it was all of it; the time of day is the true one."""

    def monotonic_s(self) -> float:
        return super().monotonic_s() * SPEED

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s / SPEED)


@dataclass
class Way:
    """Between adapter and sandbox."""

    served: Served
    asked: list[str] = field(default_factory=list)
    """Operations, in order."""
    lost: set[str] = field(default_factory=set)
    """Operations that are done while their replies are lost."""
    answers: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    """What operations are answered with, status and body, instead of being passed on; one after another."""
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens, once, before an operation is passed on."""

    def session(self, region: str = "us-east-1") -> boto3.Session:
        """One whose calls go this way."""
        core = get_session()
        core.register_component("data_loader", _MODELS)
        made = boto3.Session("AKIDEXAMPLE", "nosecret", region_name=region, botocore_session=core)
        made.events.register("before-send", self._send)
        return made

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        match = _SERVICE.search(headers["Authorization"])
        assert match is not None
        if match[1] == "sts":
            return _response(request, 200, STS.encode())
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.asked.append(operation)
        happens = self.before.pop(operation, None)
        if happens is not None:
            happens()
        if self.answers.get(operation):
            status, answer = self.answers[operation].pop(0)
            return _response(request, status, json.dumps(answer).encode())
        passed = Client(self.served.applications[match[1]]).open(
            "/", method=request.method, headers=headers, data=request.body
        )
        if operation in self.lost:
            raise ConnectionClosedError(endpoint_url=request.url)
        return _response(request, passed.status_code, passed.data)

    def changes(self) -> list[str]:
        """What was asked of ECS that changes something, whether or not its reply arrived."""
        return [each["operation"] for each in self.served.journal if each["status"] == 200]


class Adapted(FakeConnections):
    """Fakes of all but ECS, which is the adapter on the sandbox."""

    def __init__(self, way: Way, *, region: str = "us-east-1") -> None:
        super().__init__(World())
        self.way = way
        self.clock = HurriedClock()  # type: ignore[assignment]
        self.adapter = BotoEcs(HurriedClock(), way.session(region))
        self.ecr.create_repository("app", tags_immutable=False, scan_on_push=False)

    def services_of(self, environment: str) -> Services:
        return self.adapter

    def targets(self) -> tuple[Services, ...]:
        return (self.adapter,)

    def kit(self, folder: Path, run_id: str = "run-1", **more: Any) -> Kit:
        """A kit on them; files of that folder are found."""
        return Kit(self, Recorder(run_id, self.clock, QuietSink()), files=(folder,), **more)

    def image(self, text: str) -> ImageReference:
        """One that the registry serves."""
        self.ecr._world.manifests.add(("app", digest_of(text)))
        return ImageReference.parse(f"{REGISTRY}/app@{digest_of(text)}")

    def crashes(self, text: str, code: int = 1) -> ImageReference:
        """One whose containers end at once."""
        self.way.served.containers.exit_codes[str(self.image(text))] = code
        return self.image(text)


@contextmanager
def adapted(*, region: str = "us-east-1") -> Iterator[Adapted]:
    """An ECS of its own, with clusters `default` and `demo`."""
    with serve() as served:
        yield Adapted(Way(served), region=region)


def write_document(folder: Path, **members: Any) -> str:
    """A task definition of one container `app`, as a file; its name."""
    container: dict[str, Any] = {"name": "app", "image": "x", "memory": 64}
    container |= members.pop("container", {})
    (folder / "app.json").write_text(json.dumps({"containerDefinitions": [container], **members}))
    return "app.json"


def release(kit: Kit, image: ImageReference, service: str = "web", **more: Any) -> Any:
    """Store, deploy, wait and verify, as the runbooks do."""
    pushed = PushOutcome(image, image.digest or "", "1", changed=False)
    stored = kit.create_deploy(service, "app.json", image=image, environment=HERE)
    moved = kit.deploy_service(HERE, service, stored, **more)
    kit.wait(moved, timeout_s=3000)
    return kit.verify(moved, pushed)


def until(is_so: Callable[[], Any]) -> Any:
    """Wait for what the sandbox brings about, and give it."""
    deadline_s = time.monotonic() + 30
    while not (value := is_so()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return value


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _response(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, {"Content-Type": "application/x-amz-json-1.1"}, Body(body))
