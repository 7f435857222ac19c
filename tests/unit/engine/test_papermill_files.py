"""Papermill's own writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from papermill.iorw import LocalHandler, papermill_io

from ecr_widgets.engine.papermill_files import output_place, write_whole
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import BucketPath


def test_papermills_own_write_of_a_run_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the old file open keeps all of it: it is replaced and not written over; other files are as ever."""
    handler = papermill_io.get_handler("x.ipynb")
    assert isinstance(handler, LocalHandler)
    monkeypatch.setattr(handler, "write", handler.write)
    run, other = tmp_path / "run.ipynb", tmp_path / "other.ipynb"
    for path in (run, other):
        path.write_text("old")
    write_whole(run)
    with run.open() as kept, other.open() as overwritten:
        for path in (run, other):
            papermill_io.write("new", str(path))
        assert (kept.read(), overwritten.read()) == ("old", "new")
    assert run.read_text() == "new"


def test_a_run_is_saved_in_files_and_buckets_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output and no output are none, a relative path begins where papermill was started, other stores are refused."""
    monkeypatch.chdir(tmp_path)
    assert (output_place(None), output_place("-")) == (None, None)
    assert output_place("out.ipynb") == tmp_path / "out.ipynb"
    assert output_place("s3://bucket/out.ipynb") == BucketPath.parse("s3://bucket/out.ipynb")
    with pytest.raises(InputError, match="it is not a file"):
        output_place("gs://bucket/out.ipynb")
