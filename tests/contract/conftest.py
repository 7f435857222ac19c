"""The ports as the contract cases get them: in memory, and in the sandbox through the adapters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.ecr import BotoEcr
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, Registry, ignore_progress
from ecr_widgets.settings import Settings
from tests.fakes import FakeClock, FakeEcr, FakeEngine, FakeLayer0, FakeRegistry, World


@dataclass(frozen=True)
class Ports:
    """All outside systems of one world."""

    clock: Clock
    ecr: Ecr
    registry: Registry
    engine: Engine
    layer0: Layer0

    def pushed(self, repository: str, context: Path, *, tag: str = "1") -> ImageReference:
        """Build the context's Dockerfile, push it into a repository made for it, and name it by digest."""
        self.ecr.create_repository(repository, tags_immutable=False, scan_on_push=False)
        token = self.ecr.authorization_token()
        image = ImageReference.parse(f"{token.registry}/{repository}:{tag}")
        built = self.engine.build(
            context, dockerfile="Dockerfile", tags=(), build_args={}, progress=ignore_progress
        )
        self.engine.tag(built, image)
        return image.with_digest(self.engine.push(image, token, progress=ignore_progress))


@pytest.fixture(params=["fake", "sandbox"])
def ports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """Each case runs against the fakes and against the sandbox."""
    if request.param == "fake":
        world = World()
        yield Ports(
            FakeClock(world), FakeEcr(world), FakeRegistry(world), FakeEngine(world), FakeLayer0(world)
        )
        return
    environ = request.getfixturevalue("sandbox_environ")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    layer0 = Settings.from_environment(environ).layer0
    assert layer0 is not None
    yield Ports(SystemClock(), BotoEcr(), OciRegistry(), DockerEngine(), Layer0Api(layer0))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context whose image no other test makes."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM busybox\nLABEL test={tmp_path.name}\nCMD sleep 60\n")
    return folder
