"""A panel in front of somebody: what it shows, and its controls to type into and press. No browser, no kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import enumerate as threads
from typing import Any

import ipywidgets
import pytest
from ipywidgets.widgets import widget

from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME
from ecr_widgets.panels import base
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording import notebook

_VIEW = "application/vnd.jupyter.widget-view+json"


class Desk:
    """What stands below one cell, by display id."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kit: NotebookKit, *, live: bool = True) -> None:
        self.kit = kit
        self.shown: dict[str, dict[str, Any]] = {}
        self.widgets: list[Any] = []
        self.texts_of_controls: list[str] = []
        monkeypatch.setattr(base, "is_live", lambda: live)
        monkeypatch.setattr(base, "_BETWEEN_LOOKS_S", 0.01)
        for module in (base, notebook):
            monkeypatch.setattr(module, "update_display", self._show)
        monkeypatch.setattr(base, "display", self._show)

    def _show(self, shown: dict[str, Any], *, display_id: str = "", **_: object) -> None:
        if _VIEW in shown:
            self.texts_of_controls.append(shown["text/plain"])
            self.widgets.append(widget._instances[shown[_VIEW]["model_id"]])
        else:
            self.shown[display_id] = shown

    def open(self, panel: Panel) -> None:
        """Run the cell, and wait until the panel has read all."""
        panel._ipython_display_()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way."""
        deadline_s = time.monotonic() + 30
        while any(thread.name == "ecr-widgets panel" for thread in threads()):
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    @property
    def picture(self) -> dict[str, Any]:
        """The panel's picture as the notebook keeps it."""
        (found,) = (each for each in self.shown.values() if PANEL_MIME in each)
        return json.loads(found[PANEL_MIME])

    def column(self, name: str) -> list[str]:
        """A column's cells, from the top."""
        number = self.picture["columns"].index(name)
        return [row[number] for row in self.picture["rows"]]

    @property
    def html(self) -> str:
        """The picture as people see it."""
        (found,) = (each for each in self.shown.values() if PANEL_MIME in each)
        return found["text/html"]

    @property
    def records(self) -> list[dict[str, Any]]:
        """From the top."""
        return [json.loads(each[RECORD_MIME]) for each in self.shown.values() if RECORD_MIME in each]

    def part(self, title: str) -> list[list[str]]:
        """Rows of a table below the picture's own."""
        return next(part["rows"] for part in self.picture["parts"] if part["title"].startswith(title))

    def find(self, description: str) -> Any:
        """The control whose label begins so."""
        return next(each for each in self._all() if each.description.lstrip("▸▾ ").startswith(description))

    def type(self, description: str, value: Any) -> None:
        """Type into a control, or choose."""
        self.find(description).value = value

    def press(self, description: str) -> None:
        """Press a button that can be pressed, and wait for what it does."""
        self.click(description)
        self.settle()

    def click(self, description: str) -> None:
        """Press a button that can be pressed."""
        button = self.find(description)
        assert isinstance(button, ipywidgets.Button)
        assert not button.disabled, description
        assert button.layout.display != "none", description
        button.click()

    def hints(self) -> list[str]:
        """What is said beside the controls."""
        return [each.value for each in self._all(ipywidgets.Label) if each.value]

    def _all(self, kind: type[Any] = ipywidgets.DOMWidget, *, labelled: bool = True) -> Iterator[Any]:
        rest = [*self.widgets]
        while rest:
            one = rest.pop(0)
            if isinstance(one, kind) and (
                kind is ipywidgets.Label or not labelled or hasattr(one, "description")
            ):
                yield one
            rest = [*getattr(one, "children", ()), *rest]
