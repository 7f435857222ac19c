"""From the bytes of a notebook to the run in it: engine, kernel and audit all read saved runs through this module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.model.record import RECORD_VERSION, StepRecord, in_reach, other_version
from ecr_widgets.model.run import RunHeader
from ecr_widgets.saved_runs import wire

OURS = "ecr_widgets"
"""The kit's own member in the metadata of a notebook, a cell and a display."""
MARK = "marked"
"""True in a display's metadata if the record reached the engine over its own channel; true in a run's metadata if the engine
marks records like this: then unmarked records prove nothing."""
BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What decoding raises for a file that is not ours, or is damaged."""
_WRITTEN_BY_ENGINE = ("run_id", "runbook", "runbook_sha256", "reason", "actor", "ended_at")


_NOTE, _NOTE_WITHIN = b"peration note", 100
_UNWRITTEN = "*Why this run: write the reason"
"""The placeholder for the reason in the shipped runbooks."""


class SavedRun(NamedTuple):
    """A run that our engine saved."""

    header: RunHeader
    records: tuple[StepRecord, ...]
    """Records of its steps, in cell order, without those that cannot be read or do not count."""


def read_run(content: bytes, path: object) -> SavedRun:
    """Read a run that has every member that the engine writes.

    Args:
        path: Where the bytes come from, for messages.

    Raises:
        InputError: Not a saved run, or a member is missing.
    """
    notebook, header = _open(content, path)
    members = wire.decode_members(notebook.metadata.ecr_widgets)
    lacks = [name for name in _WRITTEN_BY_ENGINE if name not in members]
    if lacks:
        raise InputError(
            f"{str(path)!r} is not a whole saved run: it has no metadata.{OURS}.{lacks[0]}",
            hint="restore the file, or start a new run",
        )
    return SavedRun(header, tuple(_steps(notebook, only_marked=header.marked)))


def read_header(content: bytes, path: object) -> RunHeader:
    """Read a saved run's header.

    Raises:
        InputError: Not a saved run.
    """
    return _open(content, path)[1]


def read_records(content: bytes) -> Iterator[StepRecord]:
    """Yield the valid records in any notebook, no matter which tool ran it; nothing if it is not a notebook."""
    with suppress(*BROKEN):
        notebook = wire.decode_notebook(content)
        ours = notebook.metadata.ecr_widgets
        yield from _steps(notebook, only_marked=bool(ours) and wire.decode_mark(ours).marked)


def header_in(notebook: wire.WireNotebook) -> RunHeader | None:
    """The run's header; None if our engine did not run the notebook.

    Raises:
        RecordError: Its version is unknown to this release, or a time in it cannot be read.

        msgspec.MsgspecError: It cannot be decoded.
    """
    raw = notebook.metadata.ecr_widgets
    if not raw:
        return None
    try:
        header = wire.decode_header(raw)
    except BROKEN as error:
        if (version := other_version(raw)) is not None:
            why = f"a run of version {version}: this release reads {RECORD_VERSION}"
            raise RecordError(why) from error
        raise
    if header.started_at is None:
        raise RecordError("not a notebook as it should be: a run without a start")
    if not all(map(in_reach, (header.started_at, header.resumed_at, header.ended_at))):
        raise RecordError("not a notebook as it should be: a time outside the years 2 to 9998")
    if header.approval is not None and not isinstance(header.approval, dict):
        return replace(header, approval=None)
    return header


def note_in(notebook: wire.WireNotebook) -> str:
    """The reason for the run, from its operation note; empty if it was not filled in."""
    # Most cells are not the note, and an audit reads very many.
    sources = (
        wire.decode_value(cell.source)
        for cell in notebook.cells
        if cell.cell_type == "markdown" and _NOTE in bytes(memoryview(cell.source)[:_NOTE_WITHIN])
    )
    return note_among(sources)


def note_among(sources: Iterable[Any]) -> str:
    """The reason for the run, from the sources of a notebook's Markdown cells."""
    for source in sources:
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        heading, _, note = text.partition("\n")
        if heading.strip("# ").lower() == "operation note":
            note = note.strip()
            return "" if note.startswith(_UNWRITTEN) else note
    return ""


def step_in(output: wire.WireOutput) -> StepRecord | None:
    """The record that an output shows, or None.

    Raises:
        RecordError: It cannot be read.
    """
    if output.data is None or output.data.record is None:
        return None
    if not isinstance(output.data.record, str):
        raise RecordError("a record that is not one JSON string")
    return StepRecord.from_json(output.data.record)


def is_marked(output: wire.WireOutput) -> bool:
    """Whether the engine marked the output's record as received over its own channel."""
    try:
        ours = wire.decode_marked(output.metadata).ecr_widgets if output.metadata else None
    except BROKEN:
        return False
    return ours is not None and ours.marked


def own_metadata(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """The kit's own metadata in a notebook, cell or display that was read as plain JSON."""
    metadata = holder.get("metadata")
    ours = metadata.get(OURS) if isinstance(metadata, Mapping) else None
    return ours if isinstance(ours, Mapping) else {}


def _open(content: bytes, path: object) -> tuple[wire.WireNotebook, RunHeader]:
    try:
        # The engine keeps lone surrogates that a cell has printed, which only Python decodes.
        notebook = wire.decode_notebook(content.decode(errors="replace"))
        header = header_in(notebook)
    except (*BROKEN, RecordError) as error:
        why = f"{type(error).__name__} {error}"
        raise InputError(f"{str(path)!r} is not a saved run: {why}") from error
    if header is None:
        raise InputError(f"{str(path)!r} is not a saved run: it has no metadata.{OURS}")
    return notebook, header


def _steps(notebook: wire.WireNotebook, *, only_marked: bool) -> Iterator[StepRecord]:
    for cell in notebook.cells:
        for output in cell.outputs:
            with suppress(RecordError):
                step = step_in(output)
                if step is not None and (not only_marked or is_marked(output)):
                    yield step
