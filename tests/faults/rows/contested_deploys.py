"""Part M: runs on two hosts that deploy to one service at the same time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import pairwise
from typing import Any

from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.model.record import StepRecord
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.sandbox import Sandbox
from tests.audit.runs import records_of
from tests.buckets import shared_seaweed
from tests.faults import forked
from tests.faults.plan import Attempt, row
from tests.faults.rows.buckets import saved
from tests.faults.rows.replies import ask_layer0, layer0_journal, short_name, tidy
from tests.hosts import BIN, Host, hosts

REPOSITORY = "faults/contested"
HOSTS = ("host-1", "host-2")
BEFORE = 2
"""Number of the image and the Dockerrun that a service runs before the two deploy to it."""
BUSY = 5


@dataclass(frozen=True)
class Deployed:
    """A run on one of the hosts, and what it saved."""

    host: str
    exit_code: int
    notebook: dict[str, Any]

    @property
    def told(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(self.notebook["metadata"]["ecr_widgets"])

    @property
    def verdict(self) -> Verdict:
        """What the audit makes of it."""
        return judge(read_content(json.dumps(self.notebook).encode(), "run.ipynb")).verdict

    def changes(self, *steps: str) -> list[StepRecord]:
        """What it says that it changed, or may have changed."""
        return [
            each for each in records_of(self.notebook) if each.step in steps and each.changed is not False
        ]

    @property
    def moves(self) -> list[StepRecord]:
        """The same of the service alone."""
        return self.changes("create_service", "update_service")

    @property
    def acted_at(self) -> datetime:
        """When it moved the service, or gave up."""
        return self.moves[0].started_at if self.moves else from_rfc3339(self.told["ended_at"])

    @property
    def proof(self) -> StepRecord:
        """The record of what it verified."""
        (verified,) = [each for each in records_of(self.notebook) if each.step == "verify"]
        return verified


@cache
def images(sandbox: Sandbox) -> tuple[str, ...]:
    """Digests of an image for each host, and of one for what the service runs before; pushed once for all tries."""
    return tuple(pushed(sandbox, str(number)) for number in range(BEFORE + 1))


def pushed(sandbox: Sandbox, tag: str) -> str:
    environ, name = sandbox.environ(dict(os.environ)), f"{REPOSITORY}:{tag}"
    dockerfile = f"FROM busybox\nLABEL of={tag}\nSTOPSIGNAL SIGKILL\nCMD sleep 3600\n"
    build = ["docker", "build", "-q", "-t", name, "-"]
    subprocess.run(build, env=environ, input=dockerfile, text=True, capture_output=True, check=True)
    push = [BIN / "ecr-widgets", "push", name, REPOSITORY, tag, "--create", "--json"]
    done = forked.run(push, env=environ, text=True, capture_output=True, check=True)
    return str(json.loads(done.stdout)["image"]).rpartition("@")[2]


def start(at: Attempt, host: Host, name: str, number: int, *options: str) -> subprocess.Popen[str]:
    """A deploy of the image and the Dockerrun of that number."""
    container = {"name": "timeout", "image": "x", "memory": 10 + number}
    dockerrun = host.checkout / f"{number}.json"
    dockerrun.write_text(json.dumps({"containerDefinitions": [container]}))
    given = {"repository": REPOSITORY, "reference": images(at.sandbox())[number], "dockerrun": str(dockerrun)}
    given |= {"deploy": name, "service": name}
    pairs = [word for pair in given.items() for word in ("-p", *pair)]
    return host.start("run", "deploy", "--json", *options, *pairs)


def ended(host: Host, process: subprocess.Popen[str]) -> Deployed:
    out, err = process.communicate(timeout=300)
    assert out, err
    run_id = json.loads(out)["run_id"]
    (notebook,) = [each for each in saved(host.place) if each["metadata"]["ecr_widgets"]["run_id"] == run_id]
    assert process.returncode in (0, BUSY), out + err
    return Deployed(host.name, process.returncode, notebook)


def contested(at: Attempt, *, shared: bool, waits: bool) -> None:
    name, there = short_name(at), at.rng.random() < 0.5
    places = {} if shared else {each: shared_seaweed().new_place() for each in HOSTS}
    images(at.sandbox())
    with hosts(shared_seaweed(), at.folder, *HOSTS, places=places, sandbox=at.sandbox()) as made:
        before = [ended(made[0], start(at, made[0], name, BEFORE))] if there else []
        wait = ("--wait", "120") if waits else ()
        started = [start(at, host, name, number, *wait) for number, host in enumerate(made)]
        runs = [ended(host, process) for host, process in zip(made, started, strict=True)]
    runs.sort(key=lambda run: run.acted_at)
    tells_who_was_there(before, runs, waits=waits)
    one_after_the_other([*before, *runs])
    is_what_layer0_was_asked(at, name, [*before, *runs])
    tidy(at, name)


def tells_who_was_there(before: Sequence[Deployed], runs: Sequence[Deployed], *, waits: bool) -> None:
    """Only who does not wait was busy: it says which run was there, and that it has changed nothing itself."""
    busy = [run for run in runs if run.exit_code == BUSY]
    assert not (waits and busy), [run.told["reason"] for run in busy]
    for run in busy:
        others = [each for each in (*before, *runs) if each is not run]
        (holder,) = [
            each for each in others if f"run {each.told['run_id']} on {each.host}" in run.told["reason"]
        ]
        # The lease of the one before may have to be waited for, where the store did not hear of its end.
        assert holder in before or holder.exit_code == 0, run.told["reason"]
        changed = run.changes("create_deploy", "create_service", "update_service")
        assert (run.verdict, changed) == (Verdict.FAILED, [])


def one_after_the_other(runs: Sequence[Deployed]) -> None:
    """Each that succeeded moved the service away from where the one before had left it, and proved that before the next."""
    done = [run for run in runs if run.exit_code == 0]
    assert done
    left = None
    for run in done:
        assert run.verdict is Verdict.PROVEN, run.told
        (move,) = run.moves
        assert (move.step == "create_service") is (left is None), move
        assert move.outcome["previous_deploy_id"] == left, (move, left)
        left = move.outcome["deploy_id"]
        assert run.proof.outcome["deploy_id"] == left, run.proof
    for one, other in pairwise(done):
        assert one.proof.ended_at is not None
        assert one.proof.ended_at <= other.moves[0].started_at, "two were at work at once"


def is_what_layer0_was_asked(at: Attempt, name: str, runs: Sequence[Deployed]) -> None:
    """The runs claim each deploy and each move that Layer0 has made, at that time, and no others."""
    asked = [each for each in layer0_journal(at.sandbox()) if each["status"] < 300]
    deploys = [each["deploy_id"] for each in asked if each.get("deploy_id", "").startswith(f"{name}.")]
    claimed = [each.outcome["deploy_id"] for run in runs for each in run.changes("create_deploy")]
    assert deploys == claimed, (deploys, claimed)
    moves = [each for each in asked if each.get("service_id", "").startswith(name)]
    claims = [each for run in runs for each in run.moves]
    assert len(moves) == len(claims), (moves, claims)
    for move, claim in zip(moves, claims, strict=True):
        assert claim.ended_at is not None
        assert claim.started_at <= from_rfc3339(move["at"]) <= claim.ended_at, (move, claim)
        assert (move["method"] == "POST") is (claim.step == "create_service"), (move, claim)
    (service_id,) = {each["service_id"] for each in moves}
    running = ask_layer0(at, f"/service/{service_id}")["deployments"]
    assert [each["deploy_id"] for each in running] == [claims[-1].outcome["deploy_id"]], running


@row(
    132,
    "S3: two hosts deploy other images to one service at once: one after the other, or one is busy; Layer0 has what they say",
    tries=100,
    quick=0,
    control=partial(contested, shared=False, waits=True),
)
def contested_deploys(at: Attempt) -> None:
    """Whole runs, of a service that is there or is not; the control has the leases in a place for each host."""
    contested(at, shared=True, waits=at.rng.random() < 0.7)
