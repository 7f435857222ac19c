"""Fleets whose runs are in a bucket, started and resumed by hosts that share nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.run import Run
from ecr_widgets.audit.sealed import look_at_seal
from tests.buckets import Buckets
from tests.hosts import BIN, Host, can_be_named, hosts
from tests.notebooks.engine_runs import write_runbook
from tests.notebooks.test_fleet import FAILS_UNLESS_OK, PARAMETERS, WAITS, began, done, until

COUNT = 4
FLEET = ("fleet", "book.ipynb", "--targets", "targets.csv")


@pytest.fixture
def both(s3: Buckets, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts that trust each other's keys."""
    with hosts(s3, tmp_path, "one", "other") as (one, other):
        one.trust(other)
        other.trust(one)
        write_runbook(one.checkout, [FAILS_UNLESS_OK, WAITS], PARAMETERS)
        lines = "".join(f"{number}\n" for number in range(1, COUNT + 1))
        (one.checkout / "targets.csv").write_text(f"n\n{lines}")
        yield one, other


def each_once() -> dict[str, int]:
    return {str(number): 1 for number in range(1, COUNT + 1)}


def saved(s3: Buckets, host: Host) -> dict[str, bytes]:
    """The notebooks in the bucket."""
    store = s3.store(host.place)
    return {name: (store.read(name) or (b"",))[0] for name in store.names() if name.endswith(".ipynb")}


def metadata(content: bytes) -> dict[str, Any]:
    return dict(json.loads(content)["metadata"]["ecr_widgets"])


def records(content: bytes) -> list[dict[str, Any]]:
    mime = "application/vnd.ecr-widgets.record+json"
    outputs = [output for cell in json.loads(content)["cells"] for output in cell.get("outputs", ())]
    return [json.loads(each["data"][mime]) for each in outputs if mime in each.get("data", {})]


def test_each_target_is_a_run_with_a_slot_in_the_bucket(both: tuple[Host, Host], s3: Buckets) -> None:
    """With runs in a bucket, each target is run once by both hosts together, sealed, and nothing is saved in a folder."""
    one, other = both
    one.told(*FLEET, "--waves", "1,2", "--slot", "books")
    assert began(one.checkout) == done(one.checkout) == each_once()
    store = s3.store(one.place)
    assert sorted(store.names(prefix="slots/")) == [
        *(f"slots/book/books:{number}.json" for number in range(1, COUNT + 1)),
        "slots/fleet/books.json",
    ]
    runs = saved(s3, one)
    assert len(runs) == COUNT + 1
    for name, content in runs.items():
        found = read_content(content, name)
        assert isinstance(found, Run)
        assert "-fleet@" not in name or judge(found).verdict is Verdict.PROVEN
        assert metadata(content)["state"] == "succeeded"
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in one.environ.items():
                patch.setenv(variable, value)
            assert look_at_seal(one.place, name, content, ring=other.ring).why_not == ""
    assert not [*one.checkout.rglob("runs*")]
    again = other.told(*FLEET, "--waves", "1,2", "--slot", "books")
    assert (again["ran_before"], began(one.checkout)) == (True, each_once())


def test_a_fleet_that_stopped_is_resumed_on_another_host(both: tuple[Host, Host], s3: Buckets) -> None:
    """A failed fleet is resumed on another host by a part of its id, and runs only what is left."""
    one, other = both
    told = one.told(*FLEET, "-p", "bad", "[4]", "--stop-after", "1", code=1)
    assert "of 4 targets 3 succeeded, 1 failed" in told["reason"]
    (one.checkout / "ok").touch()
    again = other.run("--resume", told["run_id"][-6:])
    assert again["run_id"] == told["run_id"]
    assert done(one.checkout) == each_once()
    assert began(one.checkout) == {**each_once(), "4": 2}
    (fleet,) = [content for name, content in saved(s3, one).items() if name.startswith(told["run_id"])]
    waves = [each["outcome"] for each in records(fleet) if each["step"] == "run_wave"]
    assert [each["ran_before"] for each in waves] == [1, 2]


def test_a_fleet_whose_host_died_is_resumed_on_another(both: tuple[Host, Host], s3: Buckets) -> None:
    """A fleet whose host died is resumed on another host after its leases end, and each target is completed once."""
    one, other = both
    one.start(*FLEET, "--waves", "2", "-p", "waits", "[3, 4]")
    until(lambda: {"3", "4"} <= set(began(one.checkout)))
    one.die()
    (one.checkout / "go").touch()
    (name,) = [each for each in saved(s3, one) if each.endswith("-fleet.ipynb")]
    run_id = name.removesuffix("-fleet.ipynb")

    # Until its lease ends the fleet's run is busy, and after that perhaps some of its targets'.
    def resumed() -> bool:
        process = other.start("run", "--resume", run_id)
        out, err = process.communicate()
        assert process.returncode in (0, 1, 5), out + err
        return process.returncode == 0

    until(resumed)
    assert done(one.checkout) == each_once()
    assert len(saved(s3, one)) == COUNT + 1


def test_runs_of_a_host_that_is_not_known_are_not_run_again(
    both: tuple[Host, Host], s3: Buckets, tmp_path: Path
) -> None:
    """A host that does not trust the first host's key runs none of its targets again, and says by which key they are signed."""
    one, _ = both
    third = Host("third", tmp_path / "third", one.checkout, one.place, one.environ)
    third.home.mkdir()
    third.reconnect()
    try:
        told = one.told(*FLEET, "-p", "bad", "[4]", "--stop-after", "9", code=1)
        (one.checkout / "ok").touch()
        third.run("--resume", told["run_id"], code=1)
    finally:
        third.close()
    assert began(one.checkout) == each_once()
    fleet = next(content for name, content in saved(s3, one).items() if name.startswith(told["run_id"]))
    reasons = records(fleet)[-1]["error"]["reasons"]
    assert len(reasons) == COUNT
    assert all("is signed by key" in reason for reason in reasons), reasons


def test_the_gate_reads_the_bucket_and_the_commands_save_there(both: tuple[Host, Host], s3: Buckets) -> None:
    """The commands of a fleet's plan save to the bucket, and another host's gate reads the results there."""
    one, other = both
    words = ("--waves", "1,2", "--slot", "books", "--stop-after", "0", "-p", "bad", "[3]")
    plan = one.told(*FLEET, *words, "--plan", "--runs", str(one.place), ECR_WIDGETS_RUNS="")
    file = one.checkout / "fleet.json"
    file.write_text(json.dumps(plan))
    waves = plan["fleet"]["waves"]

    def start_wave(number: int) -> None:
        started = [
            one.popen([BIN / target["command"][0], *target["command"][1:]], ECR_WIDGETS_RUNS="")
            for target in waves[number - 1]["targets"]
        ]
        for process in started:
            process.communicate()

    def gate(number: int, code: int) -> Any:
        return other.told("fleet", "gate", "fleet.json", str(number), code=code)

    assert gate(1, 1)["not_ended"] == 1
    start_wave(1)
    assert gate(1, 0)["succeeded"] == 1
    start_wave(2)
    assert {name: gate(2, 1)[name] for name in ("open", "succeeded", "failed")} == {
        "open": False,
        "succeeded": 2,
        "failed": 1,
    }
    assert not [*one.checkout.rglob("runs*")]


@pytest.mark.skipif(not can_be_named(), reason="only root may give a process a host's name of its own")
def test_one_approval_in_the_bucket_is_for_the_whole_fleet(both: tuple[Host, Host], s3: Buckets) -> None:
    """One approval in the bucket, given on another host, covers each target of the fleet."""
    one, other = both
    write_runbook(one.checkout, [FAILS_UNLESS_OK, WAITS], f'{PARAMETERS}\nenvironment: str = "test"  # where')
    (one.checkout / "targets.csv").write_text("n,environment\n1,test\n2,prod\n3,prod\n")
    guarded = {"ECR_WIDGETS_APPROVAL": "prod"}
    plan = one.told(*FLEET, "--slot", "books", code=7, **guarded)
    assert not (one.checkout / "began").exists()
    listed = other.told("approve", **guarded)
    assert [each["run_id"] for each in listed] == [plan["run_id"]]
    told = other.told("approve", plan["run_id"][-6:], **guarded)
    assert told["state"] == "succeeded", told["reason"]
    assert done(one.checkout) == {"1": 1, "2": 1, "3": 1}
    approvals = {
        re.sub(r".*-book@books:(\d)\.ipynb", r"\1", name): metadata(content).get("approval")
        for name, content in saved(s3, one).items()
        if "-book@" in name
    }
    assert {name: bool(each) for name, each in approvals.items()} == {"1": False, "2": True, "3": True}
    assert approvals["3"]["fleet"] == told["run_id"]
    assert other.told("approve", **guarded) == []
    assert (
        "was already approved" in other.told("approve", plan["run_id"], code=2, **guarded)["error"]["message"]
    )


def test_a_bucket_that_does_not_exist_is_said_in_words(both: tuple[Host, Host]) -> None:
    """A bucket that does not exist is an error with its name, and no target starts."""
    one, _ = both
    process = one.start(*FLEET, "--slot", "s", "--runs", "s3://there-is-none/prod")
    out, err = process.communicate()
    assert process.returncode in (1, 2), out + err
    assert "s3://there-is-none/prod" in err
    assert not re.search("Traceback|unexpected error", err)
    assert not (one.checkout / "began").exists()
