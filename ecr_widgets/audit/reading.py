"""From the bytes of a notebook to a typed run, or to the reason why it is none; nothing in a file can stop an audit."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath

import msgspec

from ecr_widgets.audit import wire
from ecr_widgets.audit.found import Cell, Found, NoRun, Origin, Run, Step
from ecr_widgets.audit.holders import is_held
from ecr_widgets.model.record import RECORD_MIME, RECORD_VERSION, RunState, StepState
from ecr_widgets.model.times import from_rfc3339

MAX_BYTES = 50_000_000
"""A larger notebook is named and not read."""
MAX_CELLS = 10_000
"""A notebook with more cells is named and not judged."""
_SIGNS = b"\xe2"
"""Begins each sign that the kit shows: ✓ ✗ ● ▶ → …; in what it writes, all else is ASCII but what people named."""
_MANY_SIGNS = 200
_PIECE_BYTES = 1 << 16
_CALL = re.compile(rb"kit\.([a-z_]+)\(")
_NO_NUMBER = re.compile(rb"NaN|-?Infinity")
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_EMPTY = re.compile(rb'(?:[\s\[\],"]|\\[nt])*')
_TROUBLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def read_file(
    path: Path | str, name: str | None = None, *, see: Callable[[bytes], object] = lambda _: None
) -> Found:
    """Read one notebook.

    Args:
        name: What to call it, relative to the runs folder; by default the file's own name.

        see: Gets the bytes that are judged, for who needs more of them.

    Returns:
        The run; or NoRun for a foreign, broken, hostile or vanished file. Nothing is raised for what a file holds.
    """
    name = Path(path).name if name is None else name
    try:
        content = read_bytes(path)
    except OSError as error:
        return NoRun(name, "unreadable", _os_reason(error))
    except ValueError as error:
        return NoRun(name, "unreadable", str(error))
    see(content)
    return with_holder(read_content(content, name), path)


def with_holder(found: Found, path: Path | str) -> Found:
    """The same, told whether a live process holds a run that calls itself running."""
    if isinstance(found, Run) and found.state is RunState.RUNNING and is_held(Path(path)):
        return msgspec.structs.replace(found, held=True)
    return found


def read_bytes(path: Path | str) -> bytes:
    """Content of a regular file within the limit; follows no link and never waits for a pipe.

    Raises:
        OSError: It cannot be opened or read.

        ValueError: It is no regular file, or too large; the text says which.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("not a regular file")
        if about.st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES // 1_000_000} MB")
        content = os.read(handle, about.st_size + 1)
        # Just as long as it was: its end, without asking once more.
        while (
            len(content) != about.st_size and len(content) <= MAX_BYTES and (more := os.read(handle, 1 << 20))
        ):
            content += more
        return content
    finally:
        os.close(handle)


def read_content(content: bytes, name: str) -> Found:
    """Read a notebook's bytes; see `read_file`."""
    try:
        notebook = wire.decode_notebook(content)
        if not notebook.metadata.ecr_widgets and RECORD_MIME.encode() not in content:
            return NoRun(name, "foreign", "no record of this kit is in it")
        if notebook.nbformat != 4:
            return NoRun(name, "unreadable", f"nbformat {notebook.nbformat}: this release reads 4")
        if len(notebook.cells) > MAX_CELLS:
            return NoRun(name, "unreadable", f"more than {MAX_CELLS} cells")
        _check_utf8(content)
        return _run(notebook, name)
    except _TROUBLE as error:
        return _no_run(content, name, error)


def _check_utf8(content: bytes) -> None:
    """Look at what msgspec skips unseen, so that no run is believed that other readers refuse.

    Sign by sign and what stands between them: that is mostly ASCII, which is seen ten times faster.

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
    """The same by pieces that end in a line's end, which no character spans: decoded whole, a large file took much memory."""
    at, length = 0, len(text)
    while at < length:
        end = text.find(b"\n", at + _PIECE_BYTES) + 1 or length
        text[at:end].decode()
        at = end


def _run(notebook: wire.WireNotebook, name: str) -> Found:
    run = None
    if notebook.metadata.ecr_widgets:
        version = wire.decode_version(notebook.metadata.ecr_widgets).version
        if type(version) is not int or version != RECORD_VERSION:
            return NoRun(
                name, "unreadable", f"a run of version {version!r:.40}: this release reads {RECORD_VERSION}"
            )
        run = wire.decode_run(notebook.metadata.ecr_widgets)
        if not (_in_reach(run.started_at) and _in_reach(run.ended_at)):
            return NoRun(
                name, "unreadable", "not a notebook as it should be: a time outside the years 2 to 9998"
            )
    cells, bad = _cells(notebook)
    if run is not None:
        return Run(
            name, Origin.ENGINE, run.run_id, run.runbook, run.runbook_sha256, run.state, run.reason, run.actor,
            run.host, run.parameters, run.started_at, run.ended_at, tuple(cells), tuple(bad), plan=run.plan,
            approval=run.approval if isinstance(run.approval, dict) else None,
        )  # fmt: skip
    if not bad and not any(cell.steps for cell in cells):
        return NoRun(name, "foreign", "no record of this kit is in it")
    return _without_engine(notebook.metadata, name, tuple(cells), tuple(bad))


def _cells(notebook: wire.WireNotebook) -> tuple[list[Cell], list[str]]:
    """The code cells, and why records in them cannot be read."""
    cells: list[Cell] = []
    bad: list[str] = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or (cell.execution_count is None and _EMPTY.fullmatch(cell.source)):
            continue
        metadata = cell.metadata
        told = metadata.ecr_widgets if metadata is not None else None
        cell_id = cell.id or f"cell-{number}"
        steps: list[Step] = []
        for output in cell.outputs:
            data = output.data
            if data is not None and data.record is not None:
                try:
                    steps.append(_step(data.record))
                except TypeError as error:
                    bad.append(f"cell {cell_id}: {error}")
        state = told.state if told is not None else None
        source = bytes(cell.source)
        calls = _calls_in(source) if len(source) < _CACHED_BYTES else _calls(source)
        cells.append(Cell(cell_id, cell.execution_count, state, calls, tuple(steps)))
    return cells, bad


def _without_engine(
    metadata: wire.WireMetadata, name: str, cells: tuple[Cell, ...], bad: tuple[str, ...]
) -> Run:
    """A run by plain papermill or by hand: what its records say, and of papermill's words only times and parameters."""
    told = wire.decode_papermill(metadata.papermill) if metadata.papermill else None
    steps = [step for cell in cells for step in cell.steps]
    # An intent that was only planned stays one, and nothing was interrupted.
    states = {step.state for step in steps if not step.is_planned}
    if StepState.UNKNOWN in states:
        state = RunState.UNKNOWN
    elif StepState.INTENDED in states:
        state = RunState.INTERRUPTED
    else:
        state = RunState.FAILED if StepState.FAILED in states else RunState.SUCCEEDED
    started = _moment(told.start_time) if told else None
    ended = _moment(told.end_time) if told else None
    runbook = PurePosixPath((told and told.input_path) or name).stem
    return Run(
        name,
        Origin.PAPERMILL if told else Origin.BY_HAND,
        steps[-1].run_id if steps else "",
        runbook,
        None,
        state,
        None,
        None,
        None,
        told.parameters if told else {},
        started or (steps[0].started_at if steps else None),
        ended or (steps[-1].ended_at if steps else None),
        cells,
        bad,
    )


def _step(record: object) -> Step:
    if not isinstance(record, str):
        raise TypeError("a record that is not one JSON string")
    try:
        step = wire.decode_record(record)
    except _TROUBLE as error:
        raise TypeError(_record_reason(record, error)) from error
    if step.version != RECORD_VERSION:
        raise TypeError(_newer(step.version))
    if not (_in_reach(step.started_at) and _in_reach(step.ended_at)):
        raise TypeError("a record that cannot be read: a time outside the years 2 to 9998")
    return step


def _in_reach(moment: datetime | None) -> bool:
    # In another zone the first and last year are beyond what a time can hold.
    return moment is None or 1 < moment.year < 9999


def _record_reason(record: str, error: Exception) -> str:
    try:
        version = wire.decode_version(record).version
    except _TROUBLE:
        version = RECORD_VERSION
    # A newer version may have other members, so its number is the true reason.
    return _newer(version) if version != RECORD_VERSION else f"a record that cannot be read: {_reason(error)}"


def _newer(version: object) -> str:
    return f"a record of version {version!r:.40}: this release reads {RECORD_VERSION}"


def _calls(source: bytes) -> tuple[str, ...]:
    if b"kit." not in source:
        return ()
    found = []
    seen, begin, comment = 0, 0, -1
    for call in _CALL.finditer(source):
        # Only what stands behind the call before, for all calls may be in one line. The source is still JSON text: lines
        # end in a backslash and n, or in the next string of a list.
        start = call.start()
        begin = max(begin, source.rfind(b"\\n", seen, start) + 2, source.rfind(b'"', seen, start) + 1)
        comment = max(comment, source.rfind(b"#", seen, start))
        seen = start
        if comment < begin and not (begin < start and source[start - 1 : start].isalnum()):
            found.append(call[1].decode())
    return tuple(found)


_CACHED_BYTES = 4000
_calls_in = lru_cache(maxsize=1024)(_calls)
"""The same runbooks run again and again."""


def _no_run(content: bytes, name: str, error: Exception) -> NoRun:
    """Tell a notebook that is not ours from one that is broken."""
    if not content.strip():
        return NoRun(name, "unreadable", "the file is empty")
    if content.startswith(b"\xef\xbb\xbf"):
        return NoRun(name, "unreadable", "not JSON: it begins with a byte order mark")
    try:
        content.decode("utf-8")
        top = wire.decode_anything(content)
    except msgspec.ValidationError as wrong:
        return NoRun(name, "unreadable", f"not a notebook as it should be: {_reason(wrong)}")
    except _TROUBLE as wrong:
        if _is_foreign_of_python(content):
            return NoRun(name, "foreign", "no record of this kit is in it")
        return NoRun(name, "unreadable", f"not JSON: {_reason(wrong)}")
    ours = RECORD_MIME.encode() in content or (
        isinstance(top.metadata, dict) and "ecr_widgets" in top.metadata
    )
    has_cells = isinstance(top.cells, list) or isinstance(top.worksheets, list)
    if not ours and has_cells and type(top.nbformat) is int:
        return NoRun(name, "foreign", "no record of this kit is in it")
    return NoRun(name, "unreadable", f"not a notebook as it should be: {_reason(error)}")


def _is_foreign_of_python(content: bytes) -> bool:
    """Whether it is a notebook of others but for what only Python takes for JSON: NaN, Infinity, half characters."""
    if b"ecr_widgets" in content or RECORD_MIME.encode() in content:
        return False
    # Changes texts too, which are not looked at.
    plain = _HALF.sub(b"\\\\ufffd", _NO_NUMBER.sub(b"null", content))
    try:
        top = wire.decode_anything(plain)
    except _TROUBLE:
        return False
    return isinstance(top.cells or top.worksheets, list) and type(top.nbformat) is int


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).replace("`", "")[:200] or type(error).__name__


def _os_reason(error: OSError) -> str:
    import errno

    return "a symbolic link" if error.errno == errno.ELOOP else error.strerror or type(error).__name__


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # Plain papermill writes naive UTC times.
        moment = from_rfc3339(text if text[-1:].isalpha() or "+" in text else f"{text}Z")
        return moment if _in_reach(moment) else None
    except ValueError:
        return None
