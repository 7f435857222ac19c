"""Messages from front ends are checked against what the panel offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from ecr_widgets.panels import live
from ecr_widgets.panels.live import Live
from ecr_widgets.panels.offers import Action, Field
from ecr_widgets.panels.picture import Picture
from tests.fakes import NOW
from tests.unit.panels.desk import Desk


class Sheep(Live):
    """A panel whose rows can be shorn, except the black one."""

    drawn_at = NOW

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names
        self.done: list[str] = []
        self.seen: list[str] = []
        self.more: tuple[Field, ...] = ()
        """Additional fields of the action."""

    def draw(self, now: datetime, *, most: int = 100) -> Picture:
        rows = tuple((name, "white") for name in self.names[:most])
        return Picture("sheep", "Sheep", now, ("name", "colour"), rows, left_out=len(self.names) - len(rows))

    def actions(self) -> Sequence[Action]:
        return (Action("count", "Count", "Counts them", lambda _: self.done.append("count")),)

    def row_actions(self, key: str) -> Sequence[Action]:
        field = Field("tool", "Tool", required=True)
        why_not = lambda values: "too blunt" if values["tool"] == "spoon" else ""  # noqa: E731
        shear = Action(
            "shear", "Shear", "Shears it", lambda _: self.done.append(key), (field,), why_not=why_not
        )
        return () if key == "black" else (replace(shear, fields=(field, *self.more)),)

    def see(self, keys: Sequence[str]) -> None:
        self.seen += keys


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch, None)


@pytest.fixture
def sheep(desk: Desk) -> Sheep:
    made = Sheep(("dolly", "black"))
    desk.open(made)
    return made


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"row": "wolf"}, "that row is not shown any more"),
        ({"row": "black"}, "that was not offered"),
        ({"action": "eat"}, "that was not offered"),
        ({"action": "count"}, "that was not offered"),
        ({"action": ["shear"]}, "that was not offered"),
        ({"row": ""}, "that was not offered"),
        ({"values": {"tool": ""}}, "Tool is empty"),
        ({"values": {"tool": "spoon"}}, "too blunt"),
        ({"values": {}}, "came back changed"),
        ({"values": None}, "came back changed"),
    ],
)
def test_what_was_not_offered_is_refused(
    desk: Desk, sheep: Sheep, changed: dict[str, Any], said: str
) -> None:
    """An action, row or value that was not offered is refused with a reason, and a valid one is still accepted."""
    good = {"do": "act", "action": "shear", "row": "dolly", "values": {"tool": "scissors"}}
    desk.send({**good, **changed})
    assert sheep.done == []
    assert said in desk.picture["problem"]
    assert said in desk.state["problem"]
    desk.send(good)
    assert sheep.done == ["dolly"]


def test_a_form_of_before_is_read_as_it_was_offered(desk: Desk, sheep: Sheep) -> None:
    """Values from fields that changed in the meantime are accepted; those from fields never offered are not."""
    desk.choose("dolly")
    sent = {"do": "act", "action": "shear", "row": "dolly", "values": {"tool": "scissors"}}
    for name in ("colour", "length", "colour"):
        sheep.more = (Field(name, name.title()),)
        sheep.tell()
    desk.send(sent)
    assert sheep.done == ["dolly"]
    desk.send({**sent, "values": {"tool": "scissors", "age": "3"}})
    assert "came back changed" in sheep.problem
    desk.send({**sent, "values": {"tool": "scissors", "colour": "white"}})
    assert sheep.done == ["dolly", "dolly"]


@pytest.mark.parametrize("message", [None, 7, [], {}, {"do": 1}, {"do": "confirm"}, {"do": ["act"]}])
def test_a_message_that_means_nothing_does_nothing(desk: Desk, sheep: Sheep, message: Any) -> None:
    """An unknown or malformed message has no effect."""
    desk.send(message)
    assert (sheep.done, desk.picture["problem"]) == ([], "")


def test_a_row_that_is_gone_can_no_longer_be_worked_on(desk: Desk, sheep: Sheep) -> None:
    """An action on a row that is no longer shown is refused."""
    sheep.names = ("black",)
    sheep.redraw()
    desk.send({"do": "act", "action": "shear", "row": "dolly", "values": {"tool": "scissors"}})
    assert sheep.done == []
    assert "not shown any more" in desk.state["problem"]


def test_what_is_typed_is_checked_and_nothing_else_happens(desk: Desk, sheep: Sheep) -> None:
    """A check of typed values returns only the problem, with the question's number, and does nothing else."""
    before = desk.picture
    ask = {"do": "check", "action": "shear", "row": "dolly", "values": {"tool": "spoon"}, "asked": 4}
    desk.send(ask)
    assert desk.messages[-1] == {
        "checked": {"action": "shear", "row": "dolly", "asked": 4, "problem": "too blunt"}
    }
    assert desk.picture == before
    assert sheep.done == []


def test_only_rows_that_were_sent_count_as_seen(desk: Desk, sheep: Sheep) -> None:
    """Only rows that were sent to the front end can be marked as seen."""
    desk.send({"do": "see", "words": "", "rows": ["wolf", "dolly", 7]})
    assert sheep.seen == ["dolly"]


def test_a_front_end_gets_all_rows_though_few_are_saved(desk: Desk) -> None:
    """The front end gets all 10,000 rows; the saved picture has at most 100."""
    desk.open(Sheep([f"sheep {number}" for number in range(10_000)]))
    assert len(desk.rows) == 10_000
    assert desk.state["left_out"] == 0
    assert len(desk.picture["rows"]) <= 100


def test_of_more_rows_than_a_front_end_gets_those_are_sent_that_match(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there are more rows than a front end gets, a filter searches all of them."""
    monkeypatch.setattr(live, "_MOST_LIVE_ROWS", 10)
    desk.open(Sheep([f"sheep {number}" for number in range(1000)]))
    assert (len(desk.rows), desk.state["left_out"]) == (10, 990)
    desk.send({"do": "see", "words": "sheep 99", "rows": []})
    assert (len(desk.rows), desk.state["left_out"]) == (10, 9)
    assert (desk.rows[0][0], desk.rows[-1][0]) == ("sheep 99", "sheep 990")
    desk.send({"do": "see", "words": "sheep 512", "rows": []})
    assert ([row[0] for row in desk.rows], desk.state["left_out"]) == (["sheep 512"], 0)


def test_rows_are_sent_again_only_when_they_changed(desk: Desk, sheep: Sheep) -> None:
    """Rows are sent again only if they changed."""
    sent = sum("rows" in each for each in desk.messages)
    sheep.redraw()
    assert sum("rows" in each for each in desk.messages) == sent
    sheep.names = ("black",)
    sheep.redraw()
    assert sum("rows" in each for each in desk.messages) == sent + 1
