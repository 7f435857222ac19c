"""Fleets: plan, waves and result, on runs that end as the test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import FleetStopped, FleetUnknown, InputError, OutcomeUnknown
from ecr_widgets.kit import Kit
from ecr_widgets.model.fleet import RunEnd, TargetRun
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.ports import Progress
from ecr_widgets.recording.earlier import EarlierRecords
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.render import to_html, to_text
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.steps.shared.fleet_wave import Wave
from tests.fakes import World
from tests.fakes.connections import FakeConnections, make_kit


def targets(count: int) -> str:
    return json.dumps([{"service": f"web-{number}"} for number in range(1, count + 1)])


@pytest.fixture
def to(tmp_path: Path) -> FakeConnections:
    return FakeConnections(World())


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path) -> Kit:
    return make_kit(to, tmp_path)


def run_all(kit: Kit, count: int, **options: Any) -> None:
    fleet = kit.plan_fleet("deploy", targets(count), **options)
    kit.fleet_result(fleet, kit.run_waves(fleet))


def last_error(kit: Kit) -> dict[str, Any]:
    error = kit.recorder.records[-1].error
    assert error is not None
    return error


def test_each_target_is_run_once_in_its_own_slot(to: FakeConnections, kit: Kit) -> None:
    """Each target is run once, in its own slot, with its own and the common parameters, in the order of the waves."""
    fleet = kit.plan_fleet("deploy", targets(3), {"environment": "prod"}, waves="1,100%", name="books")
    done = kit.run_waves(fleet, before=(kit.run_wave(fleet),))
    assert [(wave.wave, wave.targets, wave.succeeded) for wave in done] == [(1, 1, 1), (2, 2, 2)]
    assert to.fleet_runs.started[0].slot == "books:web-1"
    assert sorted(run.slot for run in to.fleet_runs.started) == ["books:web-1", "books:web-2", "books:web-3"]
    assert {json.dumps(run.parameters["environment"]) for run in to.fleet_runs.started} == {'"prod"'}
    assert kit.fleet_result(fleet, done).succeeded == 3


def test_a_fleet_without_a_name_has_that_of_its_run(to: FakeConnections, kit: Kit) -> None:
    """A fleet without a name uses its run's id for its slots, so that a resumed run finds them again."""
    run_all(kit, 1)
    assert to.fleet_runs.started[0].slot == "run-1:web-1"


@pytest.mark.parametrize(
    ("codes", "options", "started", "why"),
    [
        ({"web-1": [1]}, {}, 1, "1 target failed so far, more than 0"),
        ({"web-2": [1]}, {"waves": "1,1,100%"}, 2, "1 target failed so far, more than 0"),
        (
            {"web-2": [1], "web-3": [1]},
            {"waves": "1,2", "stop_after": 1},
            3,
            "2 targets failed so far, more than 1",
        ),
        (
            {"web-1": [1], "web-2": [-9]},
            {"waves": "1", "stop_after": 1},
            2,
            "2 targets failed so far, more than 1",
        ),
        ({"web-1": [7]}, {}, 1, "1 target wait for another person's approval"),
        ({"web-1": [5, 5]}, {}, 2, "1 target failed so far, more than 0"),
        ({"web-6": [2]}, {}, 6, "1 target failed so far, more than 0"),
    ],
)
def test_the_rule_stops_a_fleet_before_the_next_wave(
    to: FakeConnections,
    kit: Kit,
    codes: dict[str, list[int]],
    options: dict[str, Any],
    started: int,
    why: str,
) -> None:
    """A failed wave stops the fleet before the next one, and its record says why and what became of its targets."""
    to.fleet_runs.codes.update(codes)
    with pytest.raises(FleetStopped, match=why):
        run_all(kit, 6, **options)
    assert len(to.fleet_runs.started) == started
    error = last_error(kit)
    assert error["targets"]["targets"] >= 1
    assert error["reasons"][0].startswith(f"{next(iter(codes))} ") or len(codes) > 1


def test_allowed_failures_let_the_fleet_go_on_and_fail_at_its_end(to: FakeConnections, kit: Kit) -> None:
    """With allowed failures every target is run, and the fleet fails at the end with the failed targets named."""
    to.fleet_runs.codes["web-2"] = [1]
    with pytest.raises(FleetStopped, match="of 6 targets 5 succeeded, 1 failed") as raised:
        run_all(kit, 6, waves="1,2", stop_after=1)
    assert raised.value.reasons == ("web-2 failed: ended with 1 (run run-of-web-2)",)
    assert len(to.fleet_runs.started) == 6
    assert [each.state for each in kit.recorder.records] == [*["succeeded"] * 5, "failed"]
    assert "  ! 1 of 2 failed" in to_text(kit.recorder.records[2])


@pytest.mark.parametrize(
    ("stop_after", "started", "counts"),
    [
        (0, 6, "wave 2 of 7 stopped the fleet: 1 target failed so far, more than 0"),
        (1, 60, "of 60 targets 59 succeeded, 1 failed"),
    ],
)
def test_one_flaky_target_of_sixty_counts_as_one(
    to: FakeConnections, kit: Kit, stop_after: int, started: int, counts: str
) -> None:
    """One failing target of sixty ends the fleet with its wave; if one failure is allowed, all others still run."""
    to.fleet_runs.codes["web-4"] = [1]
    with pytest.raises(FleetStopped, match=counts):
        run_all(kit, 60, waves="1,5,20%", stop_after=stop_after, at_once=8)
    assert len(to.fleet_runs.started) == started


def test_one_unknown_target_stops_the_fleet_at_once(to: FakeConnections, kit: Kit) -> None:
    """A target with an unknown outcome stops the fleet at once, even if failures are allowed; the outcome is unknown."""
    to.fleet_runs.codes["web-2"] = [4]
    with pytest.raises(FleetUnknown) as raised:
        run_all(kit, 6, waves="6", stop_after=6, at_once=1)
    assert isinstance(raised.value, OutcomeUnknown)
    assert [run.target for run in to.fleet_runs.started] == ["web-1", "web-2"]
    assert kit.recorder.records[-1].state is StepState.UNKNOWN
    assert last_error(kit)["targets"]["not_started"] == 4


def test_a_busy_target_is_tried_again_at_the_end_of_its_wave(to: FakeConnections, kit: Kit) -> None:
    """A busy target, or one that its engine lost, is tried once more at the end of its wave."""
    to.fleet_runs.codes.update({"web-1": [5], "web-2": [RuntimeError("worker died")]})
    run_all(kit, 3, waves="3", at_once=1)
    assert [run.target for run in to.fleet_runs.started] == ["web-1", "web-2", "web-3", "web-1", "web-2"]


def test_a_target_that_is_lost_twice_has_failed_with_its_reason(to: FakeConnections, kit: Kit) -> None:
    """A target that is lost twice counts as failed, with the engine's reason."""
    to.fleet_runs.codes["web-1"] = [RuntimeError("one"), RuntimeError("two")]
    with pytest.raises(FleetStopped) as raised:
        run_all(kit, 1)
    assert raised.value.reasons == ("web-1 failed: busy: lost: RuntimeError: two",)


def test_no_more_targets_run_at_once_than_allowed(to: FakeConnections, kit: Kit) -> None:
    """No more runs than allowed are handed to the executor at a time."""
    handed: list[Future[RunEnd]] = []
    most = 0

    class Counting(Executor):
        def submit(self, call: Any, /, *words: Any, **_: Any) -> Future[RunEnd]:  # type: ignore[override]
            nonlocal most
            future: Future[RunEnd] = Future()
            handed.append(future)
            open_ones = [each for each in handed if not each.done()]
            most = max(most, len(open_ones))
            if len(open_ones) == 3:
                for each in open_ones:
                    each.set_result(call(*words))
            return future

    runs = tuple(TargetRun(f"t{number}", "b", {}, "s", "r", "f") for number in range(9))
    ended: list[str] = []
    Wave(runs, lambda run: ended.append(run.target) or RunEnd(run.target, 0), Counting(), 3).run()  # type: ignore[func-returns-value]
    assert (most, len(handed)) == (3, 9)


def test_an_interrupt_ends_the_runs_and_says_how_far_it_came(to: FakeConnections, kit: Kit) -> None:
    """An interrupt stops the running targets, and the error counts how each target ended."""
    go_on = threading.Event()
    to.fleet_runs.interrupt = go_on.set  # type: ignore[method-assign]
    begun = threading.Event()

    def start(run: TargetRun) -> RunEnd:
        begun.set()
        assert go_on.wait(60)
        return RunEnd(run.target, 3, reason="interrupted by SIGINT")

    to.fleet_runs.start = start  # type: ignore[method-assign]
    fleet = kit.plan_fleet("deploy", targets(3), waves="3", at_once=2)

    class Interrupting(QuietSink):
        def open(self, record: StepRecord) -> Any:
            return self

        def progress(self, observed: Progress) -> None:
            if begun.is_set():
                raise KeyboardInterrupt

    kit.recorder._sink = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        kit.run_wave(fleet)
    told = last_error(kit)["targets"]
    assert (told["failed"], told["not_started"], told["succeeded"]) == (2, 1, 0)


def resumed(to: FakeConnections, folder: Path, *attempts: Sequence[StepRecord]) -> Kit:
    earlier = EarlierRecords(attempts)
    return Kit(to, Recorder("run-1", to.clock, QuietSink(), earlier=earlier), files=(folder,))


def test_a_resumed_fleet_starts_only_what_is_left(to: FakeConnections, kit: Kit, tmp_path: Path) -> None:
    """A resumed fleet starts only the targets that have not succeeded, and counts the others as run before."""
    to.fleet_runs.codes["web-2"] = [1]
    with pytest.raises(FleetStopped):
        run_all(kit, 4, waves="2")
    to.fleet_runs.started.clear()
    to.fleet_runs.succeeded.add("web-1")
    again = resumed(to, tmp_path, kit.recorder.records)
    run_all(again, 4, waves="2")
    assert sorted(run.target for run in to.fleet_runs.started) == ["web-2", "web-3", "web-4"]
    waves = [each for each in again.recorder.records if each.step == "run_wave"]
    assert [each.outcome["ran_before"] for each in waves] == [1, 0]


def test_a_wave_of_which_nothing_is_left_changes_nothing(
    to: FakeConnections, kit: Kit, tmp_path: Path
) -> None:
    """A resumed fleet with nothing left changes nothing, and its records say so."""
    run_all(kit, 2, waves="2")
    to.fleet_runs.succeeded.update(("web-1", "web-2"))
    again = resumed(to, tmp_path, kit.recorder.records)
    run_all(again, 2, waves="2")
    assert [each.changed for each in again.recorder.records] == [False, False, False]


def test_a_fleet_is_not_resumed_over_other_targets(to: FakeConnections, kit: Kit, tmp_path: Path) -> None:
    """A fleet is not resumed with other targets than it started with, however often that is tried."""
    run_all(kit, 2)
    attempts = [kit.recorder.records]
    for _ in range(3):
        again = resumed(to, tmp_path, *attempts)
        with pytest.raises(InputError, match="not those that this fleet began with"):
            again.plan_fleet("deploy", targets(3))
        attempts.append(again.recorder.records)
    resumed(to, tmp_path, *attempts).plan_fleet("deploy", targets(2))


def test_a_plan_starts_nothing(to: FakeConnections, tmp_path: Path) -> None:
    """A plan starts no run, and records each wave with its targets."""
    kit = Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,), planning=True)
    fleet = kit.plan_fleet("deploy", targets(3), waves="1,100%")
    kit.fleet_result(fleet, kit.run_waves(fleet))
    assert to.fleet_runs.started == []
    planned = kit.recorder.records
    assert planned[0].outcome["waves"] == ["1 target: web-1", "2 targets: web-2, web-3"]
    assert [(each.step, each.changed) for each in planned[1:]] == [
        ("run_wave", True), ("run_wave", True), ("fleet_result", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"stop_after": -1}, "stop_after -1 refused"),
        ({"at_once": 0}, "at_once 0 refused"),
        ({"at_once": 1001}, "at_once 1001 refused"),
        ({"waves": "0"}, "waves '0' refused"),
        ({"name": "x" * 40}, "too long"),
        ({"targets": "[]"}, "no target"),
        ({"targets": '[{"service": "hush"}]'}, "targets, line 1: a secret"),
        ({"targets": "none.csv"}, "cannot read 'none.csv'"),
        ({"targets": "demo/none*"}, "no service of 'demo' matches 'none\\*'"),
    ],
)
def test_what_cannot_be_a_fleet_is_refused(kit: Kit, given: dict[str, Any], why: str) -> None:
    """Arguments that make no fleet are refused before anything starts."""
    with pytest.raises(InputError, match=why):
        kit.plan_fleet(**{"runbook": "deploy", "targets": targets(2)} | given)


def test_targets_come_from_a_file_beside_the_runbook(kit: Kit, to: FakeConnections, tmp_path: Path) -> None:
    """Targets are read from a CSV file beside the runbook, also with the byte-order mark that spreadsheets write."""
    (tmp_path / "t.csv").write_bytes("service\nä\nb\n".encode("utf-8-sig"))
    fleet = kit.plan_fleet("deploy", "t.csv")
    kit.run_waves(fleet)
    assert [run.parameters for run in to.fleet_runs.started] == [{"service": "ä"}, {"service": "b"}]


def test_a_record_of_a_wave_shows_one_bar(to: FakeConnections, kit: Kit) -> None:
    """A wave's record shows one bar, with a part for each state as wide as its share."""
    to.fleet_runs.codes["web-1"] = [1]
    with pytest.raises(FleetStopped):
        run_all(kit, 4, waves="4")
    html = to_html(kit.recorder.records[-1])
    assert "width:25.0%;height:8px;background:#c62828" in html
    assert "width:75.0%;height:8px;background:#2e7d32" in html
    lines = to_text(kit.recorder.records[-1]).splitlines()
    assert "  targets: 4: 3 succeeded, 1 failed" in lines


@pytest.mark.parametrize("count", [60, 1000])
def test_the_records_of_a_fleet_fit_into_40_kb(to: FakeConnections, kit: Kit, count: int) -> None:
    """All records of a fleet, in all three forms, stay under 34 kB, even with twenty long failures."""
    for number in range(30, 50):
        to.fleet_runs.codes[f"web-{number}"] = [RuntimeError("why " * 200)] * 2
    with pytest.raises(FleetStopped, match="20 failed"):
        run_all(kit, count, waves="1,5,20%", stop_after=100, at_once=64)
    forms = [(each.to_json(), to_html(each), to_text(each)) for each in kit.recorder.records]
    assert sum(len(part) for each in forms for part in each) < 34_000
