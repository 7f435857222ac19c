"""Members of a notebook that readers of runs need; msgspec skips all others without making values of them.

Keep in step with contract section 5 and nbformat 4.5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecr_widgets.model.record import RECORD_MIME, CellState
from ecr_widgets.model.run import RunHeader

NOTHING = msgspec.Raw(b"")


class WirePapermill(msgspec.Struct, gc=False):
    """What papermill reports of a run; its own word on success is not taken."""

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
    """What the engine notes of a record that came over its own line, and of a run whose records all have."""

    marked: bool = False


class WireMarked(msgspec.Struct, gc=False):
    """The metadata of a record's display, or of a notebook."""

    ecr_widgets: WireMark | None = None


class WireCellState(msgspec.Struct, gc=False):
    """A cell as our engine judged it."""

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
    """What tells whether a notebook is meant to be ours, in whatever state it is."""

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
