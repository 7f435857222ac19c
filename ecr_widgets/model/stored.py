"""What a store of saved runs holds under one name."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

Stamp = Hashable
"""Distinguishes two states of one name; its form is up to the store."""


class Stored(NamedTuple):
    """Content, and the stamp needed to replace it."""

    content: bytes
    stamp: Stamp
