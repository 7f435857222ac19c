"""Widgets as all panels make them: each with a label, wide enough to read it, usable from the keyboard.

No value that may be secret has a widget: front ends save what widgets hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ecr_widgets.errors import EcrWidgetsError

_WIDE, _NARROW = "380px", "260px"
_CLOSED, _OPEN = "Closed: press to show the controls", "Open: press to hide the controls"
_WITHOUT_KERNEL = "Controls: run this cell to work with them."
Pressed = Callable[[], object]


class CommonControls:
    """Refresh, cancel, the confirmation of what was planned, and the way through many rows."""

    def __init__(
        self,
        *,
        refresh: Pressed,
        cancel: Pressed,
        confirm: Pressed,
        leave: Pressed,
        next_rows: Pressed,
        first_rows: Pressed,
    ) -> None:
        self._refresh = button("Refresh", "Look again", refresh)
        self._cancel = button("Cancel", "Stop what is running", cancel)
        self._confirm = button("Confirm", "Do what is planned", confirm)
        self._leave = button("Discard plan", "Forget the plan; nothing is changed", leave)
        self._next = button("Next rows", "Show the rows that follow", next_rows)
        self._first = button("First rows", "Go back to the first rows", first_rows)
        self._confirm.button_style = "warning"
        self.show(busy=False, planned="", above=False, below=False)

    def around(self, own: Any) -> Any:
        """These, right below the picture that shows the plan, and a panel's own controls under them."""
        return widgets.VBox(
            [row(self._confirm, self._leave, self._cancel, self._first, self._next, self._refresh), own]
        )

    def show(self, *, busy: bool, planned: str, above: bool, below: bool) -> None:
        """Offer what can be done now.

        Args:
            planned: What a confirmation would do; empty where nothing is planned.

            above: Whether there are rows before those that are shown.

            below: Whether there are rows after them.
        """
        for each, useful in (
            (self._cancel, busy),
            (self._confirm, bool(planned)),
            (self._leave, bool(planned)),
            (self._first, above),
            (self._next, below),
        ):
            each.layout.display = "" if useful else "none"
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


def to_copy(description: str, placeholder: str) -> Any:
    """A line of text as long as a reference by digest, to be copied from."""
    made = text(description, placeholder)
    made.layout.width, made.layout.max_width = "860px", "95%"
    return made


def text(description: str, placeholder: str = "", value: str = "", *, wide: bool = False) -> Any:
    """A line of text with its label; its value is reported as it is typed."""
    return widgets.Text(
        description=description,
        placeholder=placeholder,
        value=value,
        style={"description_width": "initial"},
        layout=widgets.Layout(width=_WIDE if wide else _NARROW),
    )


def lines(description: str, placeholder: str) -> Any:
    """Several lines of text with their label."""
    return widgets.Textarea(
        description=description,
        placeholder=placeholder,
        rows=3,
        style={"description_width": "initial"},
        layout=widgets.Layout(width=_WIDE),
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
    return widgets.Checkbox(
        value=value, description=description, indent=False, layout={"width": "auto", "margin": "2px 12px"}
    )


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
    """A filter that reports each change when it is entered."""
    words.continuous_update = False
    words.observe(lambda change: changed(change["new"]), "value")
    return words


def needs(made: Any, texts: Sequence[Any], why_not: Callable[[], str], *, also: Sequence[Any] = ()) -> Any:
    """Let a button be pressed only while what was typed can be used.

    Args:
        texts: The lines of text that it needs; while one is empty nothing is shown.

        why_not: Gives back the reason, or nothing; may raise our errors.

        also: What else the reason depends on; may be empty.

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

    for each in (*texts, *also):
        # What a panel offers to choose from is what it knows: a refresh may have found it.
        each.observe(look, [name for name in ("value", "options") if each.has_trait(name)])
    look()
    return hint


def accepted(check: Callable[[str], object], typed: Any) -> Callable[[], str]:
    """A reason why not for `needs`: the error of our check of what was typed."""

    def why_not() -> str:
        check(typed.value.strip())
        return ""

    return why_not
