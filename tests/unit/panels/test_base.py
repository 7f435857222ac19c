"""What all panels do: one action at a time, cancelling, errors of any kind, records that are never overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Event

import pytest

from ecr_widgets.errors import InputError, StepCancelled
from ecr_widgets.kit import Kit
from ecr_widgets.model.script import Script
from ecr_widgets.panels import base
from ecr_widgets.panels.base import Panel, Plan
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.panels.picture import Picture
from ecr_widgets.ports import Progress, ProgressSink
from tests.unit.panels.desk import Desk


def doing(step: Callable[[Kit], object]) -> Script:
    """A script that does anything."""
    return Script("panel-test", "Test", "", ("step(kit)",), {"step": step})


class Plain(Panel):
    """Counts its looks."""

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
    """A second one is refused by name; the first goes on."""
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
    """Its record says that how far it came is not known, no further step begins, and later actions work."""
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
    """With its kind, and the panel goes on."""

    def fail(_: NotebookKit) -> None:
        raise ZeroDivisionError("by zero")

    panel.act("divide", doing(fail))
    desk.settle()
    assert desk.picture["problem"].startswith("ZeroDivisionError: by zero; this is a bug")
    panel.act("nothing", doing(lambda _: None))
    desk.settle()
    assert (desk.picture["problem"], desk.picture["rows"]) == ("", [["3"]])


def test_two_problems_are_both_said(desk: Desk, panel: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an action failed on, and what cannot be read."""

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
    """Where all places are taken nothing more is begun, and the panel says where to go on."""
    done = []

    def many(kit: NotebookKit) -> None:
        for number in range(base._PLACES + 1):
            kit.recorder.perform(f"step{number}", {}, lambda _: done.append(1))

    panel.act("much", doing(many))
    desk.settle()
    assert len(desk.records) == len(done) == base._PLACES
    assert "show the panel again in a new cell" in desk.picture["problem"]


def test_no_action_is_begun_that_could_run_out_of_places(desk: Desk, panel: Plain) -> None:
    """Where fewer places are left than the longest action takes, it is refused whole and nothing is done."""

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
    """Others may begin while it goes on by itself, and what it gives is dropped."""
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
    """There is nothing to ask about."""
    panel.work_out(
        "look", lambda _: Plan("go", (), doing(lambda kit: kit.recorder.perform("going", {}, lambda _: None)))
    )
    desk.settle()
    assert [record["step"] for record in desk.records] == ["going"]
    assert [part["title"] for part in desk.picture["parts"]] == ["Last action"]


def test_cancelling_twice_is_said_once(desk: Desk, panel: Plain) -> None:
    """The words do not pile up."""
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
    """Nobody is left to think that the picture is kept up to date."""
    monkeypatch.setattr(base, "_LONGEST_WATCH_S", 0.0)
    panel.watch(on=True)
    desk.settle()
    assert not panel.is_watched
    assert "watching ended after 30 min; tick watch to continue" in desk.picture["problem"]


def test_a_watched_panel_looks_until_it_is_not_watched(desk: Desk, panel: Plain) -> None:
    """Again and again, without anybody asking."""
    panel.watch(on=True)
    while panel.looks < 4:
        pass
    panel.watch(on=False)
    desk.settle()
    assert desk.picture["rows"] == [[str(panel.looks)]]


def test_each_action_is_a_run_that_the_panel_names(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """Its records are that run's, from 1 on, and saved there before they are shown; the picture says where."""
    for word in ("count", "shear"):
        panel.act(word, doing(lambda kit: kit.recorder.perform("step", {}, lambda _: None)))
        desk.settle()
    assert [(each["run_id"], each["sequence"]) for each in desk.records] == [("action-1", 1), ("action-2", 1)]
    assert desk.state["run"]["id"] == "action-2"
    assert desk.part("Last action") == [["✓ shear: run action-2 in runs/action-2-panel-test.ipynb"]]


def test_an_action_that_failed_names_its_run_too(desk: Desk, panel: Plain) -> None:
    """Its reason is in there."""

    def fail(_: Kit) -> None:
        raise InputError("this cannot be done")

    panel.act("try", doing(fail))
    desk.settle()
    assert desk.state["problem"] == "this cannot be done"
    assert desk.part("Last action") == [["✗ try: run action-1 in runs/action-1-panel-test.ipynb"]]


def test_the_reason_goes_into_the_run(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """As it is when the plan is confirmed."""
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: None)))
    desk.settle()
    confirm = desk.state["plan"]["confirm"]
    desk.send({"do": "act", "action": confirm["name"], "row": "", "values": {"reason": " OPS-1 "}})
    desk.settle()
    assert [reason for _, reason in kit.actions.done] == ["OPS-1"]


def test_what_needs_an_approval_becomes_a_plan_for_another_person(
    desk: Desk, kit: NotebookKit, panel: Plain
) -> None:
    """Nothing runs; it is said before, what asks for it and how another person lets it go on; a reason is asked for."""
    kit.actions.guard = "environment prod"
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: pytest.fail("begun"))))
    desk.settle()
    (reason,) = desk.state["plan"]["confirm"]["fields"]
    assert reason["hint"] == "environment prod asks for an approval: another person lets this go on"
    desk.press("Ask for approval: go")
    assert "Reason is empty" in desk.state["problem"]
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: pytest.fail("begun"))))
    desk.settle()
    desk.send({"do": "act", "action": desk.state["plan"]["confirm"]["name"], "values": {"reason": "OPS-2"}})
    desk.settle()
    assert "nothing was changed: environment prod asks for an approval" in desk.state["said"]
    assert "ecr-widgets approve plan-1" in desk.state["said"]
    assert (len(kit.actions.done), len(kit.actions.planned)) == (0, 1)


def test_a_plan_is_confirmed_once_and_no_older_one(desk: Desk, kit: NotebookKit, panel: Plain) -> None:
    """Each has a name of its own, which is refused once it is gone."""
    panel.work_out("look", lambda _: Plan("go", ("one",), doing(lambda _: None)))
    desk.settle()
    older = desk.state["plan"]["confirm"]["name"]
    panel.work_out("look", lambda _: Plan("go", ("two",), doing(lambda _: None)))
    desk.settle()
    desk.send({"do": "act", "action": older, "values": {"reason": ""}})
    desk.settle()
    assert kit.actions.done == []
    assert "was not offered" in desk.state["problem"]
