"""The recordings of a real Layer0, asked of ours."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from ecr_widgets.sandbox import Sandbox
from ecr_widgets.sandbox.workloads.docker_containers import DockerContainers
from tests.sandbox.layer0.replay import RECORDINGS, Exchange, Replay, exchanges
from tests.sandbox.layer0.served import serve
from tests.sandbox.workloads.fake_containers import FakeContainers

DELIBERATE = [
    (
        "^PUT /service/[^/]+/(scale|deploy)$",
        "^/deployments",
        "the real answer shows the service before the change, or half of it; ours shows the new values at once",
    ),
    (
        "^GET /service/",
        "^/deployments( has|/0/status|/0/desired_count)",
        "the new deployment is there at once, and the old one until it has stopped",
    ),
    ("^GET /job/", "^/meta of NoneType became dict$", "jobs end sooner than real ones"),
    (
        "^DELETE /task/",
        "^status 500 became 200",
        "the real server stops the task and then fails on its tags",
    ),
    ("/loadbalancer/", "^/url ", "a balancer listens on this machine"),
    (
        "^PUT /admin/scale/",
        "^/resource_providers/0/(available_memory|id|used_ports)",
        "the only instance is this machine, and it never runs out of ports",
    ),
    (
        "^POST /deploy$",
        "^/message .*Failed to decode deploy",
        "a message is worded differently from Go's JSON decoder",
    ),
    (
        "^GET /(environment/|tag.*type=environment.*)$",
        "^ has . items, ours .:",
        "`demo` exists from the start; if somebody creates it, it is made as requested",
    ),
    (
        "^GET /(environment|service)/$",
        "^ has . items, ours .:",
        "what is deleted is gone; the recording's AWS stand-in kept some remains, and one deletion never ended there",
    ),
]
"""Where ours differs on purpose: which calls, which differences, and why."""


def is_deliberate(exchange: Exchange, difference: str) -> bool:
    return any(re.search(call, exchange.call) and re.search(what, difference) for call, what, _ in DELIBERATE)


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda each: each.stem)
def test_a_recording_gets_the_same_answers(recording: Path) -> None:
    """On a sandbox as people start it status, shape, values and errors are the real server's, but for what is listed."""
    unexpected = []
    with serve(FakeContainers()) as served:
        replay = Replay(served)
        for exchange in exchanges(recording):
            unexpected += [
                f"{exchange.command}: {exchange.call}: {difference}"
                for difference in replay.differences(exchange)
                if not is_deliberate(exchange, difference)
            ]
    assert unexpected == []


@pytest.fixture
def real_containers(sandbox: Sandbox) -> Iterator[DockerContainers]:
    """The sandbox's engine, with images that say what the recordings' images said, and then run on."""
    engine = docker.DockerClient(base_url=sandbox.env()["DOCKER_HOST"])
    names = {name for recording in RECORDINGS.glob("*.jsonl") for name in images(recording)}
    for name in names:
        said = f"echo starting {name}; echo hello from timeout; echo line 3; exec sleep 300"
        dockerfile = f"FROM busybox\nENTRYPOINT {json.dumps(['sh', '-c', said])}\n"
        engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True)
    # Closed by Layer0's server.
    yield DockerContainers(
        sandbox.env()["DOCKER_HOST"], label="ecr-widgets.replay=1", login_of=lambda _: None
    )
    assert engine.containers.list(all=True, filters={"label": "ecr-widgets.replay=1"}) == []
    for name in names:
        engine.images.remove(name, force=True)
    engine.close()


def images(recording: Path) -> Iterator[str]:
    """Images that a recording's deploys name."""
    for exchange in exchanges(recording):
        if exchange.call == "POST /deploy" and exchange.status == 200:
            document = json.loads(base64.b64decode(json.loads(exchange.body)["dockerrun"]))
            yield from (each["image"] for each in document["containerDefinitions"])


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda each: each.stem)
def test_a_recording_gets_the_same_answers_on_a_real_engine(
    recording: Path, real_containers: DockerContainers
) -> None:
    """As with containers in memory, log lines included."""
    unexpected = []
    with serve(real_containers) as served:
        replay = Replay(served)
        for exchange in exchanges(recording):
            unexpected += [
                f"{exchange.command}: {exchange.call}: {difference}"
                for difference in replay.differences(exchange)
                if not is_deliberate(exchange, difference)
            ]
    assert unexpected == []


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda each: each.stem)
def test_a_replay_finds_what_differs(recording: Path) -> None:
    """The replay can fail: a server that answers another version and has the environment is found out at once."""
    with serve(FakeContainers(), version="v0") as served:
        served.value("POST", "/environment", environment_name="demo", operating_system="linux")
        replay = Replay(served, patience_s=0.0)
        found = [each for exchange in exchanges(recording) for each in replay.differences(exchange)]
    assert any(each == "header Version: v0.12.6 became v0" for each in found)
    assert any(each.startswith("status 200 became 400") for each in found)


def test_the_recordings_are_where_they_are_looked_for() -> None:
    """Skips by name where there are none beside the checkout."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings in {RECORDINGS}")
    assert list(RECORDINGS.glob("*.jsonl"))


def test_every_deliberate_difference_is_told_to_readers() -> None:
    """The page has the reasons that the replay lets differences pass for."""
    page = (Path(__file__).parents[3] / "docs" / "layer0-sandbox.md").read_text()
    assert [why for *_, why in DELIBERATE if why not in page] == []
