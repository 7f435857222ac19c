"""What the engine writes into a run's notebook: the run's header, the states of its cells, the marks on its records.

Besides its own members it keeps papermill's up to date, because other tools read a run's state from those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ecr_widgets.model.record import CellState, RunState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.run_clock import RUN_CLOCK
from ecr_widgets.saved_runs.reading import MARK, OURS

_PAPERMILL_STATUS = {
    CellState.NOT_RUN: "pending",
    CellState.RUNNING: "running",
    CellState.SUCCEEDED: "completed",
    CellState.FAILED: "failed",
    CellState.INTERRUPTED: "failed",
}

_NO_NUMBER = re.compile("NaN|Infinity")
_HALF = re.compile("[\ud800-\udfff]")


def encoded(text: str) -> bytes:
    """Encode a notebook's JSON, as Python writes it, as UTF-8 that every reader accepts.

    NaN and infinities become text, and so does half of a surrogate pair, which Python uses for bytes that are not UTF-8.
    """
    if _NO_NUMBER.search(text):
        text = json.dumps(json.loads(text, parse_constant=str), ensure_ascii=False, indent=1)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _HALF.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text).encode()


def write_header(notebook: dict[str, Any], header: RunHeader) -> None:
    """Put the header into its notebook, and the end of the run into papermill's own members."""
    notebook["metadata"][OURS] = header.to_builtins()
    if header.state is not RunState.RUNNING and "papermill" in notebook["metadata"]:
        failed = header.state is not RunState.SUCCEEDED
        notebook["metadata"]["papermill"] |= {
            "exception": failed or None,
            "end_time": to_rfc3339(header.ended_at),
        }


def header_of(notebook: Mapping[str, Any]) -> RunHeader:
    """The header that `write_header` put into a notebook."""
    return msgspec.convert(notebook["metadata"][OURS], RunHeader)


def end_run(notebook: dict[str, Any], state: RunState, reason: str | None) -> None:
    """Put into a notebook how its run has just ended; a cell that was still running becomes interrupted."""
    for cell in code_cells(notebook):
        if cell["metadata"][OURS]["state"] == CellState.RUNNING.value:
            write_cell_state(cell, CellState.INTERRUPTED)
    header = header_of(notebook)
    write_header(notebook, replace(header, state=state, reason=reason, ended_at=RUN_CLOCK.now()))


def clear_cells(notebook: dict[str, Any]) -> None:
    """Remove an earlier run's outputs from a notebook and mark every cell as not run."""
    for cell in code_cells(notebook):
        write_cell_state(cell, CellState.NOT_RUN)
        cell["outputs"], cell["execution_count"] = [], None


def code_cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The code cells of a notebook, from top to bottom."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def write_cell_state(cell: dict[str, Any], state: CellState) -> None:
    """Write a code cell's state into its metadata."""
    now = to_rfc3339(RUN_CLOCK.now())
    cell["metadata"][OURS] = {"state": state.value}
    papermill = cell["metadata"].setdefault("papermill", {})
    papermill["status"] = _PAPERMILL_STATUS[state]
    if state is CellState.RUNNING:
        papermill["start_time"] = now
    elif state is not CellState.NOT_RUN:
        papermill |= {"end_time": now, "exception": state is not CellState.SUCCEEDED}


def marked(metadata: Mapping[str, Any] = {}) -> dict[str, Any]:
    """A display's metadata with the engine's mark."""
    return {**metadata, OURS: {MARK: True}}


def unmarked(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A display's metadata without the engine's mark, which a cell may not set."""
    kept = dict(metadata)
    if isinstance(own := kept.get(OURS), Mapping):
        kept[OURS] = {name: value for name, value in own.items() if name != MARK}
    return kept
