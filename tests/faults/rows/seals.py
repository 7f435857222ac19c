"""Rows 64 to 71: attacks on sealed runs; see `tests.audit.faults` for what each does."""

from __future__ import annotations

from tests.audit.faults import ROWS
from tests.faults.plan import batch

for _number, (_measure, _tries) in ROWS.items():
    batch(
        int(_number),
        (_measure.__doc__ or "").rstrip("."),
        tries=_tries,
        quick=max(min(_tries, 20), _tries // 40),
    )(_measure)
