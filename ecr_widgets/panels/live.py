"""A picture that a person works with: what it offers, and what the person asks for.

Nothing that a front end sends is trusted: an action that was not offered, or a row that was not shown, is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from threading import RLock
from typing import Any

from IPython.display import display, update_display

from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.panels.link import Link, Message, is_live
from ecr_widgets.panels.offers import Action, Values
from ecr_widgets.panels.picture import MOST_ROWS, Picture, matching

_MOST_LIVE_ROWS = 10_000
"""Rows that a front end gets to filter, sort and page through by itself; if there are more, those that match the filter."""
_MOST_PART_ROWS = 40
_LONGEST_WORDS = 500
_MOST_EARLIER = 10
"""How many earlier versions of actions can still be sent."""


class _Outdated(InputError):
    """What was asked for is not offered."""


class Live(ABC):
    """A picture below the cell; in a live session also rows to choose from and actions."""

    refreshes = True
    """Whether it can be refreshed."""

    def __init__(self) -> None:
        self._display_id = f"ecrw-panel-{token_hex(6)}"
        self._link = Link(self.take)
        self._is_open = False
        self.words = ""
        """What the rows are filtered by."""
        self.problem = self.said = ""
        self._where = ""
        """The row that was last worked on; empty for the panel itself."""
        self._open_row = ""
        self._offered: frozenset[str] = frozenset()
        self._offered_actions: dict[str, Sequence[Action]] = {}
        """By row, as they were sent, since what is read meanwhile may change their fields. Those with earlier fields are kept
        after the newest, since a form that somebody types into keeps its fields."""
        self._sent_rows: Sequence[Sequence[str]] | None = None
        self._sent_result: object = None
        self._sending = RLock()

    @abstractmethod
    def draw(self, now: datetime, *, most: int = MOST_ROWS) -> Picture:
        """A picture of what was read, with at most that many rows; reads nothing itself."""

    @property
    @abstractmethod
    def drawn_at(self) -> datetime:
        """When what is drawn was read."""

    def actions(self) -> Sequence[Action]:
        """What can be done with the panel as a whole."""
        return ()

    def row_actions(self, key: str) -> Sequence[Action]:
        """What can be done with a row."""
        return ()

    def offered(self, row: str) -> Sequence[Action]:
        """All that was offered for a row, or for the panel as a whole if `row` is empty."""
        sent = self._offered_actions.get(row)
        return sent if sent is not None else self.row_actions(row)

    def row_facts(self, key: str) -> Sequence[tuple[str, str]]:
        """What is known about a row besides its cells, such as a reference to copy."""
        return ()

    def opened(self, key: str) -> None:  # noqa: B027 -- most rows need nothing
        """Called when somebody opens a row."""

    def see(self, keys: Sequence[str]) -> None:  # noqa: B027 -- most panels have read all of a row
        """Called when somebody sees these rows: read what is missing."""

    def do_more(self, message: Message) -> None:  # noqa: B027 -- what only some panels can be asked for
        """Handle a message that is not about rows or actions."""

    def state(self) -> Mapping[str, Any]:
        """What a panel says in addition to its picture."""
        return {}

    def bundle(self, picture: Picture) -> dict[str, str]:
        """The forms that the notebook keeps."""
        shown = replace(
            picture, live=self._link.id if self._is_open else "", problem=picture.problem or self.problem
        )
        if self.words:
            rows = matching(self.words, shown.rows)
            note = f"{len(rows)} of {len(shown.rows) + shown.left_out} for {self.words!r}"
            shown = replace(shown, rows=tuple(rows), left_out=0, note=note)
        return shown.fitted()[1]

    def _ipython_display_(self) -> None:
        self._is_open = is_live()
        display(self.saved(), raw=True, display_id=self._display_id)
        if self._is_open:
            self._link.open()

    def saved(self) -> dict[str, str]:
        """The picture as the notebook keeps it now."""
        return self.bundle(self.draw(self.drawn_at, most=_MOST_LIVE_ROWS if self.words else MOST_ROWS))

    def redraw(self) -> None:
        """Show what is known so far."""
        update_display(self.saved(), raw=True, display_id=self._display_id)
        self.tell()

    def tell(self) -> None:
        """Send what changed to the front ends that show the panel."""
        if not self._link.has_front_end:
            return
        with self._sending:
            picture = self.draw(self.drawn_at, most=_MOST_LIVE_ROWS)
            if picture.left_out and self.words:
                rows = matching(self.words, self.draw(self.drawn_at, most=picture.count).rows)
                picture = replace(
                    picture,
                    rows=tuple(rows[:_MOST_LIVE_ROWS]),
                    left_out=max(0, len(rows) - _MOST_LIVE_ROWS),
                )
            message: dict[str, Any] = {"state": self._state_to_send(picture)}
            if picture.rows != self._sent_rows:
                self._sent_rows = message["rows"] = picture.rows
                self._offered = frozenset(row[picture.key] for row in picture.rows)
            if self._open_row:
                message["drawer"] = self._drawer()
            self._link.send(message)

    def _state_to_send(self, picture: Picture) -> Mapping[str, Any]:
        state = dict(self.state())
        result = (self.problem, self.said, state.get("plan"))
        moved, self._sent_result = result != self._sent_result and any(result), result
        actions = self._offer("", self.actions())
        return {
            "title": picture.title,
            "at": to_rfc3339(picture.at),
            "columns": picture.columns,
            "key": picture.key,
            "note": picture.note,
            "left_out": picture.left_out,
            "parts": [part.capped(_MOST_PART_ROWS).to_json() for part in picture.parts],
            "plots": [plot.to_json() for plot in picture.plots],
            "actions": [each.to_json() for each in actions],
            "words": self.words,
            "refreshes": self.refreshes,
            "problem": self.problem,
            "said": self.said,
            "live": self._link.id,
            "at_row": self._where,
            "moved": moved,
            **state,
        }

    def _drawer(self) -> Mapping[str, Any]:
        row = self._open_row
        actions = self._offer(row, self.row_actions(row))
        self._offered_actions = {of: sent for of, sent in self._offered_actions.items() if of in ("", row)}
        return {"row": row, "facts": self.row_facts(row), "actions": [each.to_json() for each in actions]}

    def _offer(self, row: str, actions: Sequence[Action]) -> Sequence[Action]:
        newest = {each.name: each.field_names for each in actions}
        earlier = [
            each
            for each in self._offered_actions.get(row, ())
            if each.name in newest and each.field_names != newest[each.name]
        ]
        self._offered_actions[row] = (*actions, *earlier[:_MOST_EARLIER])
        return actions

    def take(self, message: object) -> None:
        """Do what a message asks for, if it was offered; never waits."""
        try:
            self._take(message if isinstance(message, Mapping) else {})
        except _Outdated as error:
            # From a page that fell behind another one: what that one planned or did stays in view.
            self.problem = str(error)
            self.redraw()
        except EcrWidgetsError as error:
            self.refuse(error)

    def _take(self, message: Message) -> None:
        what, row = message.get("do"), _text(message.get("row"))
        if what == "hello":
            self._sent_rows = None
            self.tell()
        elif what == "open":
            self._open_row = row if row in self._offered else ""
            if self._open_row:
                self.opened(row)
            self.tell()
        elif what == "see":
            self._seen(message)
        elif what in ("act", "check"):
            self._asked(message, row, only_checked=what == "check")
        else:
            self.do_more(message)

    def _seen(self, message: Message) -> None:
        words, rows = _text(message.get("words"))[:_LONGEST_WORDS], message.get("rows")
        has_changed, self.words = words != self.words, words
        if has_changed:
            self.redraw()
        if isinstance(rows, Sequence):
            self.see([each for each in map(_text, rows) if each in self._offered])

    def _asked(self, message: Message, row: str, *, only_checked: bool) -> None:
        name = _text(message.get("action"))
        if row and row not in self._offered:
            raise _Outdated("that row is not shown any more", hint="look at the rows again")
        offered = [each for each in self.offered(row) if each.name == name]
        if not offered:
            raise _Outdated("that was not offered", hint="look at the panel again")
        typed = message.get("values")
        action = next((each for each in offered if each.asks_for(typed)), offered[0])
        asked = {"action": name, "row": row, "asked": message.get("asked")}
        try:
            values = action.read(typed)
        except InputError as error:
            if only_checked:
                self._link.send({"checked": {**asked, "problem": str(error)}})
                return
            raise
        problem = action.problem(values)
        if only_checked:
            self._link.send({"checked": {**asked, "problem": problem}})
        elif problem:
            raise InputError(problem)
        else:
            self._where = row
            self._open_row = row or self._open_row  # another page may have opened another one since
            self.acted(name, row, values)
            action.do(values)

    def acted(self, action: str, row: str, values: Values) -> None:  # noqa: B027 -- for panels that tell when it ended
        """Called when an action is about to begin."""

    def put_back(self, action: str, row: str, values: Mapping[str, str]) -> None:
        """Replace what was typed into fields of an action."""
        self._link.send({"values": {"action": action, "row": row, "values": values}})

    def refuse(self, error: Exception) -> None:
        """Say why something cannot be done; the panel keeps working."""
        self.problem, self.said = str(error), ""
        self.redraw()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
