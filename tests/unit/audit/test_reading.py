"""Files that are not runs, by accident or on purpose, never stop an audit."""

from __future__ import annotations

import json
import os
import resource
import socket
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_widgets.audit import reading
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.run import NoRun, Run
from ecr_widgets.model.record import RECORD_MIME
from tests.audit.runs import recorded, save
from tests.reading import read_file

FOREIGN_NOTEBOOK: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def ours(**changes: Any) -> str:
    return json.dumps(recorded("proven") | changes)


def ours_with(**members: Any) -> str:
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"] |= members
    return json.dumps(notebook)


BROKEN: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "empty": (lambda: "", "the file is empty"),
    "blank": (lambda: " \n", "the file is empty"),
    "torn": (lambda: ours()[:5000], "not JSON: Input data was truncated"),
    "deep": (lambda: '{"metadata":' + "[" * 100_000, "not JSON: nested too deeply"),
    "deep metadata": (lambda: ours_with(parameters={}).replace('"parameters": {}', '"parameters": {"a":' + "[" * 9999), "not JSON"),
    "array": (lambda: "[]", "not a notebook as it should be: Expected object, got array"),
    "null": (lambda: "null", "not a notebook as it should be: Expected object, got null"),
    "no notebook": (lambda: "{}", "not a notebook as it should be: Object missing required field cells"),
    "null cells": (lambda: ours(cells=None), "not a notebook as it should be: Expected array, got null - at $.cells"),
    "null cells of nobody": (lambda: json.dumps(FOREIGN_NOTEBOOK | {"cells": None}), "not a notebook as it should be"),
    "nbformat": (lambda: ours(nbformat=99), "nbformat 99: this release reads 4"),
    "bad nbformat": (lambda: ours(nbformat="4"), "not a notebook as it should be"),
    "huge number": (lambda: ours_with(started_at=0).replace('"started_at": 0', '"started_at": ' + "9" * 5000), "not a notebook"),
    "not a number": (lambda: ours(nbformat=float("nan")), "not JSON: JSON is malformed"),
    "latin-1": (lambda: ours().replace("release", "relé").encode("latin-1"), "not JSON"),
    "byte order mark": (lambda: b"\xef\xbb\xbf" + ours().encode(), "not JSON: it begins with a byte order mark"),
    "utf-16": (lambda: ours().encode("utf-16"), "not JSON"),
    "naive time": (lambda: ours_with(started_at="2026-01-01T00:00:00"), "not a notebook as it should be: Expected datetime"),
    "odd state": (lambda: ours_with(state="done"), "not a notebook as it should be: Invalid enum value 'done'"),
    "odd parameters": (lambda: ours_with(parameters=[1]), "not a notebook as it should be: Expected object, got array"),
    "many cells": (lambda: ours(cells=[{"cell_type": "raw"}] * 10_001), "more than 10000 cells"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_and_hostile_notebooks_are_named_with_the_reason(tmp_path: Path, case: str) -> None:
    """A broken or hostile notebook is unreadable with a short reason, and nothing is raised."""
    make, why = BROKEN[case]
    content = make()
    (tmp_path / "x.ipynb").write_bytes(content.encode() if isinstance(content, str) else content)
    found = read_file(tmp_path / "x.ipynb")
    assert isinstance(found, NoRun), found
    assert found.kind == "unreadable"
    assert found.why.startswith(why), found.why
    assert len(found.why) < 300
    assert judge(found).verdict == "unreadable"


FOREIGN: dict[str, Any] = {
    "empty": FOREIGN_NOTEBOOK,
    "nbformat 3": {"worksheets": [], "metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0},
    "papermill": FOREIGN_NOTEBOOK | {"metadata": {"papermill": {"parameters": {}}}},
    "odd outputs": FOREIGN_NOTEBOOK | {"cells": [{"cell_type": "code", "outputs": None, "source": None}]},
    "odd metadata": FOREIGN_NOTEBOOK | {"metadata": None},
    "mentions ours in text": FOREIGN_NOTEBOOK | {"cells": [{"cell_type": "markdown", "source": RECORD_MIME}]},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_notebooks_of_others_are_foreign(case: str) -> None:
    """A notebook without a record of this kit is foreign, however odd it is."""
    found = read_content(json.dumps(FOREIGN[case]).encode(), "x")
    assert isinstance(found, NoRun)
    assert (found.kind, found.why) == ("foreign", "no record of this kit is in it")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the size limit is not read."""
    path = save(tmp_path, "proven")
    monkeypatch.setattr(reading, "MAX_BYTES", path.stat().st_size - 1)
    found = read_file(path)
    assert isinstance(found, NoRun)
    assert found.why.startswith("larger than")


def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    """Links, pipes, sockets, folders and missing files are refused with a reason, and none is waited for."""
    (tmp_path / "link.ipynb").symlink_to(save(tmp_path, "proven", "real"))
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.ipynb"))
        why = {
            name: read_file(tmp_path / f"{name}.ipynb") for name in ("link", "pipe", "folder", "s", "none")
        }
    assert {name: found.why for name, found in why.items() if isinstance(found, NoRun)} == {
        "link": "a symbolic link",
        "pipe": "not a regular file",
        "folder": "not a regular file",
        "s": "No such device or address",
        "none": "No such file or directory",
    }


def test_a_large_notebook_needs_little_more_memory_than_itself(tmp_path: Path) -> None:
    """Reading a notebook with a 45 MB output needs less than 200 MB of memory, because unused values are skipped."""
    notebook = recorded("proven")
    notebook["cells"][-1]["outputs"].append(
        {"output_type": "stream", "name": "stdout", "text": "x" * 45_000_000}
    )
    path = save(tmp_path, "big", notebook=notebook)
    del notebook
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert judge(read_file(path)).verdict == "proven"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(("cells", "metadata", "ecr_widgets", "outputs", "data", RECORD_MIME, "source", "x")), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values, st.sampled_from(("cells", "metadata", "nbformat", "ecr_widgets", "cell", "record")))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_value_anywhere_is_a_run_or_named(value: Any, where: str) -> None:
    """Any JSON value in place of one of our members gives a run or a reason, never an exception."""
    notebook = recorded("killed")
    if where in ("cells", "metadata", "nbformat"):
        notebook[where] = value
    elif where == "ecr_widgets":
        notebook["metadata"]["ecr_widgets"] = value
    elif where == "cell":
        notebook["cells"][5] = value
    else:
        notebook["cells"][5]["outputs"] = [{"data": {RECORD_MIME: value}}]
    found = read_content(json.dumps(notebook).encode("utf-8", "surrogatepass"), "x")
    assert isinstance(found, (Run, NoRun))
    assert judge(found).reasons


@given(st.binary(max_size=40), st.integers(0, 17_000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_a_real_file_are_a_run_or_named(bits: bytes, at: int) -> None:
    """A run with randomly overwritten bytes gives a run or a reason, never an exception."""
    content = json.dumps(recorded("killed")).encode()
    found = read_content(content[:at] + bits + content[at + len(bits) :], "x")
    assert judge(found).verdict in ("interrupted", "unreadable", "failed", "unproven", "foreign")


_BYTES = st.sampled_from(
    [b"a", b"\n", "✓".encode(), "é".encode(), "日".encode(), "😀".encode(), b"\xe2", b"\x9c", b"\x93", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(_BYTES, max_size=12), st.sampled_from([0, 1, 199, 200, 201]), st.sampled_from([1, 1 << 16]))
def test_bytes_that_are_no_utf_8_are_seen_wherever_they_stand(
    pieces: list[bytes], signs: int, piece_bytes: int
) -> None:
    """Invalid UTF-8 is refused just where Python's decoder refuses it, also when it crosses a piece's border."""
    content = "✓".encode() * signs + b"".join(pieces)
    try:
        content.decode()
        refused = False
    except UnicodeDecodeError:
        refused = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_PIECE_BYTES", piece_bytes)
        with pytest.raises(UnicodeDecodeError) if refused else nullcontext():
            reading._check_utf8(content)


def test_a_notebook_of_too_much_source_is_not_proven() -> None:
    """A run with too much source is not proven, and the reason says so, because the unread part could call anything."""
    notebook = recorded("proven")
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells[:2]):
        cell["source"] = f"{number}\n" + "1 + 1\n" * 8000
    notebook["cells"] += [cells[0] | {"id": f"x{number}"} for number in range(12)]
    found = read_content(json.dumps(notebook).encode(), "x")
    told = judge(found).why
    assert "the notebook holds more than 500000 bytes of source" in told
