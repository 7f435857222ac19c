"""Engines whose 127.0.0.1 is not this machine's, or that do not speak plain HTTP to it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ecr_widgets.errors import EngineUnavailable
from ecr_widgets.sandbox import Sandbox
from ecr_widgets.sandbox.state import Phase
from tests.private_network import PrivateNetwork

PROGRAM = Path(__file__).with_name("engine_elsewhere.py")
Start = Callable[..., Sandbox]


@contextmanager
def engine(scheme: str, *, folder: Path, network: PrivateNetwork | None = None) -> Iterator[str]:
    """An engine that pulls by `scheme`, in a network of its own where one is given; its DOCKER_HOST."""
    path = folder / "docker.sock"
    with ExitStack() as stack:
        if network is not None:
            stack.enter_context(network.entered())
        process = subprocess.Popen([sys.executable, PROGRAM, path, scheme], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield f"unix://{path}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for a socket, whose path must be short."""
    with tempfile.TemporaryDirectory(prefix="reach-") as folder:
        yield Path(folder)


@pytest.fixture
def network() -> Iterator[PrivateNetwork]:
    """A network namespace, as a rootless engine has one."""
    made = PrivateNetwork()
    try:
        if not made.own:
            pytest.skip("making a network namespace takes root")
        yield made
    finally:
        made.close()


def test_an_engine_on_this_loopback_is_taken(short: Path) -> None:
    """What it answers to a pull of a name that does not exist is no matter: the registry hears it."""
    with engine("http", folder=short) as docker_host:
        sandbox = Sandbox(short / "state", docker_host=docker_host)
        with sandbox:
            assert sandbox.status().up


def test_an_engine_in_a_network_of_its_own_is_listened_to_there(short: Path, network: PrivateNetwork) -> None:
    """As a rootless Docker: its 127.0.0.1 has the registry at the same port, and this machine's has it too."""
    with engine("http", folder=short, network=network) as docker_host:
        sandbox = Sandbox(short / "state", docker_host=docker_host)
        with sandbox:
            registry = sandbox.status().registry_host
            asked = f"import urllib.request as r; r.urlopen('http://{registry}/v2/', timeout=5)"
            with network.entered():
                there = subprocess.run(
                    [sys.executable, "-c", asked], capture_output=True, text=True, check=False
                )
            here = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert "HTTP Error 401" in there.stderr, there.stderr
    assert "HTTP Error 401" in here.stderr, here.stderr


@pytest.mark.parametrize(
    ("scheme", "words"),
    [("unreachable", "does not reach this machine's 127.0.0.1"), ("https", "registries.conf")],
)
def test_an_engine_that_cannot_use_the_registry_is_refused(short: Path, scheme: str, words: str) -> None:
    """Before anything works on it: the sandbox is not up, nothing of it is left, and what to do is said."""
    with engine(scheme, folder=short) as docker_host:
        sandbox = Sandbox(short / "state", docker_host=docker_host)
        with pytest.raises(EngineUnavailable, match=words) as refused:
            sandbox.start()
        assert refused.value.hint
        assert docker_host in str(refused.value)
        assert sandbox.status().phase is Phase.DOWN
    assert not (short / "state").exists()
