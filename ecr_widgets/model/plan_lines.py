"""Lines of a plan, each with a sign and a colour for what it adds, removes or changes. The front end marks them the same."""

from __future__ import annotations

from collections.abc import Mapping

from ecr_widgets.model.drawing import AMBER, GREEN, RED
from ecr_widgets.model.markup import Markup, element

_ADDED, _REMOVED, _CHANGED = ("+", GREEN), ("−", RED), ("~", AMBER)
_KINDS: Mapping[str, tuple[str, str]] = {
    "added": _ADDED,
    "sets": _ADDED,
    "removed": _REMOVED,
    "replaces": _REMOVED,
    "would": _REMOVED,
    "changed": _CHANGED,
}
"""By a line's first word."""


def is_marked(line: object) -> bool:
    """Whether it is a text about what is added, removed or changed."""
    return isinstance(line, str) and line.partition(" ")[0] in _KINDS


def planned_line(line: str) -> Markup:
    """The line as an element, with a sign and a colour if its first word is a known one."""
    sign, colour = _KINDS.get(line.partition(" ")[0], ("", "transparent"))
    style = f"border-left:3px solid {colour};padding:0 6px" + (f";background:{colour}1f" if sign else "")
    return element("div", element("b", sign, " ") if sign else "", line, style=style)
