"""A sandbox's life on a real machine with a real engine: up, in use, down, killed, and nothing left behind."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import EcrWidgetsError, EngineError, EngineUnavailable, SettingsError
from ecr_widgets.sandbox import Sandbox
from ecr_widgets.sandbox.local_engine import find_engine
from ecr_widgets.sandbox.processes import ProcessIdentity, find_tool
from ecr_widgets.sandbox.removal import container_label
from ecr_widgets.sandbox.sandbox import EngineKind
from ecr_widgets.sandbox.state import Phase, SandboxState, read_state
from ecr_widgets.settings import Settings

DOCKERFILE = b"FROM busybox\nENV GREETING=hello\nRUN echo $GREETING > /greeting\nCMD httpd -f -p 80 -h /\n"
RUN_FOLDER = "ecrw-" + "[0-9a-f]" * 4


def traces() -> set[str]:
    """What a sandbox could leave on this machine, without what belongs to other sandboxes that are up."""
    others = {state.sandbox_id for state in _others()}
    found = {f"mount {line.split()[1]}" for line in Path("/proc/mounts").read_text().splitlines()}
    found |= {f"interface {entry.name} {_bridge_of(entry)}" for entry in Path("/sys/class/net").iterdir()}
    found |= {f"group {entry}" for entry, _, _ in os.walk("/sys/fs/cgroup") if "/ecrw-" in entry}
    found |= {f"file {entry}" for base in ("/run", "/tmp") for entry in Path(base).glob(RUN_FOLDER)}
    found |= {f"file {entry}" for entry in Path("/tmp").glob("containerd.*")}
    if not others:
        found |= {
            f"file {entry}" for base in ("/run", "/opt", "/etc/docker") for entry in Path(base).iterdir()
        }
    for identity, words in _processes():
        if re.search("/ecrw-[0-9a-f]{4}/", words) and identity is not None:
            found.add(f"process {words}")
    return {trace for trace in found if not any(f"ecrw-{other}" in trace for other in others)}


def _others() -> Iterator[SandboxState]:
    for _, words in _processes():
        supervised = re.search(r" ecr_widgets\.sandbox\.supervisor (\S+)", words)
        if supervised is not None and "/lifecycle-" not in supervised[1]:
            state = read_state(Path(supervised[1]) / "state.json")
            if state is not None:
                yield state


def _bridge_of(interface: Path) -> str:
    master = interface / "master"
    return master.resolve().name if master.exists() else ""


def _processes() -> Iterator[tuple[ProcessIdentity | None, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            except OSError:
                continue
            yield ProcessIdentity.of(int(entry.name)), words


def wait_for(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves anything on the machine."""
    before = traces()
    yield
    left = traces() - before
    # An end of another sandbox's container hangs on no bridge for a moment: what is left stays.
    deadline = time.monotonic() + 5
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left &= traces()
    assert left == set()


@pytest.fixture
def folder(nothing_left: None) -> Iterator[Path]:
    """A folder for one sandbox, whose sandbox is stopped and gone at the end."""
    base = Path(tempfile.mkdtemp(prefix="lifecycle-"))
    yield base / "state"
    Sandbox(base / "state").stop()
    left = list(base.iterdir())
    shutil.rmtree(base)
    assert left == []


@pytest.fixture
def private(folder: Path) -> Sandbox:
    """A started sandbox with an engine of its own, whose Layer0 is not of the usual version."""
    sandbox = Sandbox(folder, layer0_version="v0.12.5")
    try:
        sandbox.start()
    except EngineUnavailable as error:
        pytest.skip(str(error))
    if sandbox.status().engine is not EngineKind.PRIVATE:
        pytest.skip("this machine has a Docker Engine of its own, so none is started")
    return sandbox


def built_with_buildkit(engine: docker.DockerClient, dockerfile: bytes) -> None:
    """Build by the engine's BuildKit, without the plug-in: a context that is sent whole needs none."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
    url = engine.api._url("/build")
    answer = engine.api._post(url, data=content.getvalue(), params={"version": "2", "t": "lifecycle:kit"})
    assert answer.ok, answer.text
    assert '"error"' not in answer.text, answer.text


def state_of(folder: Path) -> SandboxState:
    """The state of a sandbox that is there."""
    state = read_state(folder / "state.json")
    assert state is not None
    return state


def engine_of(sandbox: Sandbox) -> docker.DockerClient:
    """A client for the sandbox's engine."""
    return docker.DockerClient(base_url=sandbox.env()["DOCKER_HOST"])


def process_of(program: str, word: str) -> ProcessIdentity:
    """The process of a program that has a word in its command line."""
    for identity, words in _processes():
        if words.startswith(f"{program} ") and word in words and identity is not None:
            return identity
    raise AssertionError(f"no {program} with {word}")


def content_of(engine: docker.DockerClient) -> set[str]:
    """All that an engine holds, by id, with the images' names."""
    images = engine.images.list(all=True)
    kept = [*images, *engine.containers.list(all=True), *engine.networks.list(), *engine.volumes.list()]
    return {str(entry.id) for entry in kept} | {tag for image in images for tag in image.tags}


def test_up_keeps_its_keys_to_itself(sandbox: Sandbox) -> None:
    """The folder of a sandbox is its owner's alone, and so is each file in it that holds a key or a request."""
    status = sandbox.status()

    assert status.up
    assert stat.S_IMODE(status.folder.stat().st_mode) == 0o700
    for name in ("state.json", "journal.jsonl", "supervisor.log"):
        assert stat.S_IMODE((status.folder / name).stat().st_mode) == 0o600, name


def test_only_loopback_is_served(sandbox: Sandbox) -> None:
    """Every port that the sandbox's process listens on is bound to 127.0.0.1."""
    sockets = psutil.Process(sandbox.status().pid).net_connections("inet")
    bound = {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}
    assert bound == {"127.0.0.1"}


def test_a_second_up_changes_nothing(sandbox: Sandbox) -> None:
    """Starting what is up says so and leaves the very same sandbox, also at the end of a `with`."""
    before = sandbox.status()
    told: list[str] = []
    Sandbox(before.folder).start(told.append)
    with Sandbox(before.folder) as again:
        assert again.status() == before

    assert "up already" in told[0]
    assert sandbox.status() == before


def test_build_run_publish(sandbox: Sandbox) -> None:
    """A Dockerfile with ENV, RUN and CMD builds on busybox, and a port published on 127.0.0.1 answers."""
    engine = engine_of(sandbox)
    try:
        image, _ = engine.images.build(fileobj=io.BytesIO(DOCKERFILE), tag="lifecycle", rm=True)
        container = engine.containers.run("lifecycle", detach=True, ports={"80/tcp": ("127.0.0.1", 0)})
        try:
            container.reload()
            (binding,) = container.ports["80/tcp"] or []
            assert binding["HostIp"] == "127.0.0.1"
            address = f"http://127.0.0.1:{binding['HostPort']}/greeting"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

            def answers() -> bool:
                try:
                    return bool(opener.open(address, timeout=5).read() == b"hello\n")
                except OSError:
                    return False

            wait_for(answers)
        finally:
            container.remove(force=True)
            engine.images.remove(str(image.id), force=True)
    finally:
        engine.close()


def test_push_and_pull(sandbox: Sandbox) -> None:
    """What the engine pushes to the sandbox's registry it pulls again under the same digest."""
    import base64

    import boto3

    env = sandbox.env()
    ecr = boto3.client(
        "ecr",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    ecr.create_repository(repositoryName="lifecycle")
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    name = f"{sandbox.status().registry_host}/lifecycle"
    engine = engine_of(sandbox)
    try:
        engine.images.get("busybox:latest").tag(name, "one")
        login = {"username": user, "password": password}
        events = list(engine.images.push(name, "one", auth_config=login, stream=True, decode=True))
        assert not [event for event in events if "error" in event]
        digest = stored(ecr, "lifecycle", "one")
        engine.images.remove(f"{name}:one")
        pulled = engine.images.pull(name, tag=digest, auth_config=login)
        assert f"{name}@{digest}" in pulled.attrs["RepoDigests"]
        engine.images.remove(f"{name}@{digest}")
    finally:
        engine.close()
        ecr.delete_repository(repositoryName="lifecycle", force=True)
        ecr.close()


def test_down_leaves_nothing(private: Sandbox, folder: Path) -> None:
    """A stop ends containers and networks of a private engine and removes all it made, BuildKit's included."""
    engine = engine_of(private)
    built_with_buildkit(engine, b"FROM busybox\nRUN echo kit > /made\n")
    engine.networks.create("another")
    engine.containers.run("busybox", ["sleep", "600"], detach=True, ports={"80/tcp": ("127.0.0.1", 0)})
    engine.close()
    private.stop()

    assert not folder.exists()
    assert private.status().phase is Phase.DOWN
    # `nothing_left` looks at the rest.


def test_two_ups_share_one_sandbox(folder: Path) -> None:
    """Two programs that start the same sandbox at once end up with one."""
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from ecr_widgets.sandbox import Sandbox\n",
    ]
    command[2] += "sandbox = Sandbox(Path(sys.argv[1])); sandbox.start(); print(sandbox.status().pid)"
    both = [
        subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [process.communicate(timeout=120) for process in both]
    if any("EngineUnavailable" in errors for _, errors in ends):
        pytest.skip("no Docker Engine, and none can be started")

    assert [process.returncode for process in both] == [0, 0], ends
    assert ends[0][0] == ends[1][0]


def test_a_killed_supervisor_takes_its_engine_along(private: Sandbox, folder: Path) -> None:
    """After SIGKILL of the supervisor no process of the engine lives on, and `stop` removes the rest."""
    engine = engine_of(private)
    engine.containers.run("busybox", ["sleep", "600"], detach=True)
    engine.close()
    state = state_of(folder)
    state.supervisor.send(signal.SIGKILL)
    assert state.private_engine is not None
    assert state.private_engine.init is not None
    assert state.private_engine.init.wait(10)
    assert private.status().phase is Phase.DOWN
    private.stop()

    assert not folder.exists()


def test_up_after_a_kill_goes_on(private: Sandbox, folder: Path) -> None:
    """After SIGKILL a start has the same addresses, keys, deploys and images, and the service runs again."""
    settings = Settings.from_environment(private.env()).layer0
    assert settings is not None
    layer0 = Layer0Api(settings)
    demo = layer0.find_environment("demo")
    assert demo is not None
    ecr = ecr_of(private)
    ecr.create_repository(repositoryName="kept")
    image = f"{private.status().registry_host}/kept"
    digest = pushed(private, "kept", "one")
    container = {"name": "a", "image": f"{image}@{digest}", "memory": 10, "command": ["sleep", "600"]}
    stored = layer0.create_deploy("kept", json.dumps({"containerDefinitions": [container]}).encode())
    service = layer0.create_service(demo.environment_id, "kept", stored.deploy_id)
    wait_for(lambda: layer0.read_service(service.service_id).running_count == 1)
    kept, env = state_of(folder), private.env()
    kept.supervisor.send(signal.SIGKILL)
    assert kept.supervisor.wait(10)
    told: list[str] = []
    again = Sandbox(folder)
    again.start(told.append)

    assert any("killed" in text for text in told)
    assert Layer0Api(settings).version() == "v0.12.5"
    with pytest.raises(SettingsError, match=r"its Layer0 says that it is v0\.12\.5"):
        Sandbox(folder, layer0_version="v0.12.6").start()
    assert private.env() == env
    assert private.status().registry_host == image.partition("/")[0]
    assert layer0.read_deploy(stored.deploy_id).version == 1
    assert (
        layer0.create_deploy(
            "kept", b'{"containerDefinitions": [{"name": "a", "image": "x", "memory": 9}]}'
        ).version
        == 2
    )
    wait_for(lambda: layer0.read_service(service.service_id).running_count == 1)
    engine = engine_of(private)
    wait_for(lambda: [each.labels.get("layer0.container") for each in engine.containers.list()] == ["a"])
    (found,) = ecr.describe_images(repositoryName="kept")["imageDetails"]
    assert (found["imageDigest"], found["imageTags"]) == (digest, ["one"])
    engine.images.remove(f"{image}@{digest}", force=True)
    user, password = login_of(private)
    pulled = engine.images.pull(image, tag="one", auth_config={"username": user, "password": password})
    assert f"{image}@{digest}" in pulled.attrs["RepoDigests"]
    engine.close()
    ecr.close()
    # `nothing_left` looks at what the stop leaves after that.


def ecr_of(sandbox: Sandbox) -> Any:
    """A client for the sandbox's ECR."""
    import boto3

    env = sandbox.env()
    return boto3.client(
        "ecr",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def login_of(sandbox: Sandbox) -> tuple[str, str]:
    """User and password for the sandbox's registry."""
    import base64

    ecr = ecr_of(sandbox)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    ecr.close()
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


def pushed(sandbox: Sandbox, repository: str, tag: str, image: str = "busybox:latest") -> str:
    """Digest of an image, pushed there."""
    name = f"{sandbox.status().registry_host}/{repository}"
    engine = engine_of(sandbox)
    user, password = login_of(sandbox)
    try:
        engine.images.get(image).tag(name, tag)
        auth = {"username": user, "password": password}
        events = list(engine.images.push(name, tag, auth_config=auth, stream=True, decode=True))
    finally:
        engine.close()
    assert not [event for event in events if "error" in event]
    ecr = ecr_of(sandbox)
    try:
        return stored(ecr, repository, tag)
    finally:
        ecr.close()


def stored(ecr: Any, repository: str, tag: str) -> str:
    """What the registry says that a tag names; of the engines, some tell it and some do not."""
    found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    return str(found["imageDetails"][0]["imageDigest"])


@pytest.mark.parametrize("program", ["dockerd", "containerd"])
def test_a_dead_engine_is_told(private: Sandbox, folder: Path, program: str) -> None:
    """When the engine ends by itself the status says so, a start refuses with advice, and a stop cleans up."""
    engine = state_of(folder).private_engine
    assert engine is not None
    process_of(program, engine.run_folder).send(signal.SIGKILL)
    wait_for(lambda: private.status().phase is Phase.ENGINE_DIED)
    with pytest.raises(EngineError, match="stop the sandbox"):
        private.start()
    private.stop()

    assert not folder.exists()


def test_an_interrupted_up_leaves_nothing(folder: Path) -> None:
    """Whoever interrupts a start, at any word of its progress, leaves no sandbox behind."""
    words: list[str] = []
    probe = Sandbox(folder)
    try:
        probe.start(words.append)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    probe.stop()
    assert words
    for count in range(1, len(words) + 1):
        heard: list[str] = []

        def interrupt(text: str, heard: list[str] = heard, count: int = count) -> None:
            heard.append(text)
            if len(heard) == count:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Sandbox(folder).start(interrupt)
        assert not folder.exists()


def test_a_stop_lets_the_bridge_be_made_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that is stopped while its `ip` command runs removes the interface that the command makes late."""
    real, begun, done = find_tool("ip"), tmp_path / "begun", tmp_path / "done"
    if real is None:
        pytest.skip("no `ip` command: apt-get install iproute2")
    if find_engine(None, environ=os.environ, progress=print) is not None:
        pytest.skip("this machine has a Docker Engine of its own, so none is started")
    late = tmp_path / "ip"
    # What is killed is the shell; what makes the interface lives on.
    late.write_text(f'#!/bin/sh\n: >{begun}\n(sleep 0.3; {real} "$@"; : >{done}) &\nwait $!\n')
    late.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def interrupt(text: str) -> None:
        if text == "starting a private Docker Engine":
            wait_for(begun.exists)
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, EngineUnavailable)) as ended:
        Sandbox(folder).start(interrupt)
    if ended.type is EngineUnavailable:
        pytest.skip(str(ended.value))
    wait_for(done.exists)
    assert not folder.exists()


def test_no_engine_no_sandbox(folder: Path) -> None:
    """An engine that is asked for and does not answer is an error, and nothing was made."""
    with pytest.raises(EngineUnavailable, match="no Docker Engine answers"):
        Sandbox(folder, docker_host=f"unix://{folder}/missing.sock").start()

    assert not folder.exists()


def test_an_engine_that_stands_is_left_as_it_was(private: Sandbox, folder: Path) -> None:
    """On an engine that was there a sandbox removes its own containers, networks and images, and nothing else."""
    engine = engine_of(private)
    try:
        engine.containers.run("busybox", ["sleep", "600"], detach=True)
        before = content_of(engine)
        with Sandbox(folder.with_name("guest"), docker_host=private.env()["DOCKER_HOST"]) as guest:
            status = guest.status()
            label = dict([container_label(state_of(status.folder).sandbox_id).split("=")])
            assert status.engine is EngineKind.EXISTING
            engine.containers.run("busybox", ["sleep", "600"], detach=True, labels=label)
            engine.networks.create("guests", labels=label)
            engine.images.get("busybox").tag(f"{status.registry_host}/guest", "one")
        assert content_of(engine) == before
    finally:
        engine.close()


def test_the_base_image_goes_if_the_sandbox_brought_it(private: Sandbox, folder: Path) -> None:
    """On an engine without busybox a sandbox brings it, the same id each time, and takes it away again."""
    engine = engine_of(private)
    try:
        made = engine.images.get("busybox").id
        engine.images.remove("busybox")
        with Sandbox(folder.with_name("guest"), docker_host=private.env()["DOCKER_HOST"]):
            assert engine.images.get("busybox").id == made
        assert engine.images.list(all=True) == []
    finally:
        engine.close()


def test_what_is_built_on_the_base_image_and_pushed_goes_as_well(private: Sandbox, folder: Path) -> None:
    """On an engine that was there, a release leaves neither its image, nor that of an earlier try, nor their parts."""
    engine = engine_of(private)
    try:
        engine.images.remove("busybox")
        with Sandbox(folder.with_name("guest"), docker_host=private.env()["DOCKER_HOST"]) as guest:
            ecr_of(guest).create_repository(repositoryName="built")
            for number in range(2):
                dockerfile = f"FROM busybox\nRUN echo {number} > /number\nCMD sleep 60\n".encode()
                engine.images.build(fileobj=io.BytesIO(dockerfile), tag="team/built", rm=True)
                pushed(guest, "built", "one", image="team/built:latest")
        assert engine.images.list(all=True) == []
    finally:
        engine.close()


def test_stopping_what_is_down_is_no_error(folder: Path) -> None:
    """A stop of a sandbox that was never started does nothing."""
    Sandbox(folder).stop()

    assert not folder.exists()
    with pytest.raises(EcrWidgetsError, match="not up"):
        Sandbox(folder).env()
