"""A real engine at the other end of a real sshd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.ports import Progress
from ecr_widgets.settings import Settings
from tests.contract.conftest import Ports
from tests.contract.test_engine import pull
from tests.sshd import NoSshd, Sshd, sshd


@pytest.fixture
def far(tmp_path: Path, sandbox_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """The sandbox's engine is to be reached by ssh; skips where there can be no sshd, and says why."""
    if shutil.which("docker") is None:
        pytest.skip("the other end needs a docker command: apt-get install docker-cli")
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    try:
        with sshd(folder) as server:
            for name, value in sandbox_environ.items():
                monkeypatch.setenv(name, value)
            monkeypatch.delenv("AWS_PROFILE", raising=False)
            socket = sandbox_environ["DOCKER_HOST"].removeprefix("unix://")
            monkeypatch.setenv("DOCKER_HOST", f"{server.address}{socket}")
            monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
            yield server
    except NoSshd as why:
        pytest.skip(str(why))


def test_an_image_is_built_pushed_and_pulled_by_ssh(far: Sshd, context: Path) -> None:
    """An engine behind a real sshd builds, pushes and pulls as one on this machine does."""
    layer0 = Settings.from_environment(os.environ).layer0
    assert layer0 is not None
    clock, engine = SystemClock(), DockerEngine()
    ports = Ports(clock, BotoEcr(), OciRegistry(), engine, Layer0Api(layer0), BotoEcs(clock))
    assert engine.facts().address.startswith(far.address)
    image = ports.pushed("contract/by-ssh", context)
    pulled = pull(ports, image.with_tag("1"))
    assert (pulled.image, pulled.image_id) == (image, engine.find_image_id(str(image)))


def test_an_unknown_host_is_refused_and_not_asked_about(far: Sshd) -> None:
    """A host key that the user does not trust ends the call with what ssh says about it."""
    far.known_hosts.write_text("")
    with pytest.raises(EngineUnavailable, match=r"Host key verification failed.*see what `ssh"):
        DockerEngine().facts()


def test_a_key_that_is_not_let_in_is_told(far: Sshd) -> None:
    """A login that sshd refuses ends the call with what ssh says about it."""
    (far.folder / "key.pub").write_text("")
    with pytest.raises(EngineUnavailable, match="Permission denied"):
        DockerEngine().facts()


def test_a_far_end_without_an_engine_is_told(far: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing listens on the other host's socket, the error has the far docker command's words."""
    monkeypatch.setenv("DOCKER_HOST", f"{far.address}/nowhere.sock")
    with pytest.raises(EngineUnavailable, match=r"/nowhere\.sock"):
        DockerEngine().facts()


def test_a_connection_that_is_cut_in_a_build_ends_it(far: Sshd, context: Path) -> None:
    """If sshd ends a connection while the engine builds, that is an error in words, and no ssh is left."""
    engine = DockerEngine()
    engine.facts()
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo building; sleep 60\n")
    before = set(psutil.Process().children(recursive=True))

    def cut(_: Progress) -> None:
        for child in psutil.Process(far.process.pid).children(recursive=True):
            child.kill()

    with pytest.raises(EngineError):
        engine.build(
            find_context(context, "Dockerfile"), options=BuildOptions(), tags=(), logins=(), progress=cut
        )
    engine._connection.close()
    assert not {each for each in psutil.Process().children() if each.is_running()} - before
