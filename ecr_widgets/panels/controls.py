"""Widgets as all panels make them: each with a label, wide enough to read it, usable from the keyboard.

No value that may be secret has a widget: front ends save what widgets hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ecr_widgets.errors import EcrWidgetsError

_WIDE, _NARROW = "340px", "220px"
_CLOSED, _OPEN = "Closed: press to show the controls", "Open: press to hide the controls"
_WITHOUT_KERNEL = "Controls: run this cell to work with them."
Pressed = Callable[[], object]


class CommonControls:
    """Refresh, cancel, and the confirmation of what was planned."""

    def __init__(self, *, refresh: Pressed, cancel: Pressed, confirm: Pressed, leave: Pressed) -> None:
        self._refresh = button("Refresh", "Look again", refresh)
        self._cancel = button("Cancel", "Stop what is under way", cancel)
        self._confirm = button("Confirm", "Do what is planned", confirm)
        self._leave = button("Leave it", "Forget the plan", leave)
        self._confirm.button_style = "warning"
        self._confirm.layout.width = "auto"
        self.show(busy=False, planned="")

    def around(self, own: Any) -> Any:
        """A panel's own controls, and these below."""
        row = widgets.HBox([self._refresh, self._cancel, self._confirm, self._leave])
        return widgets.VBox([own, row])

    def show(self, *, busy: bool, planned: str) -> None:
        """Offer what can be done now.

        Args:
            planned: What a confirmation would do; empty where nothing is planned.
        """
        self._cancel.layout.display = "" if busy else "none"
        for each in (self._confirm, self._leave):
            each.layout.display = "" if planned else "none"
        self._confirm.description = f"Confirm: {planned}"


def shown(controls: Any) -> dict[str, Any]:
    """Controls as a cell's output. A saved notebook does not keep what they hold, so their text says what to do."""
    view = "application/vnd.jupyter.widget-view+json"
    return {view: controls._repr_mimebundle_()[view], "text/plain": _WITHOUT_KERNEL}


def button(description: str, tooltip: str, pressed: Pressed, *, disabled: bool = False) -> Any:
    """A button that does something when it is pressed."""
    made = widgets.Button(
        description=description, tooltip=tooltip, disabled=disabled, layout=widgets.Layout(width="auto")
    )
    made.on_click(lambda _: pressed())
    return made


def text(description: str, placeholder: str = "", value: str = "", *, wide: bool = False) -> Any:
    """A line of text with its label; its value is told as it is typed."""
    return widgets.Text(
        description=description,
        placeholder=placeholder,
        value=value,
        style={"description_width": "initial"},
        layout=widgets.Layout(width=_WIDE if wide else _NARROW),
    )


def suggestion(description: str, placeholder: str, options: Sequence[str] = ()) -> Any:
    """A line of text that offers values."""
    return widgets.Combobox(
        description=description,
        placeholder=placeholder,
        options=tuple(options),
        ensure_option=False,
        style={"description_width": "initial"},
        layout=widgets.Layout(width=_WIDE),
    )


def choice(description: str, options: Sequence[str]) -> Any:
    """One of several."""
    return widgets.Dropdown(
        description=description,
        options=tuple(options),
        style={"description_width": "initial"},
        layout=widgets.Layout(width="max-content"),
    )


def tick(description: str, *, value: bool = False) -> Any:
    """Yes or no."""
    return widgets.Checkbox(value=value, description=description, indent=False, layout={"width": "auto"})


def number(description: str, value: int, *, least: int = 0, most: int = 10_000) -> Any:
    """A whole number."""
    return widgets.BoundedIntText(
        description=description,
        value=value,
        min=least,
        max=most,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="max-content"),
    )


def row(*parts: Any) -> Any:
    """Side by side, on more lines where there is no room."""
    return widgets.HBox(list(parts), layout=widgets.Layout(flex_flow="row wrap"))


def group(title: str, *rows: Any) -> Any:
    """Rows that a button shows and hides; hidden at first."""
    body = widgets.VBox(list(rows), layout=widgets.Layout(display="none", margin="0 0 0 16px"))
    opener = widgets.ToggleButton(
        description=f"▸ {title}",
        tooltip=_CLOSED,
        layout=widgets.Layout(width="auto", align_self="flex-start"),
    )

    def turn(change: dict[str, Any]) -> None:
        body.layout.display = "" if change["new"] else "none"
        opener.description = f"{'▾' if change['new'] else '▸'} {title}"
        # Front ends read it out after the label; ipywidgets has no attribute for what is open.
        opener.tooltip = _OPEN if change["new"] else _CLOSED

    opener.observe(turn, "value")
    return widgets.VBox([opener, body])


def rows(*parts: Any) -> Any:
    """One below another."""
    return widgets.VBox(list(parts))


def filtering(words: Any, changed: Callable[[str], object]) -> Any:
    """A filter that tells each change when it is entered."""
    words.continuous_update = False
    words.observe(lambda change: changed(change["new"]), "value")
    return words


def needs(made: Any, texts: Sequence[Any], why_not: Callable[[], str]) -> Any:
    """Let a button be pressed only while what was typed can be used.

    Args:
        texts: The lines of text that it needs; while one is empty nothing is said.

        why_not: Gives back the reason, or nothing; may raise our errors.

    Returns:
        A label that says why not.
    """
    hint = widgets.Label()

    def look(_: object = None) -> None:
        filled = all(each.value.strip() for each in texts)
        try:
            reason = why_not() if filled else ""
        except EcrWidgetsError as error:
            reason = str(error)
        made.disabled = not filled or bool(reason)
        hint.value = reason
        hint.layout.display = "" if reason else "none"

    for each in texts:
        each.observe(look, "value")
    look()
    return hint


def accepted(check: Callable[[str], object], typed: Any) -> Callable[[], str]:
    """A reason why not for `needs`: that a check of ours raises at what was typed."""

    def why_not() -> str:
        check(typed.value.strip())
        return ""

    return why_not
