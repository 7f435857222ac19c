"""What a store of saved runs holds under a name."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

Stamp = Hashable
"""What tells two states of one name apart; its form is the store's own."""


class Stored(NamedTuple):
    """Content, and the stamp that it is replaced by."""

    content: bytes
    stamp: Stamp
