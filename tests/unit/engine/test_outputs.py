"""Kernel messages as outputs of a cell."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ecr_widgets.engine.outputs import LONGEST_STREAM, Outputs


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"name": name, "text": text}


def test_a_stream_of_ordinary_length_is_kept_as_it_is() -> None:
    """Up to the very last character that fits."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    for _ in range(LONGEST_STREAM // 1000):
        outputs.take("stream", stream("x" * 1000))
    assert [len(output["text"]) for output in cell] == [LONGEST_STREAM]


def test_a_flood_is_cut_with_the_hash_of_all_of_it() -> None:
    """Beginning and end stay, the rest is counted and hashed, and the next cell is not affected."""
    pieces = [f"line {number}\n" * 50 for number in range(5000)]
    everything = "".join(pieces)
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    for piece in pieces:
        outputs.take("stream", stream(piece))
    outputs.settle()
    (output,) = cell
    text = output["text"]
    assert len(text) < LONGEST_STREAM + 30_000
    assert text.startswith(everything[:LONGEST_STREAM])
    assert text.endswith(everything[-10_000:])
    told = re.search(r"\[… (\d+) characters cut; all (\d+) have the SHA-256 ([0-9a-f]{64}) …\]", text)
    assert told is not None
    assert int(told[2]) == len(everything)
    assert int(told[1]) == len(everything) - LONGEST_STREAM - 20_000
    assert told[3] == hashlib.sha256(everything.encode()).hexdigest()
    following: list[dict[str, Any]] = []
    outputs.start_cell(following)
    outputs.take("stream", stream("short"))
    assert following == [{"output_type": "stream", "name": "stdout", "text": "short"}]


def test_a_stream_that_is_just_too_long_loses_nothing() -> None:
    """Where what is kept of the end reaches back to the beginning, all of it is shown."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    everything = "".join(chr(97 + n % 26) for n in range(LONGEST_STREAM + 10))
    outputs.take("stream", stream(everything[:-30]))
    outputs.take("stream", stream(everything[-30:]))
    outputs.settle()
    assert cell[0]["text"] == everything
