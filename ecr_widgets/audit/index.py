"""An index of saved runs: a cache outside the runs folder that is made from the notebooks alone, at any time.

SQLite in WAL mode: readers are never blocked, and one updater works at a time. An update stats every file and reads only
those whose stamp changed, many of them in two processes. The notebooks stay the truth: delete the index whenever you like.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from ecr_widgets.audit.found import Found, NoRun
from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.audit.query import Query
from ecr_widgets.audit.reading import read_file
from ecr_widgets.audit.row import Row, row_of
from ecr_widgets.audit.scan import NEVER, Stamp, scan, shown_name
from ecr_widgets.audit.spread import spread
from ecr_widgets.errors import RecordError

_VERSION = 3
"""Of the tables and of all rules behind a row; another number than the file's means that all is read again."""
_BATCH = 1000
_RACY_NS = 50_000_000
"""A file this young may change once more within the clock's own grain, so it is read again next time."""
_TABLES = """
CREATE TABLE runs (
  number INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, changed_ns INTEGER NOT NULL, size INTEGER NOT NULL,
  inode INTEGER NOT NULL, verdict TEXT NOT NULL, state TEXT, runbook TEXT, run_id TEXT, started_at TEXT, row BLOB NOT NULL
);
CREATE INDEX runs_by_start ON runs (started_at);
CREATE INDEX runs_by_id ON runs (run_id);
CREATE TABLE touched (
  kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, name, number)
) WITHOUT ROWID;
CREATE INDEX touched_by_run ON touched (number);
"""


class _Entry(NamedTuple):
    """What the tables hold of one notebook, ready to be written."""

    verdict: str
    state: str | None
    runbook: str | None
    run_id: str | None
    started_at: str | None
    row: bytes
    touched: frozenset[tuple[str, str]]


class Index:
    """The index of one runs folder; use as a context manager.

    Args:
        runs: The folder.

        file: Where the index is; None keeps it in memory.
    """

    def __init__(self, runs: Path, file: Path | None) -> None:
        self.runs = runs
        self._database = _open(file)
        self.read_files = 0
        """How many notebooks updates through this object have read."""

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def update(self) -> None:
        """Bring the index to what the folder holds now.

        Raises:
            InputError: The folder cannot be listed.
        """
        known = {
            path: (number, Stamp(changed_ns, size, inode))
            for number, path, changed_ns, size, inode in self._database.execute(
                "SELECT number, path, changed_ns, size, inode FROM runs"
            )
        }
        due = []
        for path, stamp in scan(self.runs):
            standing = known.pop(shown_name(path), None)
            if standing is None or standing[1] != stamp:
                due.append((path, stamp))
        if not known and not due:
            return
        with self._write():
            for number, _ in known.values():
                self._forget(number)
        with closing(spread(partial(_read, self.runs), [path for path, _ in due])) as entries:
            told = zip(due, entries, strict=True)
            while batch := list(islice(told, _BATCH)):
                self.read_files += len(batch)
                with self._write():
                    for (path, stamp), entry in batch:
                        self._store(shown_name(path), stamp, entry)

    def rows(self, query: Query = Query()) -> Iterator[Row]:  # noqa: B008 -- frozen
        """Rows that a query asks for, newest start first; notebooks without a start come last."""
        where, values = query.to_sql()
        for (row,) in self._database.execute(
            f"SELECT row FROM runs {where} ORDER BY started_at IS NULL, started_at DESC, path",  # noqa: S608
            values,
        ):
            yield _decode_row(row)

    def find(self, name: str) -> Row:
        """The run of that id, path, or unique beginning of an id.

        Raises:
            RecordError: None or several.
        """
        name = shown_name(name)
        rows = self._database.execute(
            "SELECT row FROM runs WHERE run_id = :name OR path = :name ORDER BY path LIMIT 2", {"name": name}
        ).fetchall()
        rows = (
            rows
            or self._database.execute(
                "SELECT row FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY path LIMIT 2",
                (name, name + "\U0010ffff"),
            ).fetchall()
        )
        found = [_decode_row(row) for (row,) in rows]
        if len(found) == 1:
            return found[0]
        if found:
            raise RecordError(
                f"{name!r} names several runs, such as {found[0].path!r} and {found[1].path!r}",
                hint="give the path",
            )
        raise RecordError(f"no run {name!r} in {str(self.runs)!r}", hint="see `ecr-widgets audit list`")

    def _store(self, path: str, stamp: Stamp, entry: _Entry) -> None:
        standing = self._database.execute("SELECT number FROM runs WHERE path = ?", (path,)).fetchone()
        if standing:
            self._forget(standing[0])
        young = time.time_ns() - stamp.changed_ns < _RACY_NS
        if young or entry.verdict == Verdict.RUNNING:
            stamp = NEVER
        done = self._database.execute(
            "INSERT INTO runs (path, changed_ns, size, inode, verdict, state, runbook, run_id, started_at, row)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (path, *stamp, *entry[:-1]),
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO touched (kind, name, number) VALUES (?, ?, ?)",
            ((kind, name, done.lastrowid) for kind, name in entry.touched),
        )

    def _forget(self, number: int) -> None:
        self._database.execute("DELETE FROM runs WHERE number = ?", (number,))
        self._database.execute("DELETE FROM touched WHERE number = ?", (number,))

    @contextmanager
    def _write(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _read(runs: Path, path: str) -> _Entry:
    try:
        return _entry(read_file(runs / path, shown_name(path)))
    except Exception as error:  # noqa: BLE001 -- one file must not stop the audit of all others, whatever is in it
        why = f"cannot be judged: {type(error).__name__} {str(error)[:200]}"
        return _entry(NoRun(shown_name(path), "unreadable", why))


def _entry(found: Found) -> _Entry:
    row, pairs = row_of(found, judge(found))
    return _Entry(row.verdict, row.state, row.runbook, row.run_id, row.started_at, _encode_row(row), pairs)


def index_file(runs: Path) -> Path:
    """Where the index of a runs folder is kept: in the user's cache folder (XDG_CACHE_HOME)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode(runs.resolve())).hexdigest()[:24]
    return cache / "ecr-widgets" / "audit" / f"{name}.sqlite"


def open_index(runs: Path, *, rebuild: bool = False) -> Index:
    """The index of a runs folder, up to date; one that cannot be kept on disk is made in memory.

    Raises:
        InputError: The folder cannot be listed.
    """
    file = index_file(runs)
    try:
        if rebuild:
            _remove(file)
        index = Index(runs, file)
        index.update()
    except (sqlite3.Error, OSError, msgspec.MsgspecError):
        # A broken index is no loss, and a folder that cannot be written only costs time.
        try:
            _remove(file)
            index = Index(runs, file)
            index.update()
        except (sqlite3.Error, OSError):
            index = Index(runs, None)
            index.update()
    return index


_encode_row = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(Row).decode


def _open(file: Path | None) -> sqlite3.Connection:
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = sqlite3.connect(file or ":memory:", timeout=30, isolation_level=None)
    try:
        if file is not None:
            file.chmod(0o600)
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        _make_tables(database)
    except BaseException:
        database.close()
        raise
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    # Another process may have made them while this one waited.
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        for name in ("runs", "touched"):
            database.execute(f"DROP TABLE IF EXISTS {name}")
        for statement in _TABLES.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")


def _remove(file: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
