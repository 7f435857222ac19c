"""Guesses which name was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """A hint for an unknown name: the nearest three, or `otherwise` if none is near."""
    near = get_close_matches(name, tuple(dict.fromkeys(names)), n=_MOST)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise
