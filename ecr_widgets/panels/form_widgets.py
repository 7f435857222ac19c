"""Widgets of a form: each with a label, wide enough to read it, usable from the keyboard.

No value that may be secret has a widget: front ends save what widgets hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

_WIDE, _NARROW = "380px", "260px"
_WITHOUT_KERNEL = "Controls: run this cell to work with them."
Pressed = Callable[[], object]


def shown(controls: Any) -> dict[str, Any]:
    """Widgets as a cell's output. A saved notebook does not keep what they hold, so their text says what to do."""
    view = "application/vnd.jupyter.widget-view+json"
    bundle = controls._repr_mimebundle_()
    # anywidget gives the metadata beside it.
    forms = bundle[0] if isinstance(bundle, tuple) else bundle
    return {view: forms[view], "text/plain": _WITHOUT_KERNEL}


def button(description: str, tooltip: str, pressed: Pressed, *, disabled: bool = False) -> Any:
    """A button that does something when it is pressed."""
    made = widgets.Button(
        description=description, tooltip=tooltip, disabled=disabled, layout=widgets.Layout(width="auto")
    )
    made.on_click(lambda _: pressed())
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


def row(*parts: Any) -> Any:
    """Side by side, on more lines where there is no room."""
    return widgets.HBox(list(parts), layout=widgets.Layout(flex_flow="row wrap"))


def rows(*parts: Any) -> Any:
    """One below another."""
    return widgets.VBox(list(parts))
