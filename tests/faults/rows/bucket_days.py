"""Part M: the seals of a bucket's closed days, each day in one file."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from unittest.mock import patch

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.audit.day_files import compact
from ecr_widgets.audit.index import Index
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.sealing import seal_finished_run
from ecr_widgets.audit.store_seals import StoreSeals
from ecr_widgets.model.bucket_path import BucketPath
from tests.audit.runs import recorded
from tests.buckets import shared_seaweed
from tests.faults import forked
from tests.faults.plan import Attempt, row
from tests.hosts import BIN, environ_of


def compacted(at: Attempt, *, behind: bool = True) -> None:
    """Closed days are compacted by two hosts, one of them killed; a file is torn or forged, and a seal comes late."""
    place, clock = shared_seaweed().new_place(), [datetime(2026, 11, 20, 12, tzinfo=UTC)]
    environ = environ_of(at.folder / "home", shared_seaweed().environ)
    with patch.dict(os.environ, environ), patch.object(S3Store, "now", lambda self: clock[0]):
        store = bucket_store(place)
        for number in range(4):
            seal_one(place, number)
            clock[0] += timedelta(hours=12)
        clock[0] += timedelta(days=1)
        with ThreadPoolExecutor(2) as pool:
            killed = pool.submit(compact_and_be_killed, environ, place, at.rng.uniform(0.02, 1))
            for _ in compact(store):
                pass
            killed.result()
        names = list(store.names(prefix="rows/"))
        assert len(names) == 3, names
        name = at.rng.choice(names)
        stored = store.read(name)
        assert stored is not None
        if at.rng.random() < 0.7:
            other = store.read(at.rng.choice(names))
            assert other is not None
            cut = stored.content[: at.rng.randrange(len(stored.content))]
            store.put(name, at.rng.choice((cut, other.content)), replacing=stored.stamp)
        # Of a host that asked for the time before midnight.
        clock[0], now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC), clock[0]
        seal_one(place, 9)
        clock[0] = now
        with ExitStack() as stack:
            if not behind:
                stack.enter_context(patch.object(StoreSeals, "_behind", lambda *_: []))
            with Index(place, None, ring=default_ring()) as index:
                index.update()
                listed = {row.path: row.seal for row in index.rows()}
    assert listed == {f"run-{number}.ipynb": "intact" for number in (0, 1, 2, 3, 9)}, listed


def seal_one(place: BucketPath, number: int) -> None:
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["run_id"] = f"20261120T120000Z-{number:06}"
    path = place / f"run-{number}.ipynb"
    bucket_store(place).put(path.name, json.dumps(notebook).encode(), replacing=None)
    why_not = seal_finished_run(path)
    assert why_not is None, why_not


def compact_and_be_killed(environ: dict[str, str], place: BucketPath, after_s: float) -> None:
    words = [BIN / "ecr-widgets", "audit", "compact", "--runs", str(place)]
    process = forked.start(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    process.wait()


@row(
    117,
    "S3: days are compacted by two hosts, one is killed; a day's file is torn or another day's; a seal is late: all runs are listed",
    tries=50,
    quick=1,
    control=partial(compacted, behind=False),
)
def listed_from_days(at: Attempt) -> None:
    """Each as it was sealed; the control looks for no seal behind a day's file."""
    compacted(at)
