"""The two connections to a front end, and how the kernel learns which one is available."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecr_widgets.panels import link
from ecr_widgets.panels.form_widgets import shown
from ecr_widgets.panels.link import Doors, Link


class Kernel:
    """A kernel in which cells start and end, and time passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: dict[str, Any] = {}
        self.heard: list[Any] = []
        self.by_comm: list[Any] = []
        self.by_widget: list[Any] = []
        self.waiting: list[Callable[[], object]] = []
        monkeypatch.setattr(link, "DOORS", Doors())
        monkeypatch.setattr(link, "Timer", self._timer)
        monkeypatch.setattr(link, "watch_cells", self._watch)
        monkeypatch.setattr(link, "listen", self._listen)
        monkeypatch.setattr(link, "made_widget", self._widget)
        for name in ("display", "update_display"):
            monkeypatch.setattr(link, name, self._show)

    def _show(self, forms: Any, *, raw: bool, display_id: str) -> None:
        self.shown[display_id] = forms

    def _watch(self, begun: Callable[[], object], ended: Callable[[], object]) -> None:
        self.begin, self.end = begun, ended

    def _listen(self, _: str, take: link.Take) -> link.Send:
        self.join = take
        return self.by_comm.append

    def _widget(self, take: link.Take) -> Any:
        return self.by_widget.append, {"a": "widget"}

    def _timer(self, _: float, due: Callable[[], object]) -> Any:
        kernel = self

        class Made:
            daemon = False

            def start(self) -> None:
                kernel.waiting.append(due)

            def cancel(self) -> None:
                if due in kernel.waiting:
                    kernel.waiting.remove(due)

        return Made()

    def pass_time(self) -> None:
        due, self.waiting = self.waiting, []
        for each in due:
            each()

    def opened(self) -> Link:
        made = Link(self.heard.append)
        made.open()
        return made

    @property
    def has_widget(self) -> bool:
        return {"a": "widget"} in self.shown.values()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_an_extension_that_joins_is_the_only_door(kernel: Kernel) -> None:
    """If the extension connects, it gets the messages, no widget is shown, and later panels do not wait."""
    opened = kernel.opened()
    kernel.end()
    kernel.join({"do": "hello"})
    kernel.pass_time()
    opened.send({"a": 1})
    assert (kernel.heard, kernel.by_comm, kernel.has_widget) == ([{"do": "hello"}], [{"a": 1}], False)
    kernel.opened()
    kernel.end()
    assert kernel.waiting == []


def test_silence_opens_the_second_door(kernel: Kernel) -> None:
    """If no extension connects after the kernel was idle for a while, the widget is shown; nothing is sent before."""
    opened = kernel.opened()
    opened.send({"a": 1})
    kernel.end()
    assert not kernel.has_widget
    kernel.pass_time()
    assert kernel.has_widget
    opened.send({"a": 2})
    assert (kernel.by_comm, kernel.by_widget) == ([], [{"a": 2}])


def test_silence_while_cells_run_says_nothing(kernel: Kernel) -> None:
    """The wait for the extension does not count while cells run, since its messages queue behind them."""
    kernel.opened()
    kernel.end()
    kernel.begin()
    kernel.pass_time()
    assert not kernel.has_widget
    kernel.end()
    kernel.pass_time()
    assert kernel.has_widget


def test_an_extension_that_joins_late_takes_the_widgets_place(kernel: Kernel) -> None:
    """An extension that connects late replaces the widget, so that the panel is not shown twice."""
    opened = kernel.opened()
    kernel.end()
    kernel.pass_time()
    kernel.join({"do": "hello"})
    assert not kernel.has_widget
    opened.send({"a": 1})
    assert (kernel.by_comm, kernel.by_widget) == ([{"a": 1}], [])


def test_the_widget_holds_the_drawing_and_nothing_else() -> None:
    """The widget's state contains only the drawing code, since front ends may save it."""
    from ipywidgets.widgets import widget

    before = set(widget._instances)
    link.made_widget(lambda _: None)
    new = (widget._instances[each] for each in set(widget._instances) - before)
    (made,) = (each for each in new if type(each).__name__ == "Door")
    state = {
        name: value for name, value in made.get_state().items() if not name.startswith(("_model", "_view"))
    }
    assert state.pop("_esm") == link.widget_module()
    assert set(state) <= {"_anywidget_id", "_css", "_dom_classes", "layout", "tabbable", "tooltip"}
    made.close()


def test_where_no_widget_can_be_shown_words_say_what_to_do() -> None:
    """The text beside a widget names what works in a saved file, and in a front end that has no widgets at all."""
    from ipywidgets import Text

    made = Text()
    said = shown(made)["text/plain"]
    assert "run this cell" in said
    assert "`ecr-widgets` in a terminal" in said
    made.close()
