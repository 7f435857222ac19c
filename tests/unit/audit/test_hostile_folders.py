"""Folders and files made to stop an audit: each is named, and all others are audited as usual."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.query import Query
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealing import seal_missing
from ecr_widgets.audit.showing import show_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.errors import RecordError
from tests.audit.runs import change_record, recorded, save

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _started(moment: str) -> dict[str, Any]:
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["started_at"] = moment
    return notebook


def _with_parameter(value: object) -> dict[str, Any]:
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["parameters"]["n"] = value
    return notebook


HOSTILE: dict[str, dict[str, Any]] = {
    "before-all-time": _started("0001-01-01T00:00:00+14:00"),
    "after-all-time": _started("9999-12-31T23:59:59-14:00"),
    "step-before-all-time": change_record(
        recorded("deployed"), "login", started_at="0001-01-01T00:00:00+14:00"
    ),
    "65-bits": _with_parameter(2**64),
    "negative": _with_parameter(-(2**70)),
    "in-a-list": _with_parameter([{"a": 10**40}]),
    "digest-is-a-list": change_record(recorded("deployed"), "verify", outcome={"registry_digest": []}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_notebook_says_never_stops_the_audit_of_the_others(tmp_path: Path, case: str) -> None:
    """A hostile notebook does not affect how the others in its folder are listed, shown, sealed and verified."""
    runs, ring = tmp_path / "runs", KeyRing(tmp_path / "keys")
    save(runs, "deployed", "good.ipynb")
    save(runs, "deployed", "hostile.ipynb", HOSTILE[case])
    with open_index(runs) as index:
        rows = {row.path: row for row in index.rows()}
    assert rows["good.ipynb"].verdict == "proven"
    assert rows["hostile.ipynb"].verdict in ("unreadable", "unproven", "proven")
    assert [step["step"] for step in show_run(runs, rows["good.ipynb"])["steps"]][-1] == "verify"
    json.dumps(show_run(runs, rows["hostile.ipynb"]))
    names = [name for name, _ in scan(runs)]
    assert "good.ipynb" in seal_missing(runs, names, ring=ring, now=NOW)
    found = {each.path: each.finding for each in verify(runs, names, ring=ring).files}
    assert found["good.ipynb"] == "intact"


def test_a_run_with_a_huge_number_is_no_less_proven_and_sealed(tmp_path: Path) -> None:
    """A run with a parameter beyond 64 bits keeps all its digits and is proven and sealed."""
    runs, ring = tmp_path / "runs", KeyRing(tmp_path / "keys")
    save(runs, "deployed", "a.ipynb", _with_parameter(2**64))
    with open_index(runs) as index:
        (row,) = index.rows()
    assert row.verdict == "proven"
    assert str(2**64) in json.dumps(row.to_json()["parameters"])
    assert seal_missing(runs, ["a.ipynb"], ring=ring, now=NOW) == ["a.ipynb"]
    assert verify(runs, ["a.ipynb"], ring=ring).ok


def test_a_name_that_is_no_text_is_named_with_escapes(tmp_path: Path) -> None:
    """A file name that is not UTF-8 is listed with escapes, can be found by them, and is reported as impossible to seal."""
    runs, ring = tmp_path / "runs", KeyRing(tmp_path / "keys")
    save(runs, "deployed", "good.ipynb")
    os.link(runs / "good.ipynb", os.fsencode(runs) + b"/x\xff.ipynb")
    names = sorted(name for name, _ in scan(runs))
    for _ in range(2):
        with open_index(runs) as index:
            assert sorted(row.path for row in index.rows()) == ["good.ipynb", "x\\xff.ipynb"]
            assert index.find(names[1]).path == index.find("x\\xff.ipynb").path
    assert seal_missing(runs, names, ring=ring, now=NOW) == ["good.ipynb"]
    found = verify(runs, names, ring=ring)
    assert not found.ok
    assert json.dumps(found.to_json()).encode()
    told = {each.path: (each.finding.value, *each.what) for each in found.files}
    assert told["good.ipynb"] == ("intact",)
    assert told["x\\xff.ipynb"] == ("unsealed", "its name is not UTF-8, so no seal can name it")


@pytest.mark.parametrize("name", ["state", "runbook", "service"])
def test_a_filter_that_is_no_text_is_asked_for_by_the_name_that_is_shown(tmp_path: Path, name: str) -> None:
    """A filter that is not UTF-8 matches only the escaped name that a list shows."""
    save(tmp_path / "runs", "papermill", "good.ipynb")
    notebook = recorded("papermill")
    del notebook["metadata"]["papermill"]
    save(tmp_path / "runs", "papermill", os.fsdecode(b"x\xff.ipynb"), notebook)
    with open_index(tmp_path / "runs") as index:
        found = [row.runbook for row in index.rows(Query(**{name: os.fsdecode(b"x\xff")}))]
    assert found == (["x\\xff"] if name == "runbook" else [])


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A runs folder with 1,200 nested folders; it is removed step by step, because removal by recursion fails."""
    runs = tmp_path / "runs"
    runs.mkdir()
    here = os.open(runs, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield runs
    while (runs / "deep" / "deep").exists():
        (runs / "deep" / "deep").rename(runs / "next")
        (runs / "deep").rmdir()
        (runs / "next").rename(runs / "deep")


def test_folders_nest_as_deep_as_they_like(deep: Path) -> None:
    """1,200 nested folders are listed; a folder whose path is too long is reported as unreadable, not as empty."""
    save(deep, "deployed", "good.ipynb")
    with open_index(deep) as index:
        good, bad = index.rows(Query())
    assert (good.path, good.verdict) == ("good.ipynb", "proven")
    assert bad.path.endswith("/deep/")
    assert (bad.verdict, bad.why) == ("unreadable", "File name too long")


def test_what_vanishes_while_it_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or folder that is removed while the runs are listed is left out."""
    save(tmp_path / "runs", "deployed", "good.ipynb")
    save(tmp_path / "runs", "deployed", "gone.ipynb")
    (tmp_path / "runs" / "sub").mkdir()
    real = os.scandir

    def scandir(folder: str) -> Any:
        with real(folder) as found:
            entries = list(found)
        (tmp_path / "runs" / "gone.ipynb").unlink(missing_ok=True)
        if (tmp_path / "runs" / "sub").is_dir():
            (tmp_path / "runs" / "sub").rmdir()
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [name for name, _ in scan(tmp_path / "runs")] == ["good.ipynb"]


def test_a_pipe_in_the_seals_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """If the seals' file is a pipe, verify and seal refuse it without waiting."""
    runs = tmp_path / "runs"
    save(runs, "deployed", "a.ipynb")
    os.mkfifo(runs / "seals.jsonl")
    ring = KeyRing(tmp_path / "keys")
    with pytest.raises(RecordError, match="not a regular file"):
        verify(runs, ["a.ipynb"], ring=ring)
    with pytest.raises(RecordError, match="not a regular file"):
        seal_missing(runs, ["a.ipynb"], ring=ring, now=NOW)
