"""Kernel messages as a cell's outputs."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from ecr_widgets.engine.outputs import LONGEST_DISPLAY, LONGEST_DISPLAYS, LONGEST_STREAM, Outputs
from ecr_widgets.model.record import RECORD_MIME


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"name": name, "text": text}


def test_a_stream_of_ordinary_length_is_kept_as_it_is() -> None:
    """A stream up to the limit is kept whole."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    for _ in range(LONGEST_STREAM // 1000):
        outputs.take("stream", stream("x" * 1000))
    assert [len(output["text"]) for output in cell] == [LONGEST_STREAM]


def test_a_flood_is_cut_with_the_hash_of_all_of_it() -> None:
    """A longer stream keeps its beginning and end, the number of cut characters and the hash of all; the next cell is normal."""
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
    """A stream just over the limit, whose kept parts overlap, is shown whole."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    everything = "".join(chr(97 + n % 26) for n in range(LONGEST_STREAM + 10))
    outputs.take("stream", stream(everything[:-30]))
    outputs.take("stream", stream(everything[-30:]))
    outputs.settle()
    assert cell[0]["text"] == everything


def test_streams_that_take_turns_are_cut_too() -> None:
    """Alternating small pieces of two streams are cut per stream, and each keeps its end."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    for number in range(60_000):
        outputs.take("stream", stream(f"out {number}\n" * 5))
        outputs.take("stream", stream(f"err {number}\n", "stderr"))
    outputs.settle()
    assert len(json.dumps(cell)) < 4 * LONGEST_STREAM
    for name in ("stdout", "stderr"):
        assert "characters cut" in "".join(each["text"] for each in cell if each["name"] == name)
        last = [each["text"] for each in cell if each["name"] == name][-1]
        assert last.endswith(f" {59_999}\n")


def display(text: str, mime: str = "text/plain") -> dict[str, Any]:
    return {"data": {mime: text}, "metadata": {}}


def test_a_display_that_is_much_too_large_is_cut() -> None:
    """An oversized text keeps both ends and its hash; an oversized HTML page is replaced by its size and hash."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    text = "a" * (LONGEST_DISPLAY + 1) + "end"
    outputs.take("display_data", display(text))
    outputs.take("display_data", display(text, "text/html"))
    outputs.take("error", {"ename": "E", "evalue": text, "traceback": [text, "E"]})
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    assert [sha256 in json.dumps(output) for output in cell] == [True] * 3
    assert cell[0]["data"]["text/plain"].endswith("end")
    assert set(cell[1]["data"]) == {"text/plain"}
    assert len(json.dumps(cell)) < 4 * LONGEST_STREAM


def test_displays_without_end_are_counted_but_records_are_kept() -> None:
    """Displays past the limit are counted, not kept, except records; the next cell is normal."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    piece = "x" * (LONGEST_DISPLAYS // 10)
    for _ in range(15):
        outputs.take("display_data", display(piece))
    outputs.take("display_data", {"data": {RECORD_MIME: "{}", "text/plain": piece}, "metadata": {}})
    outputs.settle()
    assert RECORD_MIME in cell[-1]["data"]
    assert [output["text"] for output in cell if "text" in output] == [
        "[6 more displays of this cell were not kept]\n"
    ]
    following: list[dict[str, Any]] = []
    outputs.start_cell(following)
    outputs.take("display_data", display(piece))
    assert len(following) == 1


@pytest.mark.parametrize("wait", [False, True])
def test_a_record_outlives_a_clearing_that_was_asked_for_before_it(*, wait: bool) -> None:
    """A record survives clear_output, and its outcome replaces it where it is."""
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    outputs.take("stream", stream("waiting"))
    outputs.announce("d", {RECORD_MIME: "intended"})
    outputs.take("clear_output", {"wait": wait})
    outputs.take("stream", stream("after"))
    outputs.conclude("d", {RECORD_MIME: "succeeded"})
    shown = [output.get("data", {}).get(RECORD_MIME) or output["text"] for output in cell]
    assert shown == ["succeeded", "after"]


MARKED = {"ecr_widgets": {"marked": True}}


def _of(record: str, *, text: str = "", metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """A kernel message that shows a record in display `d`."""
    data = {RECORD_MIME: record, "text/plain": text}
    return {"data": data, "metadata": metadata or {}, "transient": {"display_id": "d"}}


def _announced() -> tuple[Outputs, list[dict[str, Any]]]:
    cell: list[dict[str, Any]] = []
    outputs = Outputs()
    outputs.start_cell(cell)
    outputs.announce("d", {RECORD_MIME: "intended", "text/plain": "…"})
    return outputs, cell


def test_a_record_is_what_came_over_the_engines_own_line() -> None:
    """A record's intent and outcome come only over the engine's channel; the kernel's messages can only add progress."""
    outputs, cell = _announced()
    assert outputs.take("display_data", _of("intended", text="…"))
    assert outputs.take("update_display_data", _of("intended", text="half", metadata={"progress": 1}))
    assert cell[0]["data"]["text/plain"] == "half"
    assert cell[0]["metadata"] == {"progress": 1, **MARKED}
    assert not outputs.take("update_display_data", _of("forged"))
    assert not outputs.take("display_data", _of("forged"))
    assert not outputs.take("execute_result", _of("forged") | {"execution_count": 1})
    outputs.conclude("d", {RECORD_MIME: "succeeded", "text/plain": "✓"})
    assert not outputs.take("update_display_data", _of("succeeded", text="lies"))
    assert [(each["data"], each["metadata"]) for each in cell] == [
        ({RECORD_MIME: "succeeded", "text/plain": "✓"}, MARKED)
    ]


def test_an_outcome_without_its_intent_is_refused() -> None:
    """An outcome without an announced intent is refused."""
    outputs, cell = _announced()
    with pytest.raises(KeyError):
        outputs.conclude("other", {RECORD_MIME: "succeeded"})
    assert len(cell) == 1


@pytest.mark.parametrize("kind", ["display_data", "execute_result", "update_display_data"])
def test_a_cell_cannot_set_the_mark(kind: str) -> None:
    """A cell cannot set the engine's mark in a display's metadata; its other metadata stays."""
    outputs, cell = _announced()
    forged = {"ecr_widgets": {"marked": True, "actor": "x"}, "mine": 1}
    if kind == "update_display_data":
        outputs.take("display_data", {"data": {}, "metadata": {}, "transient": {"display_id": "e"}})
    message = _of("forged", metadata=forged) | {"transient": {"display_id": "e"}, "execution_count": 1}
    assert outputs.take(kind, message)
    assert cell[-1]["metadata"] == {"ecr_widgets": {"actor": "x"}, "mine": 1}
    assert cell[-1]["data"][RECORD_MIME] == "forged"
