"""Whole numbers as Go's decoder takes them."""

from __future__ import annotations

from typing import Annotated

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""One that has room in 64 bits; a larger one is refused as a wrong type is."""
