"""The index reads only what changed, answers as the notebooks would, and can be deleted without loss."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ecr_widgets.audit import run_files
from ecr_widgets.audit.figures import figures
from ecr_widgets.audit.frames import to_frame, write_parquet
from ecr_widgets.audit.index import Index, open_index
from ecr_widgets.audit.index_file import index_file
from ecr_widgets.audit.parallel import MANY
from ecr_widgets.audit.query import Query, parse_since
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.scan import Stamp
from ecr_widgets.cli import main
from ecr_widgets.errors import InputError, RecordError
from tests.audit.runs import KINDS, change_record, generate, recorded, save

DIGEST = "sha256:d95bcb14f5e244ed336e1c9052a8abf7b378aee8f382222ccbc225b998d2f273"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for kind in KINDS:
        save(tmp_path / "runs", kind)
    (tmp_path / "runs" / "broken.ipynb").write_text("{")
    return tmp_path / "runs"


def paths(index: Index, **filters: str) -> list[str]:
    return sorted(row.path.removesuffix(".ipynb") for row in index.rows(Query(**filters)))


def test_only_what_changed_is_read_again(runs: Path, tmp_path: Path) -> None:
    """Only new and changed notebooks are read again, and removed ones are forgotten."""
    old = tmp_path / "index.sqlite"
    with Index(runs, old) as index:
        index.update()
        assert index.read_files == 7
    # Files older than the clock's grain keep their stamp from here on.
    with Index(runs, old) as index:
        threading.Event().wait(0.06)
        index.update()
        index.read_files = 0
        index.update()
        assert index.read_files == 0
        save(runs, "proven", "new.ipynb")
        save(runs, "killed", "failed.ipynb")
        (runs / "broken.ipynb").unlink()
        index.update()
        assert index.read_files == 2
        assert paths(index) == sorted([*KINDS, "new"])
        assert paths(index, state="failed") == []


def test_filters_find_what_a_run_touched(runs: Path) -> None:
    """Runs are found by state, runbook, any length of digest, time, and service with or without its environment."""
    with open_index(runs) as index:
        assert paths(index, state="unreadable") == ["broken"]
        assert paths(index, state="succeeded") == ["deployed", "papermill", "proven"]
        assert paths(index, runbook="release") == sorted(KINDS)
        for digest in (DIGEST, "d95b", "sha256:d95b"):
            assert "deployed" in paths(index, digest=digest)
        assert paths(index, digest="d95c") == paths(index, service="other") == paths(index, service="%") == []
        assert paths(index, service="demo/timeoutsvc") == paths(index, service="timeoutsvc")
        assert set(paths(index, service="timeoutsvc")) == {"deployed", "failed", "papermill", "proven"}
        assert len(list(index.rows(Query(since=datetime(2100, 1, 1, tzinfo=UTC))))) == 0


def test_a_service_that_was_adopted_has_one_history(runs: Path) -> None:
    """An adopted service has one history under both names; a service of the same name elsewhere has its own."""
    names = {"same_environment": "ecs:l0-p-1", "same_service": "l0-p-2", "to_environment": "ecs:live"}
    inputs = {"environment": "demo", "service": "timeoutsvc"}
    outcome = names | {"to_service": "web"}
    adopted = change_record(recorded("proven"), "check_target", step="adopt", inputs=inputs, outcome=outcome)
    save(runs, "proven", "adopted.ipynb", adopted)
    text = json.dumps(recorded("deployed"))
    for name, service in (("moved", "web"), ("apart", "apart")):
        other = text.replace("timeoutsvc", service).replace('\\"demo\\"', '\\"ecs:live\\"')
        save(runs, "deployed", f"{name}.ipynb", json.loads(other))
    with open_index(runs) as index:
        history = paths(index, service="demo/timeoutsvc")
        assert {"adopted", "moved", "deployed", "proven"} <= set(history)
        assert paths(index, service="ecs:live/web") == paths(index, service="web") == history
        assert paths(index, service="ecs:l0-p-1/l0-p-2") == history
        assert paths(index, service="ecs:live/apart") == ["apart"]
        assert index.adopted() == ({"demo/timeoutsvc", "ecs:l0-p-1/l0-p-2", "ecs:live/web"},)
    places = ["--runs", str(runs)]
    assert (
        main(["audit", "report", *places, "--out", str(runs / "report.html")], standalone_mode=False) is None
    )
    told = CliRunner().invoke(main, ["audit", "figures", *places, "--json"]).output
    both = next(
        each for each in json.loads(told) if "ecs:live/web" in (each["service"], *each["other_names"])
    )
    assert sorted((both["service"], *both["other_names"])) == [
        "demo/timeoutsvc",
        "ecs:l0-p-1/l0-p-2",
        "ecs:live/web",
    ]
    report = (runs / "report.html").read_text()
    names = " = ".join((both["service"], *both["other_names"]))
    assert f'<td class="t">{names}<td' in report
    lanes = re.search(r'aria-label="Days by service [^"]*"', report)[0]
    assert lanes.count(names) == lanes.count("demo/timeoutsvc") == lanes.count("ecs:live/web") == 1


def test_a_run_is_found_by_id_beginning_or_path(runs: Path) -> None:
    """A run is found by id, the beginning of its id, or path; ambiguous and unknown names are refused."""
    with open_index(runs) as index:
        row = index.find("deployed.ipynb")
        assert row.run_id is not None
        assert index.find(row.run_id) == index.find(row.run_id[:-2]) == row
        with pytest.raises(RecordError, match="names several runs"):
            index.find("2026")
        for name in ("x", "../x", "", "\0"):
            with pytest.raises(RecordError):
                index.find(name)


def test_a_broken_index_is_made_anew(runs: Path) -> None:
    """A broken index file is rebuilt."""
    file = index_file(runs)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"nonsense" * 2000)
    with open_index(runs) as index:
        assert len(paths(index)) == 7


def test_two_updaters_and_readers_agree(tmp_path: Path) -> None:
    """Several threads that update the index at the same time each list every run."""
    generate(tmp_path / "runs", 60, size_bytes=1)
    seen: list[int] = []

    def work() -> None:
        with open_index(tmp_path / "runs") as index:
            seen.append(len(list(index.rows())))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [60] * 4


def test_an_update_forgets_no_run_that_another_found_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update does not drop a run that appeared, or appeared again, while the folder was being listed."""
    runs, file, scan = tmp_path / "runs", tmp_path / "index.sqlite", run_files.scan
    for name in ("a.ipynb", "z.ipynb"):
        save(runs, "proven", name)
    with Index(runs, file) as slow, Index(runs, file) as quick:
        slow.update()

        def scanned(folder: Path) -> Iterator[tuple[str, Stamp]]:
            seen = list(scan(folder))
            monkeypatch.setattr(run_files, "scan", scan)
            save(runs, "proven", came)
            # Files are listed in a thread of their own.
            with Index(runs, file) as other:
                other.update()
            return iter(seen)

        for came in ("new.ipynb", "z.ipynb"):  # noqa: B007 -- used in `scanned`
            (runs / "z.ipynb").unlink()
            monkeypatch.setattr(run_files, "scan", scanned)
            slow.update()
            assert paths(quick) == sorted(path.stem for path in runs.iterdir())
            slow.update()
            save(runs, "proven", "z.ipynb")
            slow.update()


def test_many_at_once_are_read_by_others_with_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes read many notebooks into the same rows as one process, and filters find them."""
    generate(tmp_path / "runs", MANY, size_bytes=1)
    (tmp_path / "runs" / "broken.ipynb").write_text("{")
    told = []
    for cores in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        with Index(tmp_path / "runs", tmp_path / f"{cores}.sqlite") as index:
            index.update()
            assert index.read_files == MANY + 1
            told.append((list(index.rows()), paths(index, digest=DIGEST), paths(index, service="demo/web")))
    assert told[0] == told[1]
    assert len(told[0][0]) == MANY + 1


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A folder that does not exist is refused by name."""
    with pytest.raises(InputError, match="runs cannot be read in"):
        open_index(tmp_path / "none")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "999999w", "2026-01-01T00:00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """A text that is neither a date, an RFC 3339 time nor an age is refused."""
    with pytest.raises(InputError):
        parse_since(text, now=datetime(2026, 1, 1, tzinfo=UTC))


def test_frame_and_parquet_hold_the_rows(runs: Path, tmp_path: Path) -> None:
    """The data frame and the Parquet file have one row per notebook and the same typed columns."""
    with open_index(runs) as index:
        frame = to_frame(index.rows())
        assert write_parquet(index.rows(), tmp_path / "x.parquet") == len(frame) == 7
    read = pd.read_parquet(tmp_path / "x.parquet")
    assert set(read.columns) == set(frame.columns) == set(Row.__struct_fields__)
    for table in (frame, read):
        assert str(table["started_at"].dtype.tz) == "UTC"
        assert table.set_index("path").loc["deployed.ipynb", "verdict"] == "proven"
        assert DIGEST in list(table.set_index("path").loc["deployed.ipynb", "digests"])


def test_parquet_has_its_types_without_a_row(tmp_path: Path) -> None:
    """A Parquet file without rows has the same schema as one with rows, so both can be read together."""
    assert write_parquet([], tmp_path / "none.parquet") == 0
    assert write_parquet([Row("p", "proven", "")], tmp_path / "one.parquet") == 1
    none, one = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("none", "one"))
    assert none.remove_metadata() == one.remove_metadata()
    assert str(none.field("services").type).startswith("list<")


def test_figures_count_deploys_failures_and_recovery() -> None:
    """Figures count deploys and failures; a recovery lasts from the first failure's end to the next success's end."""

    def row(hour: int, state: str, service: str) -> Row:
        return Row(
            "p", "proven", "", state=state, ended_at=f"2026-01-01T{hour:02}:00:00.000Z", deployed=(service,)
        )

    states = ("succeeded", "failed", "failed", "succeeded", "running")
    rows = [row(hour, state, "a") for hour, state in enumerate(states)] + [row(5, "interrupted", "b")]
    a, b = figures(rows)
    assert (a.service, a.deploys, a.failed, a.failure_rate, a.deploys_a_day) == ("a", 4, 2, 0.5, 4.0)
    assert (a.recoveries, a.median_recovery_s, a.down_since) == (1, 7200.0, None)
    assert (b.recoveries, b.median_recovery_s, b.down_since) == (0, None, "2026-01-01T05:00:00Z")


def _row_at(
    hour: int, verdict: str, *, deployed: tuple[str, ...] = (), verified: tuple[str, ...] = ()
) -> Row:
    state = "failed" if verdict == "failed" else "succeeded"
    ended_at = f"2026-01-01T{hour:02}:00:00.000Z"
    return Row("p", verdict, "", state=state, ended_at=ended_at, deployed=deployed, verified=verified)


def test_a_proven_check_ends_an_outage_and_is_no_deploy() -> None:
    """A proven check after a failure ends the outage and is no deploy; an unproven one does not end it."""
    failed = _row_at(0, "failed", deployed=("a",))
    (still,) = figures(
        [failed, _row_at(1, "unproven", verified=("a",)), _row_at(2, "proven", verified=("b",))]
    )
    assert still.down_since == "2026-01-01T00:00:00Z"
    (back,) = figures([failed, _row_at(3, "proven", verified=("a",))])
    assert (back.deploys, back.failed, back.recoveries) == (1, 1, 1)
    assert (back.median_recovery_s, back.down_since) == (3 * 3600, None)


def _deploy_at(hour: int, state: str = "succeeded", **more: Any) -> Row:
    ended_at = f"2026-01-01T{hour:02}:00:00.000Z"
    return Row("p", "proven", "", state=state, ended_at=ended_at, **({"deployed": ("a",)} | more))


def test_a_deploy_that_its_own_run_rolled_back_has_failed_and_recovered() -> None:
    """A deploy that its own run rolled back counts as failed and recovered, whatever the run's state."""
    for state in ("failed", "succeeded"):
        (a,) = figures([_deploy_at(0), _deploy_at(1, state, rolled_back=("a",), restored_s=90.0)])
        assert (a.deploys, a.failed, a.recoveries, a.median_recovery_s, a.down_since) == (2, 1, 1, 90.0, None)


def test_a_deploy_that_a_later_run_rolled_back_has_failed() -> None:
    """A deploy that a later run rolled back counts as failed, even if its own run is unknown; the rollback is no deploy."""
    back = _deploy_at(2, brought_back=("a",))
    (a,) = figures([_deploy_at(0), _deploy_at(1), back])
    assert (a.deploys, a.failed, a.recoveries) == (2, 1, 0)
    (a,) = figures([back])
    assert (a.deploys, a.failed) == (1, 1)


def test_a_rollback_after_a_failed_deploy_is_its_recovery() -> None:
    """A rollback after a failed deploy counts as its recovery, not as a second failure."""
    (a,) = figures([_deploy_at(0, "failed", down=("a",)), _deploy_at(2, brought_back=("a",))])
    assert (a.deploys, a.failed, a.recoveries, a.median_recovery_s) == (1, 1, 1, 7200.0)


def test_what_was_refused_counts_as_nothing() -> None:
    """A refused run counts as neither a deploy nor a failure nor an outage."""
    (a,) = figures([_deploy_at(0), _deploy_at(1, "failed", outcome="refused")])
    assert (a.deploys, a.failed, a.down_since) == (1, 0, None)


def test_lead_time_is_from_the_push_to_the_run_that_found_it_running() -> None:
    """Lead time is from an image's push to the run that verified it, even if another run pushed it."""
    pushed = {"pushed_at": "2026-01-01T00:30:00.000Z", "digests": ("sha256:1",)}
    (a,) = figures([
        _deploy_at(1, verified=("a",), **pushed),
        _deploy_at(2, verified=("a",), digests=("sha256:1",)),
        _deploy_at(3, verified=("a",), digests=("sha256:2",)),
    ])  # fmt: skip
    assert a.median_lead_s == (1800 + 5400) / 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("foreign", ["the file", "the folder"])
def test_another_users_index_is_not_believed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, foreign: str
) -> None:
    """An index that belongs to another user is ignored and left unchanged; the notebooks are read instead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(runs.parent / "cache"))
    with open_index(runs) as index:
        assert paths(index, state="failed") == ["failed"]
    file = index_file(runs)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE runs SET verdict = 'proven', state = 'succeeded'")
    os.chown(file if foreign == "the file" else file.parent, 61001, 61001)
    before = file.read_bytes()
    with open_index(runs) as index:
        assert paths(index, state="failed") == ["failed"]
    assert file.read_bytes() == before
