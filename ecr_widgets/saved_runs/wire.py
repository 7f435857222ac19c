"""Members of a notebook that readers of runs need; msgspec skips all others without building values.

Keep in step with contract section 5 and nbformat 4.5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecr_widgets.model.record import RECORD_MIME, CellState
from ecr_widgets.model.run import RunHeader

NOTHING = msgspec.Raw(b"")


class WirePapermill(msgspec.Struct, gc=False):
    """What papermill reports about a run; its claim of success is ignored."""

    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    input_path: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class WireMetadata(msgspec.Struct, gc=False):
    """A notebook's metadata."""

    ecr_widgets: msgspec.Raw = NOTHING
    papermill: msgspec.Raw = NOTHING


class WireData(msgspec.Struct, gc=False):
    """A display's MIME bundle."""

    record: Any = msgspec.field(default=None, name=RECORD_MIME)


class WireOutput(msgspec.Struct, gc=False):
    """One output of a cell."""

    output_type: str = ""
    data: WireData | None = None
    metadata: msgspec.Raw = NOTHING


class WireMark(msgspec.Struct, gc=False):
    """The engine's mark on a record that came over its own channel, and on a run whose records all did."""

    marked: bool = False


class WireMarked(msgspec.Struct, gc=False):
    """The metadata of a record's display, or of a notebook."""

    ecr_widgets: WireMark | None = None


class WireCellState(msgspec.Struct, gc=False):
    """A cell's state according to our engine."""

    state: CellState | None = None


class WireCellMetadata(msgspec.Struct, gc=False):
    """A cell's metadata."""

    ecr_widgets: WireCellState | None = None
    tags: Any = None


class WireCell(msgspec.Struct, gc=False):
    """One cell."""

    cell_type: str
    id: str = ""
    metadata: WireCellMetadata | None = None
    execution_count: int | None = None
    source: msgspec.Raw = NOTHING
    outputs: list[WireOutput] = []


class WireNotebook(msgspec.Struct, gc=False):
    """A notebook, nbformat 4."""

    cells: list[WireCell]
    metadata: WireMetadata
    nbformat: int


class WireAnything(msgspec.Struct, gc=False):
    """The members that show whether a notebook, even a damaged one, is meant to be ours."""

    metadata: Any = None
    cells: Any = None
    worksheets: Any = None
    nbformat: Any = None


decode_notebook = msgspec.json.Decoder(WireNotebook).decode
decode_header = msgspec.json.Decoder(RunHeader).decode
decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
decode_papermill = msgspec.json.Decoder(WirePapermill).decode
decode_mark = msgspec.json.Decoder(WireMark).decode
decode_marked = msgspec.json.Decoder(WireMarked).decode
decode_value = msgspec.json.Decoder().decode
decode_anything = msgspec.json.Decoder(WireAnything).decode
