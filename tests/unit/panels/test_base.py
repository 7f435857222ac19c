"""What all panels share: one action at a time, cancelling, errors of any kind, records that are never overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Event

import pytest

from ecr_widgets.errors import InputError, StepCancelled
from ecr_widgets.kit import Kit
from ecr_widgets.model.script import Script
from ecr_widgets.panels import base
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.panels.picture import Picture
from ecr_widgets.panels.plans import Plan
from ecr_widgets.ports import Progress, ProgressSink
from tests.unit.panels.desk import Desk


def doing(step: Callable[[Kit], object]) -> Script:
    """A script that calls the function."""
    return Script("panel-test", "Test", "", ("step(kit)",), {"step": step})


class Plain(Panel):
    """A panel that counts its reads."""

    looks = 0

    def read(self) -> Iterator[None]:
        self.looks += 1
        yield

    def draw(self, now: datetime, *, most: int = 100) -> Picture:
        return Picture("plain", "Plain", now, ("looks",), ((str(self.looks),),))


@pytest.fixture
def panel(desk: Desk, kit: NotebookKit) -> Plain:
    made = Plain(kit)
    desk.open(made)
    return made


def test_one_action_at_a_time_and_what_is_under_way_is_said(desk: Desk, panel: Plain) -> None:
    """A second action during the first one is refused by name, and the first one continues."""
    begun, end = Event(), Event()

    def wait(_: NotebookKit) -> None:
        begun.set()
        assert end.wait(10)

    panel.act("count sheep", doing(wait))
    assert begun.wait(10)
    assert desk.picture["status"] == "count sheep"
    assert desk.offers("Cancel")
    panel.act("count goats", doing(lambda _: pytest.fail("begun")))
    assert desk.picture["problem"] == "not started: count goats; wait until count sheep ends, or cancel it"
    end.set()
    desk.settle()
    assert desk.picture["status"] == ""
    assert not desk.offers("Cancel")


def test_a_step_is_cancelled_at_its_next_observation(desk: Desk, panel: Plain) -> None:
    """A cancelled step ends at its next progress with an unknown outcome, no further step starts, and later actions work."""
    begun = Event()

    def endless(kit: NotebookKit) -> None:
        def act(progress: ProgressSink) -> None:
            while True:
                begun.set()
                progress(Progress("sheep", "counting"))

        try:
            kit.recorder.perform("count", {}, act)
        except StepCancelled:
            kit.recorder.perform("another", {}, lambda _: pytest.fail("begun"))

    panel.act("count sheep", doing(endless))
    assert begun.wait(10)
    desk.press("Cancel")
    (record,) = desk.records
    assert (record["step"], record["state"], record["error"]["type"]) == ("count", "unknown", "StepCancelled")
    assert "another was cancelled" in desk.picture["problem"]
    panel.act("go on", doing(lambda kit: kit.recorder.perform("later", {}, lambda _: None)))
    desk.settle()
    assert (desk.picture["problem"], desk.records[-1]["state"]) == ("", "succeeded")


def test_an_error_that_is_not_ours_is_shown_too(desk: Desk, panel: Plain) -> None:
    """An unexpected exception is shown with its type as a bug, and the panel keeps working."""

    def fail(_: NotebookKit) -> None:
        raise ZeroDivisionError("by zero")

    panel.act("divide", doing(fail))
    desk.settle()
    assert desk.picture["problem"].startswith("ZeroDivisionError: by zero; this is a bug")
    panel.act("nothing", doing(lambda _: None))
    desk.settle()
    assert (desk.picture["problem"], desk.picture["rows"]) == ("", [["3"]])


def test_two_problems_are_both_said(desk: Desk, panel: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action's error and a failed read after it are both shown."""

    def unread(_: object) -> Iterator[None]:
        raise InputError("this cannot be read")
        yield

    def fail(_: NotebookKit) -> None:
        raise InputError("this cannot be done")

    monkeypatch.setattr(Plain, "read", unread)
    panel.act("try", doing(fail))
    desk.settle()
    assert desk.picture["problem"] == "this cannot be done\nthis cannot be read"


def test_no_record_takes_anothers_place(desk: Desk, panel: Plain) -> None:
    """When all places for records are taken, no further step starts, and the panel says to show it again in a new cell."""
    done = []

    def many(kit: NotebookKit) -> None:
        for number in range(base._PLACES + 1):
            kit.recorder.perform(f"step{number}", {}, lambda _: done.append(1))

    panel.act("much", doing(many))
    desk.settle()
    assert len(desk.records) == len(done) == base._PLACES
    assert "show the panel again in a new cell" in desk.picture["problem"]


def test_no_action_is_begun_that_could_run_out_of_places(desk: Desk, panel: Plain) -> None:
    """An action is refused if fewer places for records are left than the longest action needs."""

    def much(kit: NotebookKit) -> None:
        for number in range(base._PLACES - base._LONGEST_ACTION + 1):
            kit.recorder.perform(f"step{number}", {}, lambda _: None)

    panel.act("much", doing(much))
    desk.settle()
    left = len(desk.records)
    panel.act("more", doing(lambda _: pytest.fail("begun")))
    desk.settle()
    assert "cannot keep more records; show the panel again in a new cell" in desk.picture["problem"]
    assert (len(desk.records), desk.picture["status"]) == (left, "")


def test_a_look_is_cancelled_at_once_and_offers_nothing(desk: Desk, panel: Plain) -> None:
    """Cancelling a look takes effect immediately and drops its result, so that another action can start."""
    begun, end = Event(), Event()

    def look(_: NotebookKit) -> Plan:
        begun.set()
        assert end.wait(10)
        return Plan("shear sheep", ("all of them",), doing(lambda _: pytest.fail("begun")))

    panel.work_out("count sheep", look)
    assert begun.wait(10)
    desk.click("Cancel")
    assert desk.picture["problem"] == "cancelled: count sheep; nothing was changed"
    assert desk.picture["status"] == ""
    panel.work_out("count goats", lambda _: Plan("milk goats", ("one",), doing(lambda _: None)))
    end.set()
    desk.settle()
    assert [part["title"] for part in desk.picture["parts"]] == ["Planned: milk goats"]


def test_a_plan_without_lines_is_carried_out_at_once(desk: Desk, panel: Plain) -> None:
    """A plan without lines is carried out without confirmation."""
    panel.work_out(
        "look", lambda _: Plan("go", (), doing(lambda kit: kit.recorder.perform("going", {}, lambda _: None)))
    )
    desk.settle()
    assert [record["step"] for record in desk.records] == ["going"]
    assert [part["title"] for part in desk.picture["parts"]] == ["Last action"]


def test_cancelling_twice_is_said_once(desk: Desk, panel: Plain) -> None:
    """Cancelling twice shows the word only once."""
    begun, end = Event(), Event()

    def stubborn(_: NotebookKit) -> None:
        begun.set()
        assert end.wait(10)

    panel.act("count sheep", doing(stubborn))
    assert begun.wait(10)
    desk.click("Cancel")
    desk.click("Cancel")
    assert desk.picture["status"] == "count sheep: cancelling"
    end.set()
    desk.settle()


def test_a_forgotten_watch_ends_and_says_so(
    desk: Desk, panel: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch ends after the longest time, and the panel says so."""
    monkeypatch.setattr(base, "_LONGEST_WATCH_S", 0.0)
    panel.watch(on=True)
    desk.settle()
    assert not panel.is_watched
    assert "watching ended after 30 min; tick watch to continue" in desk.picture["problem"]


def test_a_watched_panel_looks_until_it_is_not_watched(desk: Desk, panel: Plain) -> None:
    """A watched panel reads repeatedly until it is no longer watched."""
    panel.watch(on=True)
    while panel.looks < 4:
        pass
    panel.watch(on=False)
    desk.settle()
    assert desk.picture["rows"] == [[str(panel.looks)]]


def test_each_action_is_a_run_that_the_panel_names(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """Each action is a run of its own, whose records count from 1, and the panel shows its id and file."""
    for word in ("count", "shear"):
        panel.act(word, doing(lambda kit: kit.recorder.perform("step", {}, lambda _: None)))
        desk.settle()
    assert [(each["run_id"], each["sequence"]) for each in desk.records] == [("action-1", 1), ("action-2", 1)]
    assert desk.state["run"]["id"] == "action-2"
    assert desk.part("Last action") == [["✓ shear: run action-2 in runs/action-2-panel-test.ipynb"]]


def test_an_action_that_failed_names_its_run_too(desk: Desk, panel: Plain) -> None:
    """A failed action's run is shown with its file, too."""

    def fail(_: Kit) -> None:
        raise InputError("this cannot be done")

    panel.act("try", doing(fail))
    desk.settle()
    assert desk.state["problem"] == "this cannot be done"
    assert desk.part("Last action") == [["✗ try: run action-1 in runs/action-1-panel-test.ipynb"]]


def test_the_reason_goes_into_the_run(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """The reason typed at the confirmation is saved in the run, without outer spaces."""
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: None)))
    desk.settle()
    confirm = desk.state["plan"]["confirm"]
    desk.send({"do": "act", "action": confirm["name"], "row": "", "values": {"reason": " OPS-1 "}})
    desk.settle()
    assert [reason for _, reason in kit.actions.done] == ["OPS-1"]


def test_what_needs_an_approval_becomes_a_plan_for_another_person(
    desk: Desk, kit: NotebookKit, panel: Plain
) -> None:
    """If an action needs an approval, it needs a reason and becomes a plan, and the panel says how to approve it."""
    kit.actions.guard = "environment prod"
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: pytest.fail("begun"))))
    desk.settle()
    (reason,) = desk.state["plan"]["confirm"]["fields"]
    assert reason["hint"] == "environment prod requires an approval: another person has to approve this"
    desk.press("Ask for approval: go")
    assert "Reason is empty" in desk.state["problem"]
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: pytest.fail("begun"))))
    desk.settle()
    desk.send({"do": "act", "action": desk.state["plan"]["confirm"]["name"], "values": {"reason": "OPS-2"}})
    desk.settle()
    assert "nothing was changed: environment prod requires an approval" in desk.state["said"]
    assert "ecr-widgets approve plan-1" in desk.state["said"]
    assert (len(kit.actions.done), len(kit.actions.planned)) == (0, 1)


def test_a_plan_is_confirmed_once_and_no_older_one(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """An older plan cannot be confirmed once a newer one is shown."""
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: None)))
    desk.settle()
    older = desk.state["plan"]["confirm"]["name"]
    panel.work_out("look", lambda _: Plan("go", ("two",), doing(lambda _: None)))
    desk.settle()
    desk.send({"do": "act", "action": older, "values": {"reason": ""}})
    desk.settle()
    assert kit.actions.done == []
    assert "was not offered" in desk.state["problem"]
