"""A stand-in for a front end, without browser or kernel: what a panel shows, and its fields and buttons.

It keeps what the panel sends, and sends what `panel.js` would.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from threading import enumerate as threads
from typing import Any

import pytest

from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME
from ecr_widgets.panels import base, link
from ecr_widgets.panels import live as live_panels
from ecr_widgets.panels.live import Live
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording import notebook

_CONFIRMS = ("Confirm", "Ask for approval")


class Desk:
    """What is displayed below one cell, by display id."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, kit: NotebookKit | None, *, live: bool = True
    ) -> None:
        self.kit = kit
        self.shown: dict[str, dict[str, Any]] = {}
        self.messages: list[Mapping[str, Any]] = []
        """Everything that the kernel sent, as JSON."""
        self.typed: dict[str, Any] = {}
        self.row = ""
        self._is_live = live
        monkeypatch.setattr(base, "_BETWEEN_LOOKS_S", 0.01)
        for module in (base, notebook, link, live_panels):
            for name in ("display", "update_display"):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, self._show)
        monkeypatch.setattr(live_panels, "is_live", lambda: live)
        monkeypatch.setattr(link, "listen", self._listen)
        monkeypatch.setattr(link, "DOORS", link.Doors())
        monkeypatch.setattr(link, "watch_cells", lambda *_: None)

    def _listen(self, panel_id: str, take: link.Take) -> link.Send:
        self.send = take
        return self._hear

    def _hear(self, message: Mapping[str, Any]) -> None:
        heard = json.loads(json.dumps(message))
        self.messages.append(heard)
        # As panel.js does: fields of an action that succeeded are cleared, and some get new values.
        closed, put = heard.get("closed"), heard.get("values")
        for field in self._fields_of(closed["action"]) if closed else ():
            self.typed.pop(field["label"], None)
        for field in self._fields_of(put["action"]) if put else ():
            if field["name"] in put["values"]:
                self.typed[field["label"]] = put["values"][field["name"]]

    def _fields_of(self, name: str) -> list[dict[str, Any]]:
        named = (each for _, actions in self._offered() for each in actions if each["name"] == name)
        return next((each["fields"] for each in named), [])

    def _show(self, shown: dict[str, Any], *, display_id: str = "", **_: object) -> None:
        self.shown[display_id] = shown

    def open(self, panel: Live) -> None:
        """Run the cell and wait until the panel has read everything; in a live session a front end connects."""
        self.messages, self.typed, self.row = [], {}, ""
        self.shown = {name: forms for name, forms in self.shown.items() if PANEL_MIME not in forms}
        panel._ipython_display_()
        if self._is_live:
            self.send({"do": "hello"})
        self.settle()

    def settle(self) -> None:
        """Wait until no panel thread is running."""
        deadline_s = time.monotonic() + 30
        while any(thread.name == "ecr-widgets panel" for thread in threads()):
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    @property
    def picture(self) -> dict[str, Any]:
        """The panel's picture as the notebook saves it."""
        (found,) = (each for each in self.shown.values() if PANEL_MIME in each)
        return json.loads(found[PANEL_MIME])

    def column(self, name: str) -> list[str]:
        """A column's cells, from the top."""
        number = self.picture["columns"].index(name)
        return [row[number] for row in self.picture["rows"]]

    @property
    def html(self) -> str:
        """The picture as shown without panel.js."""
        (found,) = (each for each in self.shown.values() if PANEL_MIME in each)
        return found["text/html"]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The displayed records, from the top."""
        return [json.loads(each[RECORD_MIME]) for each in self.shown.values() if RECORD_MIME in each]

    def part(self, title: str) -> list[list[str]]:
        """The rows of a table below the picture's own: the one with that title, or else one whose title begins so."""
        found = [part for part in self.picture["parts"] if part["title"].startswith(title)]
        return next((part for part in found if part["title"] == title), found[0])["rows"]

    def last(self, name: str) -> Any:
        """What the kernel sent last under that name."""
        return next((each[name] for each in reversed(self.messages) if name in each), None)

    @property
    def state(self) -> dict[str, Any]:
        """The panel's current state."""
        return self.last("state")

    @property
    def rows(self) -> list[list[str]]:
        """All rows that the front end has for filtering and paging."""
        return self.last("rows")

    @property
    def drawer(self) -> dict[str, Any]:
        """The details of the open row."""
        return self.last("drawer")

    def choose(self, name: str) -> None:
        """Open the drawer of the row with that name, or with that name among its names."""
        row = next(each for each in self.rows if name in (each[0], *each[0].split(", "), *each))
        self.row = row[self.state["key"]]
        self.send({"do": "open", "row": self.row})
        self.settle()

    def type(self, label: str, value: Any) -> None:
        """Type into a field or choose in it, after choosing what the field is shown for; the filter applies immediately."""
        if label == "Filter":
            found = [
                row for row in self.rows if all(w in "\n".join(row).lower() for w in value.lower().split())
            ]
            keys = [row[self.state["key"]] for row in found][:12]
            self.send({"do": "see", "words": value, "rows": keys})
        else:
            field = self.field(label)
            self.typed[field["label"]] = value
            for name, chosen in (field["when"],) if field["when"] else ():
                other = next(
                    each
                    for _, actions in self._offered()
                    for action in actions
                    for each in action["fields"]
                    if each["name"] == name
                )
                self.typed[other["label"]] = chosen

    def field(self, label: str) -> dict[str, Any]:
        """A field as it is offered."""
        return next(self._fields(label))

    def values(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """The values in an action's fields."""
        return {each["name"]: self._value(each) for each in action["fields"]}

    def _value(self, field: Mapping[str, Any]) -> Any:
        return self.typed.get(field["label"], field["value"])

    def why_not(self, button: str) -> str:
        """The reason beside a disabled button; empty if a field has it, or if the button is enabled."""
        action, row = self._action(button)
        values = self.values(action)
        self.send({"do": "check", "action": action["name"], "row": row, "values": values, "asked": 1})
        return self.last("checked")["problem"]

    def can(self, button: str) -> bool:
        """Whether a button is enabled."""
        action, _ = self._action(button)
        values = self.values(action)
        needed = [each for each in action["fields"] if each["required"] and self._is_shown(each, values)]
        filled = all(str(values[each["name"]]).strip() for each in needed)
        return filled and not self.why_not(button)

    @staticmethod
    def _is_shown(field: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        return not field["when"] or values[field["when"][0]] == field["when"][1]

    def offers(self, button: str) -> bool:
        """Whether there is such a button."""
        plan = self.state.get("plan")
        common = {
            "Cancel": self.state.get("status"),
            "Discard plan": plan,
            "Refresh": self.state["refreshes"],
        }
        if button in common:
            return bool(common[button])
        if button.startswith(_CONFIRMS):
            return plan is not None and plan["confirm"]["go"].startswith(button)
        return self._action(button, must=False) is not None

    def press(self, button: str) -> None:
        """Press an enabled button and wait for its action to end."""
        self.click(button)
        self.settle()

    def click(self, button: str) -> None:
        """Press an enabled button."""
        assert self.offers(button), button
        if button.startswith(_CONFIRMS):
            confirm = self.state["plan"]["confirm"]
            values = self.values(confirm)
            self.send({"do": "act", "action": confirm["name"], "row": self.state["at_row"], "values": values})
        elif button in ("Cancel", "Refresh"):
            self.send({"do": button.lower()})
        elif button == "Discard plan":
            self.send({"do": "discard"})
        else:
            assert self.can(button), button
            action, row = self._action(button)
            self.send({"do": "act", "action": action["name"], "row": row, "values": self.values(action)})

    def _action(self, button: str, *, must: bool = True) -> Any:
        for row, actions in self._offered():
            for each in actions:
                if each["go"].startswith(button) or each["label"].startswith(button):
                    return each, row
        assert not must, button
        return None

    def _offered(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        if self.row and self.drawer is not None and self.drawer["row"] == self.row:
            yield self.row, self.drawer["actions"]
        yield "", self.state["actions"]

    def _fields(self, label: str) -> Iterator[dict[str, Any]]:
        for _, actions in self._offered():
            for each in actions:
                yield from (field for field in each["fields"] if field["label"].startswith(label))
