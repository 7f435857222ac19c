"""Parts of run ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.cli import main
from ecr_widgets.cli.run_ids import whole_run_id
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place
from tests.audit.runs import recorded, save
from tests.buckets import Buckets

FIRST, SECOND = "20261126T060919Z-94c1df", "20261126T071000Z-a60e88"


@pytest.fixture(params=["folder", "bucket"])
def runs(
    request: pytest.FixtureRequest, tmp_path: Path, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Two runs and, in the bucket, other objects beside them."""
    bucket = buckets.new_place()
    for name, value in buckets.environ.items():
        monkeypatch.setenv(name, value)
    for run_id in (FIRST, SECOND):
        notebook = json.loads(json.dumps(recorded("deployed")))
        old = notebook["metadata"]["ecr_widgets"]["run_id"]
        notebook = json.loads(json.dumps(notebook).replace(old, run_id))
        path = save(tmp_path, "deployed", f"{run_id}-release.ipynb", notebook)
        bucket_store(bucket).put(path.name, path.read_bytes(), replacing=None)
        bucket_store(bucket).put(f"leases/run/{path.name}.json", b"{}", replacing=None)
    return tmp_path if request.param == "folder" else bucket


@pytest.mark.parametrize("part", ["a60e88", "a60e", "071000Z", SECOND])
def test_a_part_that_no_other_run_has_is_enough(runs: Place, part: str) -> None:
    """A part of a run's id that no other run contains stands for it."""
    assert whole_run_id(part, runs) == SECOND


@pytest.mark.parametrize("part", ["94c", "ffff", "nothing"])
def test_what_names_no_run_stays_as_it_is(runs: Place, part: str) -> None:
    """A part that matches no run, or has only three characters, is returned unchanged."""
    assert whole_run_id(part, runs) == part
    assert whole_run_id(part, runs / "none") == part


def test_a_part_of_several_is_refused(runs: Place) -> None:
    """A part that matches several runs is refused with two of their ids."""
    with pytest.raises(InputError, match=f"{FIRST} and {SECOND}"):
        whole_run_id("20261126", runs)


@pytest.mark.parametrize(
    "words", [["audit", "show"], ["run", "--resume"], ["approve"], ["attest"]], ids=lambda words: words[0]
)
def test_every_command_takes_a_part(runs: Place, words: list[str]) -> None:
    """Commands print the same for a part of a run's id as for the whole id."""
    whole = CliRunner().invoke(main, [*words, SECOND, "--runs", str(runs)]).output
    part = CliRunner().invoke(main, [*words, "a60e88", "--runs", str(runs)]).output
    assert SECOND in part
    assert part == whole
