"""HTML whose texts are escaped by construction: whatever is not `Markup` becomes harmless text in an element."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from ecr_widgets.model.text import visible


class Markup(str):
    """HTML that needs no escaping. What `str` methods return is plain text again, and gets escaped."""

    __slots__ = ()


def element(name: str, *children: str, style: str = "", scope: str = "", kind: str = "") -> Markup:
    """One element; texts among its children are escaped, and their line breaks are kept.

    In an untrusted notebook JupyterLab keeps no styling but inline styles.

    Args:
        kind: A class by which scripts find it.
    """
    inner = "".join([child if isinstance(child, Markup) else _as_child(child) for child in children])
    return Markup(f"{_opening(name, style, scope, kind)}{inner}</{name}>")


def escaped(text: str) -> Markup:
    """The text for `<pre>`, with its line breaks kept and invisible characters made visible."""
    return Markup(escape(visible(text)))


@lru_cache(maxsize=256)
def _opening(name: str, style: str, scope: str, kind: str) -> str:
    given = (("class", kind), ("scope", scope), ("style", style))
    attributes = "".join(f' {k}="{escape(v)}"' for k, v in given if v)
    return f"<{name}{attributes}>"


def _as_child(text: str) -> str:
    return "<br>".join([escape(visible(line)) for line in text.split("\n")])
