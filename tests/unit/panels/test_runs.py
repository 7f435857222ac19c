"""Saved runs as pictures, from a folder alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecr_widgets import open_runs
from ecr_widgets.errors import EcrWidgetsError, InputError, RecordError
from ecr_widgets.model.record import PANEL_MIME
from ecr_widgets.panels.picture import LARGEST_BUNDLE_BYTES
from ecr_widgets.panels.runs import SavedRuns
from tests.audit.runs import KINDS, generate, recorded, save
from tests.unit.panels.desk import Desk


@pytest.fixture
def runs(tmp_path: Path) -> SavedRuns:
    for kind in KINDS:
        save(tmp_path / "runs", kind)
    return open_runs(tmp_path / "runs")


def test_the_timeline_has_a_lane_a_service_and_a_sign_a_run(runs: SavedRuns) -> None:
    """The timeline has a row per service with a sign per run, and a key of the signs."""
    picture = runs.timeline().picture
    lanes = {row[0]: row for row in picture.rows}
    assert "demo/timeoutsvc" in lanes
    assert len(lanes["demo/timeoutsvc"][1]) == int(lanes["demo/timeoutsvc"][2])
    assert "✗ failed" in picture.note


def test_the_panel_lists_and_filters(runs: SavedRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel lists every notebook, and its filters show the matching ones."""
    desk = Desk(monkeypatch, None)
    desk.open(runs.panel())
    assert len(desk.rows) == len(desk.picture["rows"]) == len(KINDS)
    desk.type("Filter", "failed")
    assert {row[10] for row in desk.picture["rows"]} >= {"failed"}
    assert f"of {len(KINDS)} for 'failed'" in desk.picture["note"]
    desk.type("Filter", "nobody has this")
    assert desk.picture["rows"] == []
    assert len(runs.panel(state="failed").picture().rows) == 1
    assert {row[10] for row in runs.panel().picture("failed").rows} >= {"failed"}


def test_an_opened_folder_shows_its_runs(runs: SavedRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """An opened folder as a cell's last expression shows its runs."""
    desk = Desk(monkeypatch, None)
    runs._ipython_display_()
    assert len(desk.picture["rows"]) == len(KINDS)


def test_an_opened_folder_is_a_picture_where_nothing_can_be_run(runs: SavedRuns) -> None:
    """Outside a kernel an opened folder is a picture with each run's outcome, subject, person and reason, and plots."""
    told = json.loads(runs._repr_mimebundle_()[PANEL_MIME])
    assert told["columns"][:7] == ["", "outcome", "started", "runbook", "what", "by", "why"]
    by_outcome = {row[1]: row for row in told["rows"]}
    assert by_outcome["left down"][4] == "xfra-wait:crash → demo/timeoutsvc"
    figures, days = told["plots"]
    assert figures["alt"].startswith("deploys a week: ")
    assert "demo/timeoutsvc 1 left down" in days["alt"]
    assert figures["src"].startswith("data:image/svg+xml,")


def test_a_run_is_named_by_its_id_and_by_its_notebook_where_that_has_another_name(tmp_path: Path) -> None:
    """A run is listed by its id, and also by its file's name if that is another."""
    run_id = recorded("proven")["metadata"]["ecr_widgets"]["run_id"]
    for name in (f"{run_id}-release.ipynb", "mine.ipynb"):
        save(tmp_path, "proven", name)
    picture = open_runs(tmp_path).panel().picture()
    named = {row[picture.columns.index("run")] for row in picture.rows}
    assert named == {run_id, f"{run_id}\nmine.ipynb"}


def test_a_picture_of_many_runs_stays_small(tmp_path: Path) -> None:
    """A picture of 400 runs is limited in size and says how many are left out."""
    generate(tmp_path / "many", 400, size_bytes=0)
    picture = open_runs(tmp_path / "many").panel().picture()
    assert sum(len(form.encode()) for form in picture.bundle().values()) <= LARGEST_BUNDLE_BYTES
    assert len(picture.rows) + picture.left_out == 400
    assert json.loads(picture.bundle()[PANEL_MIME])["left_out"] == picture.left_out


def test_two_runs_are_compared(runs: SavedRuns) -> None:
    """The comparison of two runs shows what differs; an unknown run is an error."""
    picture = runs.compare("proven.ipynb", "failed.ipynb").picture
    assert ("state", "succeeded", "failed") in picture.rows
    with pytest.raises(EcrWidgetsError):
        runs.compare("proven.ipynb", "nobody")


def test_two_runs_are_compared_in_the_panel(runs: SavedRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the panel a row can be compared with a chosen run, the older one first; an unknown run is a problem."""
    desk = Desk(monkeypatch, None)
    desk.open(runs.panel())
    newest, oldest = desk.rows[0][9], desk.rows[-1][9]
    for row, other in ((newest, oldest), (oldest, newest)):
        desk.choose(row)
        desk.type("With", other.split()[0])
        desk.press("Compare")
        (part,) = desk.picture["parts"]
        assert part["columns"] == ["what", "older", "newer"]
        assert part["title"].startswith(f"{oldest.split()[0]} and {newest.split()[0]}: ")
    desk.type("With", "nobody")
    desk.press("Compare")
    assert "nobody" in desk.picture["problem"]


def test_figures_and_rows_come_as_frames(runs: SavedRuns) -> None:
    """Figures and rows are data frames with a row per service and per notebook."""
    assert list(runs.figures()["service"]) == ["demo/timeoutsvc"]
    assert len(runs.to_pandas()) == len(KINDS)


def test_runs_out_of_order_are_an_error(runs: SavedRuns, tmp_path: Path) -> None:
    """A scheduled audit of runs out of order fails, an empty folder is in order, and a missing one is an error."""
    with pytest.raises(RecordError, match="not in order"):
        runs.verify()
    (tmp_path / "empty").mkdir()
    assert open_runs(tmp_path / "empty").verify().picture.note == "all in order"
    with pytest.raises(InputError):
        open_runs(tmp_path / "nowhere")
