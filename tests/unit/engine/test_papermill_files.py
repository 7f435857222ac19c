"""Papermill's own writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from papermill.iorw import LocalHandler, papermill_io

from ecr_widgets.disk import write_atomically
from ecr_widgets.engine.papermill_files import output_place, write_whole
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import BucketPath


def test_papermills_own_write_of_a_run_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Papermill's write of a run replaces the file, so that its open readers keep the old one; others are overwritten."""
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
    """A run's output is a local path or S3; `-` and None are no output, and other stores are refused."""
    monkeypatch.chdir(tmp_path)
    assert (output_place(None), output_place("-")) == (None, None)
    assert output_place("out.ipynb") == tmp_path / "out.ipynb"
    assert output_place("s3://bucket/out.ipynb") == BucketPath.parse("s3://bucket/out.ipynb")
    with pytest.raises(InputError, match="it is not a file"):
        output_place("gs://bucket/out.ipynb")


def test_no_file_takes_a_devices_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose output is a device or a pipe is not saved there: papermill writes into it, and it stays what it is."""
    pipe, run, link = tmp_path / "pipe", tmp_path / "run.ipynb", tmp_path / "link.ipynb"
    os.mkfifo(pipe)
    assert (output_place(str(pipe)), output_place(os.devnull)) == (None, None)
    with pytest.raises(OSError, match="device"):
        write_atomically(pipe, b"")
    assert pipe.is_fifo()
    handler = papermill_io.get_handler("x.ipynb")
    monkeypatch.setattr(handler, "write", handler.write)
    run.touch()
    link.symlink_to(run)
    place = output_place(str(link))
    assert place == run
    write_whole(place)
    papermill_io.write("new", str(link))
    assert (run.read_text(), link.is_symlink()) == ("new", True)
