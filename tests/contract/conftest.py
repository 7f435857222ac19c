"""The ports that the contract cases use: in memory, and the sandbox through the adapters."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import Child, ImageDetails
from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, Registry, ignore_progress
from ecr_widgets.ports.services import Services
from ecr_widgets.settings import Settings
from ecr_widgets.steps.push_image import PushImage, PushOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from tests.fakes import FakeClock, FakeEcr, FakeEcs, FakeEngine, FakeLayer0, FakeRegistry, World
from tests.fakes.connections import FakeConnections, make_outside, perform


def _put(url: str, media_type: str, body: bytes, token: AuthorizationToken) -> None:
    login = base64.b64encode(f"{token.user}:{token.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": media_type}
    with urlopen(Request(url, body, headers, method="PUT"), timeout=30) as answer:
        assert answer.status == 201


@dataclass
class Ports:
    """All outside systems of one world."""

    clock: Clock
    ecr: Ecr
    registry: Registry
    engine: Engine
    layer0: Layer0
    ecs: Services

    def pushed(self, repository: str, context: Path, *, tag: str = "1") -> ImageReference:
        """Build the context's Dockerfile, push it into a new repository, and return its reference by digest."""
        self.ecr.create_repository(repository, tags_immutable=False, scan_on_push=False)
        token = self.ecr.authorization_token()
        image = ImageReference.parse(f"{token.registry}/{repository}:{tag}")
        built = self.engine.build(
            find_context(context, "Dockerfile"),
            options=BuildOptions(),
            tags=(),
            logins=(),
            progress=ignore_progress,
        )
        return self.push(built, image).image

    @cached_property
    def outside(self) -> Outside:
        """Return what steps get of these systems."""
        to = FakeConnections(World())
        for name in ("clock", "ecr", "registry", "engine", "layer0", "ecs"):
            setattr(to, name, getattr(self, name))
        return make_outside(to)

    @property
    def session(self) -> RegistrySession:
        """Logged in to the registry."""
        return self.outside.session

    def push(self, source: str, target: ImageReference) -> PushOutcome:
        """Push as the step does, which also asks the registry for the result."""
        assert target.registry == self.session.token().registry
        return perform(PushImage(source, repository=target.repository, tag=target.tag or ""), self.outside)

    def put_index(self, *images: ImageReference, tag: str) -> ImageReference:
        """Put an index of images of one repository under a tag, and return its reference by digest."""
        listed = []
        for image, architecture in zip(images, ("amd64", "arm64"), strict=False):
            media_type, size = self._described(image)
            listed.append(
                {
                    "mediaType": media_type,
                    "digest": image.digest,
                    "size": size,
                    "platform": {"os": "linux", "architecture": architecture},
                }
            )
        media_type = "application/vnd.oci.image.index.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": listed}).encode()
        index = images[0].with_digest("sha256:" + hashlib.sha256(body).hexdigest())
        if isinstance(self.registry, FakeRegistry):
            world = self.registry._world
            children = tuple(Child(each.digest or "", "linux/amd64") for each in images)
            world.details[index.digest or ""] = ImageDetails(children=children)
            world.manifests.add((index.repository, index.digest or ""))
            world.tags[index.repository, tag] = index.digest or ""
            holder = next(local for local, names in world.pushed.items() if images[0] in names)
            world.pushed[holder].add(index)
            return index
        url = f"http://{index.registry}/v2/{index.repository}/manifests/{tag}"
        _put(url, media_type, body, self.session.token())
        return index

    def _described(self, image: ImageReference) -> tuple[str, int]:
        if isinstance(self.registry, FakeRegistry):
            return "application/vnd.oci.image.manifest.v1+json", 1
        token = self.session.token()
        login = base64.b64encode(f"{token.user}:{token.password}".encode()).decode()
        url = f"http://{image.registry}/v2/{image.repository}/manifests/{image.digest}"
        with urlopen(Request(url, headers={"Authorization": f"Basic {login}"}), timeout=30) as answer:
            return answer.headers["Content-Type"], len(answer.read())


@pytest.fixture(params=["fake", "sandbox"])
def ports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """Each case runs against the fakes and against the sandbox."""
    if request.param == "fake":
        world = World()
        yield Ports(
            FakeClock(world),
            FakeEcr(world),
            FakeRegistry(world),
            FakeEngine(world),
            FakeLayer0(world),
            FakeEcs(world),
        )
        return
    environ = request.getfixturevalue("sandbox_environ")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    layer0 = Settings.from_environment(environ).layer0
    assert layer0 is not None
    clock = SystemClock()
    yield Ports(clock, BotoEcr(), OciRegistry(), DockerEngine(), Layer0Api(layer0), BotoEcs(clock))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context whose image no other test makes."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM busybox\nLABEL test={tmp_path.name}\nCMD sleep 60\n")
    return folder
