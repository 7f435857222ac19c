"""Widgets of a form: each with a label, wide enough to read it, usable from the keyboard.

No value that may be secret has a widget, since front ends save what widgets hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from ecr_widgets.model.text import visible

_LABEL = {"description_width": "130px"}
_WITHOUT_WIDGETS = (
    "Controls: run this cell to work with them. A front end without Jupyter widgets shows none: call the kit's steps there, or"
    " use `ecr-widgets` in a terminal."
)
_TEXT = "line-height:1.5;"
_BAD = "border-left:4px solid #c62828;padding-left:8px"
"""Only the bar is coloured, since no text colour is readable on both light and dark."""
Pressed = Callable[[], object]


def shown(controls: Any) -> dict[str, Any]:
    """Widgets as a cell's output. A saved notebook does not keep what they hold, and some front ends show none: their text says
    what to do.
    """
    view = "application/vnd.jupyter.widget-view+json"
    bundle = controls._repr_mimebundle_()
    # anywidget returns the metadata as well.
    forms = bundle[0] if isinstance(bundle, tuple) else bundle
    return {view: forms[view], "text/plain": _WITHOUT_WIDGETS}


def button(description: str, tooltip: str, pressed: Pressed, *, disabled: bool = False) -> Any:
    """A button that does something when it is pressed."""
    # Its own text is never cut, however long the text beside it is.
    layout = widgets.Layout(width="auto", flex="0 0 auto")
    made = widgets.Button(description=description, tooltip=tooltip, disabled=disabled, layout=layout)
    made.on_click(lambda _: pressed())
    return made


def text(description: str, value: str = "", *, width: str) -> Any:
    """A text field with a label; its value is reported as it is typed, and existing values can be offered to choose."""
    return widgets.Combobox(
        description=description, value=value, ensure_option=False, style=_LABEL, layout=_fixed(width)
    )


def choice(description: str, options: Sequence[str], *, width: str) -> Any:
    """One of several."""
    return widgets.Dropdown(
        description=description, options=tuple(options), style=_LABEL, layout=_fixed(width)
    )


def tick(description: str, *, value: bool = False, width: str) -> Any:
    """Yes or no."""
    return widgets.Checkbox(value=value, description=description, style=_LABEL, layout=_fixed(width))


def _fixed(width: str) -> dict[str, str]:
    """That width, however long the text beside it is, so that fields below each other line up."""
    return {"width": width, "flex": "0 0 auto"}


class Line:
    """A field with its label, and beside it what it is for or what is wrong with it."""

    def __init__(self, field: Any, help_text: str) -> None:
        self.field, self._help = field, help_text
        self.beside = widgets.HTML(layout={"flex": "1 1 0", "min_width": "0"})
        self.shown = widgets.HBox([field, self.beside], layout={"align_items": "center"})
        self.say("")

    def say(self, problem: str) -> None:
        """Show what is wrong or, if nothing is, what the field is for."""
        sign, text, style = ("✗ ", problem, _BAD) if problem else ("", self._help, "")
        self.beside.value = _said(f"{sign}{text}", style)

    def on_typed(self, take: Callable[[Any], object]) -> None:
        """Call `take` with each new value."""
        self.field.observe(lambda change: take(change["new"]), "value")

    def offer(self, options: Sequence[str]) -> None:
        """Offer values to choose; any other can still be typed."""
        if isinstance(self.field, widgets.Combobox):
            self.field.options = tuple(options)


class Bar:
    """The buttons of a form, the equivalent command, and the progress."""

    def __init__(self, plan: Pressed, run: Pressed, cancel: Pressed) -> None:
        self._plan = button("Plan", "Look only: change nothing", plan)
        self._run = button("Run", "Run it", run)
        self._run.button_style = "primary"
        self._cancel = button("Cancel", "Interrupt the run", cancel, disabled=True)
        self._command = widgets.HTML(layout={"margin": "4px 2px"})
        self._said = widgets.HTML()
        self._is_at_work = False
        self.shown = widgets.VBox(
            [
                widgets.HBox(
                    [self._plan, self._run, self._cancel, self._said], layout={"align_items": "center"}
                ),
                self._command,
            ]
        )

    def allow(self, is_good: bool, name: str, command: str) -> None:  # noqa: FBT001 -- a state, not an option
        """Enable or disable the buttons, and show what would be run."""
        self._plan.disabled = self._run.disabled = self._is_at_work or not is_good
        self._run.description, self._command.value = name, _copied(command) if command else ""

    def begin(self, what: str) -> None:
        """Show that something is running."""
        self._is_at_work = True
        self._plan.disabled = self._run.disabled = True
        self._cancel.disabled = False
        self._say(what)

    def end(self, what: str) -> None:
        """Show that it has ended."""
        self._is_at_work = False
        self._cancel.disabled = True
        self._say(what)

    def _say(self, what: str) -> None:
        self._said.value = _said(what)


def _said(text: str, style: str = "") -> str:
    """Text that a screen reader announces when it changes. The widgets' own line height only suits a single line."""
    return f'<div role="status" style="{_TEXT}{style}">{escape(visible(text))}</div>'


def _copied(command: str) -> str:
    """A command line with a button that copies it: an element of our extension, which shows nothing without it."""
    shown, whole = escape(visible(command)), escape(command)
    # Escaped here, since the widget takes HTML as it is.
    button = f'<ecr-widgets-copy name="command" text="{whole}"></ecr-widgets-copy>'
    code = f'<code style="overflow-wrap:anywhere">{shown}</code>'
    return f'<div style="{_TEXT}">The same in a terminal {button} {code}</div>'


def grouped(title: str, groups: Sequence[tuple[str, Sequence[Line]]], bar: Bar) -> Any:
    """A form: its lines below the names of their groups, then the bar."""
    parts: list[Any] = [widgets.HTML(f"<b>{escape(title)}</b>")]
    for name, lines in groups:
        if lines:
            parts += [widgets.HTML(f"<b>{escape(name)}</b>"), *(each.shown for each in lines)]
    return widgets.VBox([*parts, bar.shown])
