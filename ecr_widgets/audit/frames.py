"""Saved runs as a table for pandas, and as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ecr_widgets.audit.row import Row
from ecr_widgets.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("started_at", "ended_at", "pushed_at")
_TEXTS = (
    "path", "verdict", "why", "run_id", "runbook", "state", "origin", "actor", "host", "seal",
    "outcome", "outcome_words", "image", "target", "note", "overridden",
)  # fmt: skip
_NUMBERS = ("duration_s", "restored_s")
_LISTS = ("services", "digests", "deployed", "verified", "down", "rolled_back", "brought_back")


def to_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """One row per notebook: times in aware UTC, `duration_s` in seconds, services and digests as lists, parameters as JSON."""
    import pandas as pd

    frame = pd.DataFrame(_columns(rows))
    for name in _TIMES:
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame


def write_parquet(
    rows: Iterable[Row],
    out: Path | IO[bytes],
    *,
    lines: Mapping[str, Sequence[bytes | None]] | None = None,
    row_group_size: int | None = None,
) -> int:
    """Write the same as Parquet, and return the number of rows.

    Args:
        lines: More columns, each with one value per row.

        row_group_size: How many rows a reader decodes at a time.

    Raises:
        SettingsError: pyarrow is not installed.

        OSError: It cannot be written.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow", hint="pip install 'ecr-widgets[parquet]'") from error
    frame = to_frame(rows).astype(dict.fromkeys(_LISTS, object))
    types = dict.fromkeys((*_TEXTS, "parameters"), pa.string()) | dict.fromkeys(_NUMBERS, pa.float64())
    types |= dict.fromkeys(_TIMES, pa.timestamp("ms", tz="UTC")) | dict.fromkeys(
        _LISTS, pa.list_(pa.string())
    )
    for name, values in (lines or {}).items():
        frame[name], types[name] = list(values), pa.binary()
    # Named explicitly, because the type of an empty column cannot be inferred.
    schema = pa.schema([(name, types[name]) for name in frame.columns])
    frame.to_parquet(out, compression="zstd", index=False, schema=schema, row_group_size=row_group_size)
    return len(frame)


def _columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in Row.__struct_fields__}
    for row in rows:
        for name in _TEXTS:
            columns[name].append(_clean(getattr(row, name)))
        for name in (*_TIMES, *_NUMBERS):
            columns[name].append(getattr(row, name))
        columns["parameters"].append(_clean(json.dumps(dict(row.parameters), ensure_ascii=False)))
        for name in _LISTS:
            columns[name].append([_clean(value) for value in getattr(row, name)])
    return columns


def _clean(text: str | None) -> str | None:
    # A hostile notebook may contain a lone surrogate; an Arrow string may not.
    return None if text is None else text.encode("utf-8", "replace").decode()
