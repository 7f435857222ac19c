"""A closed day's seals in one file: lists read it, trust only what the seals say, and need no such file."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.audit import sealing
from ecr_widgets.audit.day_files import compact
from ecr_widgets.audit.index import Index, open_index
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.query import Query
from ecr_widgets.cli.audit import command
from ecr_widgets.model.bucket_path import BucketPath
from tests.audit.runs import recorded
from tests.buckets import Buckets, all_objects, put_all

DAYS = tuple(datetime(2026, 11, day, 12, tzinfo=UTC) for day in (20, 21, 23, 24))
"""The last day is open, and the 22nd has no runs."""
ALL = Query()
OF_A_DAY = ("deployed", "proven", "failed")


@dataclass
class Bucket:
    """Runs in a bucket, with a clock of their own and a record of which objects were read."""

    place: BucketPath
    clock: list[datetime]
    read: list[str] = field(default_factory=list)

    @property
    def store(self) -> S3Store:
        return bucket_store(self.place)

    def run(self, number: int, kind: str, day: datetime) -> None:
        """Save and seal a run on the given day."""
        self.clock[0] = day
        # Not the records' time: here only the time of the seal matters.
        notebook = recorded(kind)
        run_id = f"{day:%Y%m%dT%H%M%SZ}-{number:06x}"
        notebook["metadata"]["ecr_widgets"] |= {
            "run_id": run_id,
            "started_at": f"{day:%Y-%m-%dT%H:%M:%S}.{number:03}Z",
        }
        name = f"{run_id}-release.ipynb"
        self.store.put(name, json.dumps(notebook).encode(), replacing=None)
        assert sealing.seal_finished_run(self.place / name) is None

    def compact(self) -> list[tuple[str, str]]:
        return [(each.name, each.why_not) for each in compact(self.store)]

    def change(self, name: str, change: Callable[[bytes], bytes]) -> None:
        stored = self.store.read(name)
        assert stored is not None
        self.store.put(name, change(stored.content), replacing=stored.stamp)

    def remove(self, name: str) -> None:
        stored = self.store.read(name)
        assert stored is not None
        self.store.remove(name, stored.stamp)

    def rows(self, query: Query = ALL) -> list[dict[str, Any]]:
        """Return the rows of a new list."""
        self.read.clear()
        with Index(self.place, None, ring=default_ring()) as index:
            index.look_for(query)
            return [row.to_json() for row in index.rows(query)]

    def seals_read(self) -> list[str]:
        return sorted(name for name in self.read if name.startswith("seals/"))


@pytest.fixture(scope="module")
def made(buckets: Buckets) -> dict[str, bytes]:
    """Return all objects of a bucket with three runs on each day."""
    with pytest.MonkeyPatch.context() as patch:
        bucket = bucket_of(buckets, patch)
        for day in DAYS:
            for number, kind in enumerate(OF_A_DAY):
                bucket.run(number, kind, day)
        return all_objects(bucket.store)


def bucket_of(buckets: Buckets, patch: pytest.MonkeyPatch) -> Bucket:
    for name, value in buckets.environ.items():
        patch.setenv(name, value)
    bucket = Bucket(buckets.new_place(), [DAYS[-1]])
    patch.setattr(S3Store, "now", lambda self: bucket.clock[0])
    return bucket


@pytest.fixture
def bucket(buckets: Buckets, made: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Such a bucket, for one test."""
    bucket = bucket_of(buckets, monkeypatch)
    put_all(bucket.store, made)
    real = S3Store.read_aged

    def read(self: S3Store, name: str, **more: Any) -> Any:
        bucket.read.append(name)
        return real(self, name, **more)

    monkeypatch.setattr(S3Store, "read_aged", read)
    return bucket


def test_a_list_of_compacted_days_is_the_same_and_reads_one_seal_a_day(bucket: Bucket) -> None:
    """A list of compacted days has the same rows, and reads one seal per closed day, the open day's seals, and no notebook."""
    before = bucket.rows()
    assert len(bucket.seals_read()) == len(DAYS) * len(OF_A_DAY)
    assert bucket.compact() == [(f"rows/{day:%Y-%m-%d}.parquet", "") for day in DAYS[:-1]]
    assert bucket.rows() == before
    last = [f"seals/{day:%Y/%m/%d}/000000000003.json" for day in DAYS[:-1]]
    assert bucket.seals_read() == sorted([*last, *(f"seals/2026/11/24/{n:012}.json" for n in (1, 2, 3))])
    assert not [name for name in bucket.read if name.endswith(".ipynb")]
    assert bucket.compact() == []


def test_a_day_is_compacted_an_hour_after_its_end_and_not_before(bucket: Bucket) -> None:
    """A day is compacted no earlier than an hour after its end, because a slow host may still add a seal."""
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    bucket.clock[0] = midnight + timedelta(minutes=59)
    assert len(bucket.compact()) == len(DAYS) - 1
    bucket.clock[0] = midnight + timedelta(minutes=60)
    assert bucket.compact() == [("rows/2026-11-24.parquet", "")]


def test_a_seal_that_came_after_the_file_is_listed(bucket: Bucket) -> None:
    """A seal added after its day was compacted is listed, by a new index and by one that read the day before its end."""
    bucket.clock[0] = DAYS[-1]
    with Index(bucket.place, None, ring=default_ring()) as index:
        index.update()
        bucket.clock[0] = DAYS[-1] + timedelta(days=1)
        assert ("rows/2026-11-24.parquet", "") in bucket.compact()
        bucket.run(9, "proven", DAYS[-1])
        bucket.clock[0] = DAYS[-1] + timedelta(days=1)
        index.update()
        known = [row.to_json() for row in index.rows()]
    assert known == bucket.rows()
    (late,) = [row for row in known if row["run_id"] == "20261124T120000Z-000009"]
    assert late["seal"] == "intact"
    assert bucket.seals_read() == sorted(
        [*(f"seals/{day:%Y/%m/%d}/000000000003.json" for day in DAYS), "seals/2026/11/24/000000000004.json"]
    )


def forged_row(content: bytes) -> bytes:
    """One row names another person."""
    return rewritten(
        content, lambda frame: frame.row.map(lambda row: row.replace(b'"root"', b'"evil"')), "row"
    )


def forged_seal(content: bytes) -> bytes:
    """One seal is of another run."""
    frame = pd.read_parquet(BytesIO(content))
    return rewritten(content, lambda _: [frame.line[0].replace(b"A", b"B", 1), *frame.line[1:]], "line")


def rewritten(content: bytes, change: Callable[[pd.DataFrame], Any], column: str) -> bytes:
    frame = pd.read_parquet(BytesIO(content))
    frame[column] = change(frame)
    out = BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def without_column(content: bytes) -> bytes:
    out = BytesIO()
    pd.read_parquet(BytesIO(content)).drop(columns="line").to_parquet(out, index=False)
    return out.getvalue()


def reordered(content: bytes) -> bytes:
    out = BytesIO()
    pd.read_parquet(BytesIO(content)).iloc[[1, 0, 2]].to_parquet(out, index=False)
    return out.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        forged_row,
        forged_seal,
        without_column,
        reordered,
        lambda content: content[: len(content) // 2],
        lambda content: content[:-8] + b"\0\0\0\0PAR1",
        lambda _: b"",
    ],
)
def test_a_file_that_was_forged_or_torn_counts_for_nothing(
    bucket: Bucket, change: Callable[[bytes], bytes]
) -> None:
    """If a day's file is forged or torn, the day is listed from its seals."""
    before = bucket.rows()
    bucket.compact()
    bucket.change("rows/2026-11-21.parquet", change)
    assert bucket.rows() == before
    assert [name for name in bucket.seals_read() if "/21/" in name][:2] == [
        "seals/2026/11/21/000000000001.json",
        "seals/2026/11/21/000000000002.json",
    ]


def test_a_file_of_fewer_seals_hides_none(bucket: Bucket) -> None:
    """If a day's file holds only some of the day's seals, the others are read from their objects."""
    before = bucket.rows()
    bucket.compact()

    def shorter(content: bytes) -> bytes:
        out = BytesIO()
        pd.read_parquet(BytesIO(content)).iloc[:1].to_parquet(out, index=False)
        return out.getvalue()

    bucket.change("rows/2026-11-21.parquet", shorter)
    assert bucket.rows() == before


def test_another_days_file_is_not_taken_for_this_ones(bucket: Bucket) -> None:
    """Another day's file is not used for a day, although all of it is signed and in order."""
    before = bucket.rows()
    bucket.compact()
    other = bucket.store.read("rows/2026-11-20.parquet")
    assert other is not None
    bucket.change("rows/2026-11-21.parquet", lambda _: other.content)
    assert bucket.rows() == before


def test_a_day_with_a_seal_that_is_gone_or_changed_gets_no_file(bucket: Bucket) -> None:
    """A day with a missing or changed seal gets no file and is reported; the other days get theirs."""
    bucket.remove("seals/2026/11/20/000000000002.json")
    bucket.change("seals/2026/11/21/000000000001.json", lambda content: content.replace(b'{"row"', b'{"raw"'))
    bucket.clock[0] = DAYS[-1]
    done = dict(bucket.compact())
    assert {name for name, why_not in done.items() if "missing or not in order" in why_not} == {
        "rows/2026-11-20.parquet",
        "rows/2026-11-21.parquet",
    }
    assert list(bucket.store.names(prefix="rows/")) == ["rows/2026-11-23.parquet"]


def test_another_who_compacts_at_the_same_time_is_no_error(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If someone else writes a day's file first, that file is kept and this is reported without an error."""
    bucket.clock[0] = DAYS[-1]
    real = S3Store.put

    def put(self: S3Store, name: str, content: bytes, **more: Any) -> Any:
        monkeypatch.setattr(S3Store, "put", real)
        bucket.compact()
        return real(self, name, content, **more)

    monkeypatch.setattr(S3Store, "put", put)
    (first, *others) = bucket.compact()
    assert first == ("rows/2026-11-20.parquet", "another has just written it")
    assert [why for _, why in others] == ["another has just written it"] * (len(DAYS) - 2)


def test_no_more_days_are_looked_at_than_a_query_takes(bucket: Bucket) -> None:
    """A list reads days only back to `--since`, or until it has the requested number of runs."""
    bucket.compact()
    bucket.clock[0] = DAYS[-1]
    rows = bucket.rows()
    since = Query(since=datetime(2026, 11, 23, tzinfo=UTC))
    assert bucket.rows(since) == rows[:6]
    assert {name.split("/")[3] for name in bucket.seals_read()} == {"23", "24"}
    assert bucket.rows(Query(newest=4, service="timeoutsvc")) == rows[:4]
    assert bucket.rows(Query(newest=4)) == rows[:4]
    assert bucket.rows(Query(newest=99)) == rows


def test_an_index_that_knows_a_part_reads_the_rest_later(bucket: Bucket) -> None:
    """An index that knows some days later reads the days it skipped and the late seals, and no file twice."""
    bucket.compact()
    rows = bucket.rows()
    with open_index(bucket.place, query=Query(since=datetime(2026, 11, 23, tzinfo=UTC))):
        pass
    bucket.run(8, "proven", DAYS[-1])
    bucket.clock[0] = DAYS[-1] + timedelta(days=2)
    bucket.read.clear()
    with open_index(bucket.place) as index:
        assert [row.to_json() for row in index.rows()][1:] == rows
    assert [name for name in bucket.read if name.startswith("rows/")] == [
        "rows/2026-11-20.parquet",
        "rows/2026-11-21.parquet",
    ]
    assert bucket.seals_read()[-1] == "seals/2026/11/24/000000000004.json"


def test_without_pyarrow_the_seals_are_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, a list of compacted days is read from the seals."""
    before = bucket.rows()
    bucket.compact()
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert bucket.rows() == before
    assert len(bucket.seals_read()) == len(DAYS) * len(OF_A_DAY)


def test_the_command_says_what_it_wrote(bucket: Bucket, tmp_path: Path) -> None:
    """`audit compact` prints a line per file, or JSON, and refuses a folder."""
    said = CliRunner().invoke(command, ["compact", "--runs", str(bucket.place)])
    assert said.output.splitlines() == [f"rows/{day:%Y-%m-%d}.parquet: 3 seals" for day in DAYS[:-1]]
    again = CliRunner().invoke(command, ["compact", "--runs", str(bucket.place), "--json"])
    assert (again.exit_code, json.loads(again.output)) == (0, [])
    refused = CliRunner().invoke(command, ["compact", "--runs", str(tmp_path)])
    assert (refused.exit_code, "in one file already" in refused.output) == (2, True)


def test_other_tools_read_the_file(bucket: Bucket) -> None:
    """pandas reads a day's file as a row per seal, in the columns of `audit export`."""
    bucket.compact()
    stored = bucket.store.read("rows/2026-11-21.parquet")
    assert stored is not None
    frame = pd.read_parquet(BytesIO(stored.content))
    assert list(frame.state) == ["succeeded", "succeeded", "failed"]
    assert frame.digests[0][0].startswith("sha256:")
    assert list(frame.started_at.dt.date.unique()) == [DAYS[1].date()]
