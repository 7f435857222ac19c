"""What the cells of a saved run printed, besides records and panels, for comparing two runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest

import msgspec

from ecr_widgets.audit.run_files import RunFiles
from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME

_OURS = frozenset((RECORD_MIME, PANEL_MIME))
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Lines = list[str] | str


class _Output(msgspec.Struct):
    text: Lines = ""
    data: dict[str, msgspec.Raw] = {}
    ename: str = ""
    evalue: str = ""


class _Cell(msgspec.Struct):
    id: str = ""
    outputs: list[_Output] = []


class _Notebook(msgspec.Struct):
    cells: list[_Cell]


def outputs_of(files: RunFiles, name: str) -> Mapping[str, str]:
    """Return printed text, plain results and errors by cell id; empty if the file cannot be read."""
    try:
        notebook = _decode(files.read(name))
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return {}
    texts = ((cell.id, "".join(map(_text, cell.outputs))) for cell in notebook.cells)
    return {cell_id: text for cell_id, text in texts if text}


def differing_lines(older: str, newer: str) -> Iterator[tuple[str | None, str | None]]:
    """Pair up the lines that only one of two texts has, in order; None fills up the shorter side."""
    ours, theirs = older.splitlines(), newer.splitlines()
    in_ours, in_theirs = frozenset(ours), frozenset(theirs)
    yield from zip_longest(
        (line for line in ours if line not in in_theirs), (line for line in theirs if line not in in_ours)
    )


def _text(output: _Output) -> str:
    if _OURS & output.data.keys():
        return ""
    content = _joined(output.text)
    if "text/plain" in output.data:
        content += _plain(output.data["text/plain"]) + "\n"
    if output.ename:
        content += f"{output.ename}: {output.evalue}\n"
    return _COLOURS.sub("", content)


def _plain(value: msgspec.Raw) -> str:
    try:
        return _joined(_decode_lines(value))
    except (ValueError, msgspec.MsgspecError):
        # Something that is not text was made by hand; it counts as a difference like any other.
        return msgspec.json.format(bytes(value), indent=-1).decode(errors="backslashreplace")


def _joined(lines: Lines) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


_decode = msgspec.json.Decoder(_Notebook).decode
_decode_lines = msgspec.json.Decoder(Lines).decode
