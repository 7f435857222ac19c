"""Row group `audit on S3`: a year of runs in one bucket, listed by someone without an index.

100,000 runs are on a real S3 server of this machine: their names, the files of closed days, and the seals of the open day; of
closed days only the last seals are objects, because no list asks for others. A million are measured on a store that generates
names on request, with real files and seals: there the index is measured, not a server of this machine.

BENCH_AUDIT_S3 and BENCH_AUDIT_ROWS set how many (100,000 and 1,000,000; the latter take 3 GB below TMPDIR and are removed).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import msgspec

from ecr_widgets.audit.claims import claim_of
from ecr_widgets.audit.day_files import name_of, to_parquet
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.row import MADE_BY, SealedRow, row_of
from ecr_widgets.audit.run import Run
from ecr_widgets.audit.run_files import stored_stamp
from ecr_widgets.audit.seal import Link, Notebook, Place, Seal, line_of, read_links
from ecr_widgets.audit.seal_objects import seal_name
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.model.stored import Stored
from tests.audit.runs import recorded
from tests.bench.children import Line, alone, child, timed
from tests.buckets import Buckets, seaweed

_child = partial(child, "tests.bench.audit_on_s3")
_DAYS = 365
_SERVICES = 40
_SERVICE = "demo/svc-7"
_BODY = b"{}"
_ETAG = '"99914b932bd37a50b983c5e7c90ae93b"'
"""ETag of the body that replaces each notebook: none is opened if its seal names its ETag."""


def measured(runs: int, folder: Path) -> Iterator[Line]:
    """Return every row: name, ours, other, name of the other, unit, ratio, aim, runs."""
    folder.mkdir()
    yield from _on_a_server(runs, folder, int(os.environ.get("BENCH_AUDIT_S3", "100000")))
    yield from _of_many(runs, folder, int(os.environ.get("BENCH_AUDIT_ROWS", "1000000")))


def _on_a_server(runs: int, folder: Path, count: int) -> Iterator[Line]:
    keys = folder / "keys"
    with seaweed() as s3, patch.dict(os.environ, s3.environ):
        place = s3.new_place()
        _fill(s3, place, count, keys)
        for name, question in (
            (f"newest 50 of {count:,} by service, cold", "newest"),
            (f"a day of {count:,} by service, cold", "day"),
        ):
            each = [_child("ask", question, str(place), str(keys)) for _ in range(runs)]
            assert all(one["found"] for one in each), each
            yield alone(f"audit on S3, {name}", [one["s"] for one in each], 1.0, "s")


def _of_many(runs: int, folder: Path, count: int) -> Iterator[Line]:
    made, keys = folder / "made", folder / "keys"
    made.mkdir()
    KeyRing(keys).signing_key(now=datetime.now(UTC))
    with ProcessPoolExecutor(2) as pool:
        for _ in pool.map(partial(_make_day, made, keys, count // _DAYS), _days()):
            pass
    file = folder / "many.sqlite"
    try:
        cold = _child("index", str(made), str(file), str(keys), str(count // _DAYS))
        asked = [_child("query", str(made), str(file)) for _ in range(runs)]
    finally:
        shutil.rmtree(made)
        for each in folder.glob("many.sqlite*"):
            each.unlink()
    rows = "a million rows" if count == 1_000_000 else f"{count:,} rows"
    print(f"  {cold['rows']:,} rows were indexed in {cold['s']:.0f} s", file=sys.stderr)
    yield alone(f"audit on S3, {rows}: memory of the first look", [cold["together_mb"]], 300.0, "MB")
    for name in ("service", "digest", "newest"):
        yield alone(f"audit on S3, {rows}: newest 50 by {name}", [one[name] for one in asked], 0.2, "s")
    yield alone(
        f"audit on S3, {rows}: memory of a query", [max(one["peak_mb"] for one in asked)], 300.0, "MB"
    )


def _days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=ago) for ago in reversed(range(_DAYS))]


def run_name(day: date, number: int) -> str:
    """Return a run's name as the engine makes it: the ids of a day are in the order of their time."""
    started = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=number * 20)
    return f"{started:%Y%m%dT%H%M%SZ}-{number:06x}-release.ipynb"


def _seals(day: date, count: int, keys: Path) -> Iterator[tuple[bytes, bytes]]:
    """A day's chain, each seal after its row: a recorded run with times, service and digest of its own."""
    content = json.dumps(recorded("deployed")).encode()
    run = read_content(content, "")
    assert isinstance(run, Run)
    row, _ = row_of(run, judge(run))
    claim = claim_of(run, judge(run), subjects_of(run))
    key, signer = KeyRing(keys).signing_key(now=datetime.now(UTC))
    previous, chance = None, random.Random(str(day))
    for number in range(1, count + 1):
        name = run_name(day, number)
        started = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=number * 20)
        about: dict[str, Any] = {"run_id": name[:23], "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}"}
        service = f"demo/svc-{chance.randrange(_SERVICES)}"
        digest = f"sha256:{chance.randrange(1 << 256):064x}"
        own = msgspec.structs.replace(
            row,
            path=name,
            services=(service,),
            deployed=(service,),
            digests=(digest,),
            target=service,
            **about,
        )
        line = SealedRow(own, MADE_BY, (), stored_stamp(_ETAG)).to_line()
        assert line is not None
        sha256 = f"{chance.randrange(1 << 256):064x}"
        seal = Seal(
            msgspec.structs.replace(claim, **about),
            Notebook(name, sha256, sha256, {"ecr_widgets": sha256}, (sha256,) * 12),
            started, key.key, Place(f"{day}", number, previous, follows_own=number > 1),
            row=_sha256(line),
        )  # fmt: skip
        bundle = line_of(seal, signer.sign)
        previous = _sha256(bundle)
        yield line, bundle


def _links(seals: Iterable[tuple[bytes, bytes]]) -> list[Link]:
    return list(read_links(b"".join(line + b"\n" for pair in seals for line in pair)))


def _make_day(folder: Path, keys: Path, count: int, day: date) -> None:
    links = _links(_seals(day, count, keys))
    (folder / f"{day}.parquet").write_bytes(to_parquet(links))
    (folder / f"{day}.json").write_bytes((links[-1].row or b"") + b"\n" + links[-1].line + b"\n")


def _fill(s3: Buckets, place: BucketPath, count: int, keys: Path) -> None:
    """Put names, day files and the open day's seals into a bucket, with many requests at a time."""
    each = count // _DAYS
    KeyRing(keys).signing_key(now=datetime.now(UTC))
    *closed, today = _days()
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(4) as threads:
        with ProcessPoolExecutor(2) as pool:
            for _ in pool.map(partial(_make_day, Path(made), keys, each), closed):
                pass
        store = s3.store(place)
        for day in closed:
            store.put(name_of(day), Path(made, f"{day}.parquet").read_bytes(), replacing=None)
            store.put(seal_name(day, each), Path(made, f"{day}.json").read_bytes(), replacing=None)
        for number, pair in enumerate(_seals(today, each, keys), start=1):
            store.put(seal_name(today, number), b"".join(line + b"\n" for line in pair), replacing=None)
        for _ in threads.map(partial(_put_day, s3, place, each), (*closed, today)):
            pass


def _put_day(s3: Buckets, place: BucketPath, count: int, day: date) -> None:
    # Without boto3, which takes several times longer per request than the server.
    line = http.client.HTTPConnection(urlsplit(s3.url).netloc)
    for number in range(1, count + 1):
        line.request("PUT", f"/{place.bucket}/{place.key}/{run_name(day, number)}", _BODY)
        reply = line.getresponse()
        said = reply.read()
        if (reply.status, reply.headers["ETag"]) != (200, _ETAG):
            raise SystemExit(f"the server did not store a run: {reply.status} {said!r}")
    line.close()


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


class MadeUp:
    """A store of that many runs a day, with the files of closed days in a folder; it has what lists use of `RunStore`."""

    def __init__(self, folder: Path, each: int) -> None:
        self._folder, self._each = folder, each
        self._days = sorted(date.fromisoformat(path.stem) for path in folder.glob("*.parquet"))

    def read(self, name: str) -> Stored | None:
        kind, _, rest = name.partition("/")
        if kind == "rows":
            return Stored((self._folder / rest).read_bytes(), name)
        day = "-".join(rest.split("/")[:3])
        return Stored((self._folder / f"{day}.json").read_bytes(), name)

    def names(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        if prefix == "rows/":
            yield from (name for name in map(name_of, self._days) if name > after)
        elif prefix == "seals/":
            yield seal_name(self._days[0], 1)

    def stamps(self, *, after: str = "") -> Iterator[tuple[str, str]]:
        for day in self._days:
            if f"{day:%Y%m%d}~" > after:
                for number in range(1, self._each + 1):
                    name = run_name(day, number)
                    if name > after:
                        yield name, _ETAG

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


def _ask(question: str, place: str, keys: str) -> None:
    from ecr_widgets.audit.index import Index
    from ecr_widgets.audit.query import Query

    yesterday = datetime.now(UTC) - timedelta(days=1)
    query = (
        Query(service=_SERVICE, newest=50)
        if question == "newest"
        else Query(service=_SERVICE, since=yesterday)
    )

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            with Index(
                BucketPath.parse(place), Path(folder, "cold.sqlite"), ring=KeyRing(Path(keys))
            ) as index:
                index.look_for(query)
                rows = list(index.rows(query))
            assert all(row.seal == "intact" for row in rows)
            return {"found": len(rows)}

    timed(work)


def _index(folder: str, file: str, keys: str, each: str) -> None:
    from ecr_widgets.audit import index as module

    store = MadeUp(Path(folder), int(each))

    def work() -> dict[str, Any]:
        with (
            patch.object(module, "bucket_store", lambda _: store),
            module.Index(BucketPath.parse("s3://made-up"), Path(file), ring=KeyRing(Path(keys))) as index,
        ):
            index.update()
            assert index.read_files == 0
            (rows,) = index._database.execute("SELECT count(*) FROM runs WHERE seal = 'intact'").fetchone()
            return {"rows": rows}

    timed(work)


def _query(folder: str, file: str) -> None:
    from ecr_widgets.audit.index import Index
    from ecr_widgets.audit.query import Query

    def work() -> dict[str, Any]:
        with Index(BucketPath.parse("s3://made-up"), Path(file)) as index:
            some = next(index.rows(Query(newest=1)))
            told = {}
            for name, query in {
                "newest": Query(newest=50),
                "service": Query(newest=50, service=_SERVICE.partition("/")[2]),
                "digest": Query(newest=50, digest=some.digests[0]),
            }.items():
                each_s = []
                for _ in range(5):
                    started_s = time.perf_counter()
                    assert list(index.rows(query))
                    each_s.append(time.perf_counter() - started_s)
                # The first query reads the index from the disk, or finds it in the page cache.
                told[name] = statistics.median(each_s)
            return told

    timed(work)


_ACTIONS: dict[str, Callable[..., None]] = {"ask": _ask, "index": _index, "query": _query}

if __name__ == "__main__":
    _ACTIONS[sys.argv[1]](*sys.argv[2:])
