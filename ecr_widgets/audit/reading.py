"""From the bytes of a notebook to a typed run, or to the reason why it is not one; nothing in a file can stop an audit."""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from ecr_widgets.audit.calls import (
    Source,
    calls_in,
    hidden_in,
    kits_of,
    read_short_source,
    read_source,
)
from ecr_widgets.audit.run import Cell, Found, NoRun, Origin, Run
from ecr_widgets.errors import RecordError
from ecr_widgets.model.record import (
    RECORD_MIME,
    RECORD_VERSION,
    SKIP_TAG,
    CellState,
    RunState,
    StepRecord,
    StepState,
    in_reach,
    reason_of,
)
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.saved_runs import wire
from ecr_widgets.saved_runs.reading import BROKEN, header_in, is_marked, note_in, step_in

MAX_BYTES = 50_000_000
"""A larger notebook is listed but not read."""
MAX_CELLS = 10_000
"""A notebook with more cells is listed but not judged."""
MAX_SOURCE_BYTES = 500_000
"""Source beyond this in a notebook is not read: it would take many seconds, and no person could review it."""
_SIGNS = b"\xe2"
"""The first byte of each sign that the kit shows: ✓ ✗ ● ▶ → …; the rest of what it writes is ASCII, except users' names."""
_MANY_SIGNS = 200
_PIECE_BYTES = 1 << 16
_NO_NUMBER = re.compile(rb"NaN|-?Infinity")
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_bytes(path: Path | str) -> bytes:
    """Return the content of a regular file within the limit, without following a link or waiting for a pipe.

    Raises:
        OSError: It cannot be opened or read.

        ValueError: It is not a regular file, or too large; the text says which.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("not a regular file")
        if about.st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES // 1_000_000} MB")
        content = os.read(handle, about.st_size + 1)
        # If it has the expected size, this is its end, without another read.
        while (
            len(content) != about.st_size and len(content) <= MAX_BYTES and (more := os.read(handle, 1 << 20))
        ):
            content += more
        return content
    finally:
        os.close(handle)


def read_content(content: bytes, name: str) -> Found:
    """Return the run in a notebook's bytes, or NoRun for a foreign, broken or hostile one. Content never raises an error."""
    try:
        notebook = wire.decode_notebook(content)
        # The MIME type may be spelled with escapes; then only parsing finds it.
        if (
            not notebook.metadata.ecr_widgets
            and RECORD_MIME.encode() not in content
            and b"\\u00" not in content
        ):
            return NoRun(name, "foreign", "no record of this kit is in it")
        if notebook.nbformat != 4:
            return NoRun(name, "unreadable", f"nbformat {notebook.nbformat}: this release reads 4")
        if len(notebook.cells) > MAX_CELLS:
            return NoRun(name, "unreadable", f"more than {MAX_CELLS} cells")
        _check_utf8(content)
        return _run(notebook, name)
    except BROKEN as error:
        return _no_run(content, name, error)


def _check_utf8(content: bytes) -> None:
    """Check the parts that msgspec skips without decoding, so that no run is accepted that other readers refuse.

    Goes from sign to sign, because the text between them is mostly ASCII, which is checked ten times faster.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    at = 0
    for _ in range(_MANY_SIGNS):
        sign = content.find(_SIGNS, at)
        if sign < 0:
            break
        between = content[at:sign]
        if not between.isascii():
            _check_by_lines(between)
        at = sign + 3
        content[sign:at].decode()
    rest = content[at:]
    if not rest.isascii():
        _check_by_lines(rest)


def _check_by_lines(text: bytes) -> None:
    """Check in pieces that end at a line end, which splits no character: decoding a large file at once takes much memory."""
    at, length = 0, len(text)
    while at < length:
        end = text.find(b"\n", at + _PIECE_BYTES) + 1 or length
        text[at:end].decode()
        at = end


def _run(notebook: wire.WireNotebook, name: str) -> Found:
    try:
        header = header_in(notebook)
    except RecordError as error:
        return NoRun(name, "unreadable", error.message)
    cells, bad = _cells(notebook, only_marked=header is not None and header.marked)
    if header is not None:
        members = msgspec.structs.asdict(header)
        return Run(
            **members,
            path=name,
            origin=Origin.ENGINE,
            cells=tuple(cells),
            bad_records=tuple(bad),
            note=note_in(notebook),
        )
    if not bad and not any(cell.steps for cell in cells):
        return NoRun(name, "foreign", "no record of this kit is in it")
    return _without_engine(notebook, name, tuple(cells), tuple(bad))


def _cells(notebook: wire.WireNotebook, *, only_marked: bool) -> tuple[list[Cell], list[str]]:
    """Return the code cells, and why records in them cannot be read or do not count.

    Args:
        only_marked: Whether a record counts only if the engine marked it as received over its own channel.
    """
    cells: list[Cell] = []
    bad: list[str] = []
    read: list[tuple[wire.WireCell, str, Source]] = []
    room = MAX_SOURCE_BYTES
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or _is_left_out(cell):
            continue
        if cell.execution_count is not None or not _is_empty(cell.source):
            raw = bytes(cell.source)
            room -= len(raw)
            if room < 0:
                source = Source(hidden=f"the notebook holds more than {MAX_SOURCE_BYTES} bytes of source")
            else:
                source = read_short_source(raw) if len(raw) < _CACHED_BYTES else read_source(raw)
            read.append((cell, cell.id or f"cell-{number}", source))
    kits = kits_of([source for *_, source in read])
    for cell, cell_id, source in read:
        steps = _steps(cell, cell_id, bad, only_marked=only_marked)
        ours = cell.metadata.ecr_widgets if cell.metadata is not None else None
        cells.append(
            Cell(
                cell_id,
                cell.execution_count,
                ours.state if ours is not None else None,
                calls_in(source, kits),
                steps,
                source.may_hold,
                hidden_in(source, kits),
            )
        )
    return cells, bad


def _steps(cell: wire.WireCell, cell_id: str, bad: list[str], *, only_marked: bool) -> tuple[StepRecord, ...]:
    steps: list[StepRecord] = []
    for output in cell.outputs:
        # Most outputs show no record, and an audit reads very many.
        if output.data is None or output.data.record is None:
            continue
        try:
            step = step_in(output)
        except RecordError as error:
            bad.append(f"cell {cell_id}: {error.message}")
            continue
        if step is None:
            continue
        if only_marked and not is_marked(output):
            bad.append(f"cell {cell_id} shows a record of {step.step:.80} that no step of this run has made")
        else:
            steps.append(step)
    return tuple(steps)


def _is_left_out(cell: wire.WireCell) -> bool:
    """Whether the cell has the tag that skips it, and was not run."""
    metadata = cell.metadata
    if metadata is None or cell.execution_count is not None or cell.outputs:
        return False
    ours = metadata.ecr_widgets
    not_run = ours is None or ours.state is CellState.NOT_RUN
    return not_run and isinstance(metadata.tags, list) and SKIP_TAG in metadata.tags


def _is_empty(raw: msgspec.Raw) -> bool:
    if not raw:
        return True
    source = wire.decode_value(raw)
    return isinstance(source, (str, list)) and not "".join(map(str, source)).strip()


def _without_engine(
    notebook: wire.WireNotebook, name: str, cells: tuple[Cell, ...], bad: tuple[str, ...]
) -> Run:
    """Return a run by plain papermill or by hand: from its records, and from papermill only times and parameters."""
    metadata = notebook.metadata
    papermill = wire.decode_papermill(metadata.papermill) if metadata.papermill else None
    steps = [step for cell in cells for step in cell.steps]
    # A planned step stays an intent, but it was not interrupted.
    states = {step.state for step in steps if not step.is_planned}
    if StepState.UNKNOWN in states:
        state = RunState.UNKNOWN
    elif StepState.INTENDED in states:
        state = RunState.INTERRUPTED
    else:
        state = RunState.FAILED if StepState.FAILED in states else RunState.SUCCEEDED
    started = _moment(papermill.start_time) if papermill else None
    ended = _moment(papermill.end_time) if papermill else None
    runbook = PurePosixPath((papermill and papermill.input_path) or name).stem
    return Run(
        version=RECORD_VERSION,
        run_id=steps[-1].run_id if steps else "",
        runbook=runbook,
        state=state,
        parameters=papermill.parameters if papermill else {},
        started_at=started or (steps[0].started_at if steps else None),
        ended_at=ended or (steps[-1].ended_at if steps else None),
        path=name,
        origin=Origin.PAPERMILL if papermill else Origin.BY_HAND,
        cells=cells,
        bad_records=bad,
        note=note_in(notebook),
    )


_CACHED_BYTES = 4000


def _no_run(content: bytes, name: str, error: Exception) -> NoRun:
    """Distinguish a notebook that is not ours from a broken one."""
    if not content.strip():
        return NoRun(name, "unreadable", "the file is empty")
    if content.startswith(b"\xef\xbb\xbf"):
        return NoRun(name, "unreadable", "not JSON: it begins with a byte order mark")
    try:
        content.decode("utf-8")
        top = wire.decode_anything(content)
    except msgspec.ValidationError as wrong:
        return NoRun(name, "unreadable", f"not a notebook as it should be: {reason_of(wrong)}")
    except BROKEN as wrong:
        if _is_foreign_of_python(content):
            return NoRun(name, "foreign", "no record of this kit is in it")
        return NoRun(name, "unreadable", f"not JSON: {reason_of(wrong)}")
    ours = RECORD_MIME.encode() in content or (
        isinstance(top.metadata, dict) and "ecr_widgets" in top.metadata
    )
    has_cells = isinstance(top.cells, list) or isinstance(top.worksheets, list)
    if not ours and has_cells and type(top.nbformat) is int:
        return NoRun(name, "foreign", "no record of this kit is in it")
    return NoRun(name, "unreadable", f"not a notebook as it should be: {reason_of(error)}")


def _is_foreign_of_python(content: bytes) -> bool:
    """Whether it is a foreign notebook once NaN, Infinity and lone surrogates are replaced, which only Python accepts as JSON."""
    if b"ecr_widgets" in content or RECORD_MIME.encode() in content:
        return False
    # This also changes strings, which do not matter here.
    plain = _HALF.sub(b"\\\\ufffd", _NO_NUMBER.sub(b"null", content))
    try:
        top = wire.decode_anything(plain)
    except BROKEN:
        return False
    return isinstance(top.cells or top.worksheets, list) and type(top.nbformat) is int


def os_reason(error: OSError) -> str:
    """Return why a file cannot be read, in words."""
    import errno

    return "a symbolic link" if error.errno == errno.ELOOP else error.strerror or type(error).__name__


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # Plain papermill writes naive UTC times.
        moment = from_rfc3339(text if text[-1:].isalpha() or "+" in text else f"{text}Z")
        return moment if in_reach(moment) else None
    except ValueError:
        return None
