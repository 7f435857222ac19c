"""An index of saved runs: a cache outside the runs folder that is made from the notebooks and their seals alone, at any time.

SQLite in WAL mode: readers are never blocked, and one updater works at a time. An update stats every file and looks only at
those whose stamp changed: what a seal in order says of just this stamp is taken for it, what it says of just these bytes too,
and every other notebook is read, many of them in two processes. The notebooks stay the truth: delete the index whenever you like.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import sqlite3
import stat
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from time import time_ns
from typing import NamedTuple

import msgspec

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.folder_seals import FolderSeals
from ecr_widgets.audit.judging import Judgement, Verdict, judge
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.query import Query
from ecr_widgets.audit.row import MADE_BY, Row, RowLine, decode_row, encode_row, line_of, row_of
from ecr_widgets.audit.run import Found, NoRun, Run
from ecr_widgets.audit.run_files import FolderFiles, Part, RunFiles, StoreFiles, found_in, unread
from ecr_widgets.audit.scan import NEVER, RACY_NS, Stamp, shown_name
from ecr_widgets.audit.seal_book import TABLES, Newest, SealBook
from ecr_widgets.audit.store_seals import StoreSeals
from ecr_widgets.audit.verify import Finding
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.run_id import LEAST_PART
from ecr_widgets.model.user_folders import cache_folder

_VERSION = 100 * MADE_BY + 18
"""Of the tables and of all rules behind a row; another number than the file's means that all is read again."""
_BATCH = 1000
_WINDOWS_DAYS = (2, 8, 32, 128)
"""How far back the newest runs are looked for in a bucket, one after the other, before in all of it."""
_TABLES = """
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, changed_ns INTEGER NOT NULL,
  size INTEGER NOT NULL, inode INTEGER NOT NULL, verdict TEXT NOT NULL, state TEXT, runbook TEXT, run_id TEXT,
  started_at TEXT, row BLOB NOT NULL, seal TEXT
);
CREATE INDEX runs_by_start ON runs (started_at DESC, path);
CREATE INDEX runs_by_id ON runs (run_id);
CREATE TABLE touched (
  kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, started_at TEXT,
  PRIMARY KEY (kind, name, number)
) WITHOUT ROWID;
CREATE INDEX touched_by_run ON touched (number);
CREATE TRIGGER forgotten AFTER DELETE ON runs BEGIN DELETE FROM touched WHERE number = old.number; END;
"""


class _Entry(NamedTuple):
    """What the tables hold of one notebook, ready to be written."""

    line: RowLine
    sha256: str | None
    """Of the file, where it is a finished run; None where it is none, or where nobody asks for seals."""


_Due = tuple[str, Stamp, _Entry, Newest | None]
"""A notebook with what is to be written of it, and its newest seal."""


class Index:
    """The index of one runs folder; use as a context manager.

    Args:
        runs: The folder.

        file: Where the index is; None keeps it in memory.

        ring: The keys to check seals with; None leaves seals alone.

    """

    def __init__(self, runs: Place, file: Path | None, *, ring: KeyRing | None = None) -> None:
        self.runs = runs
        with ExitStack() as opened:
            if file is not None:
                opened.enter_context(_held(file))
            self._database = opened.enter_context(closing(_open(file)))
            self._opened = opened.pop_all()
        self._files, self._seals = _files_and_seals(runs, self._database, ring)
        self._youngest_ns = 0
        """Of the files whose stamps are believed, as of when they were listed."""
        self.read_files = 0
        """How many notebooks updates through this object have read."""

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        if self._seals is not None:
            self._seals.close()
        self._opened.close()

    def look_for(self, query: Query) -> None:
        """Bring the index as far up to date as the answer to a query needs: a folder wholly, a bucket from some day on.

        Raises:
            InputError: The runs cannot be listed.
        """
        since = None if query.since is None else query.since.astimezone(UTC)
        for days in _WINDOWS_DAYS if query.newest is not None and isinstance(self.runs, BucketPath) else ():
            first = datetime.combine(datetime.now(UTC) - timedelta(days=days), time(), UTC)
            if since is not None and first <= since:
                break
            self.update(first.date())
            if len(list(self.rows(replace(query, since=first)))) == query.newest:
                return
        self.update(None if since is None else since.date())

    def update(self, since: date | None = None) -> None:
        """Bring the index to what the folder holds now.

        Args:
            since: In a bucket, the first day to look at, by the names of the runs; None for all.

        Raises:
            InputError: The folder cannot be listed.
        """
        days: list[tuple[date, int]] = []
        last_number, self._youngest_ns = self._last_number(), time_ns() - RACY_NS
        with ThreadPoolExecutor(1) as beside:
            # Most of the work on a long chain is to hash it, which needs no second look at anything listed meanwhile.
            listing = beside.submit(self._files.list_whole)
            if self._seals is not None:
                with self._write():
                    self._seals.update(since)
                days = list(self._seals.days())
        if (notebooks := listing.result()) is not None:
            self._update_part(Part("", None, notebooks), last_number)
            return
        with closing(self._files.parts(since=since, days=days)) as parts:
            for part in parts:
                self._update_part(part, last_number)

    def _update_part(self, part: Part, last_number: int) -> None:
        # By the index of paths all rows would be read in another order than they are kept in.
        within = "" if part.is_whole else "WHERE path >= :first AND (:end IS NULL OR path < :end)"
        known = {
            row[0]: row
            for row in self._database.execute(
                f"SELECT path, number, changed_ns, size, inode FROM runs {within}",  # noqa: S608 -- ours
                {"first": part.first, "end": part.end},
            )
        }
        due = []
        for path, stamp in part.notebooks:
            standing = known.pop(shown_name(path), None)
            if standing is None or standing[2:] != stamp:
                due.append((path, stamp))
        if not known and not due:
            return
        with self._write():
            # No number is given twice: what another update has written since these were listed has a higher one.
            self._database.executemany(
                "DELETE FROM runs WHERE number = ?",
                [(number,) for _, number, *_ in known.values() if number <= last_number],
            )
        seals = self._seals and self._seals.state()
        with closing(self._entries(due)) as entries:
            while batch := list(islice(entries, _BATCH)):
                with self._write():
                    if self._seals is not None and self._seals.state() != seals:
                        # Another update has read newer ones, and marked their notebooks before these are written.
                        newest = self._seals.newest_of([path for path, *_ in batch])
                        batch = [(*each[:3], newest.get(each[0])) for each in batch]
                    self._store(batch)

    def _entries(self, due: list[tuple[str, Stamp]]) -> Generator[_Due, None, None]:
        unlike: list[tuple[str, Stamp, _Entry | None, Newest | None]] = []
        sought = iter(due)
        while some := list(islice(sought, _BATCH)):
            newest = self._seals.newest_of([shown_name(name) for name, _ in some]) if self._seals else {}
            for name, stamp in some:
                path = shown_name(name)
                seal = newest.get(path)
                sealed = None if seal is None or self._seals is None else self._seals.row(path, seal)
                entry = None if seal is None or sealed is None else _Entry(sealed, seal.file_sha256)
                if entry is not None and entry.line.stamp == stamp:
                    yield path, stamp, entry, seal
                else:
                    unlike.append((name, stamp, entry, seal))
        self.read_files += len(unlike)
        reader = _Reader(self._files, with_hash=self._seals is not None)
        asked = [(name, as_sealed and as_sealed.sha256) for name, _, as_sealed, _ in unlike]
        with closing(self._files.each(reader.read, asked)) as read:
            for (name, stamp, as_sealed, seal), changed in zip(unlike, read, strict=True):
                entry = as_sealed if changed is None else changed
                assert entry is not None
                yield shown_name(name), stamp, entry, seal

    def forget(self) -> None:
        """Believe nothing that it holds: the next update reads every notebook and seal again.

        Rows stay until they are replaced, so that others who look meanwhile miss no run.
        """
        with self._write():
            self._database.execute("UPDATE runs SET changed_ns = ?, size = ?, inode = ?", NEVER)
            for name in ("keys", "chains", "seals", "sealed"):
                self._database.execute(f"DELETE FROM {name}")  # noqa: S608 -- ours

    def rows(self, query: Query = Query()) -> Iterator[Row]:  # noqa: B008 -- frozen
        """Rows that a query asks for, newest start first; notebooks without a start come last."""
        where, values = query.to_sql()
        # In this order, NULL is the last of all.
        for found in self._database.execute(
            f"SELECT row, seal FROM runs {where} ORDER BY started_at DESC, path LIMIT :newest",  # noqa: S608
            values | {"newest": -1 if query.newest is None else query.newest},
        ):
            yield _row(*found)

    def adopted(self) -> tuple[frozenset[str], ...]:
        """All names of each service that a run adopted; what was changed since it was sealed adopts none."""
        names: dict[int, set[str]] = {}
        for number, name in self._database.execute(
            "SELECT number, name FROM touched JOIN runs USING (number) WHERE kind = 'adopted' AND verdict != ?",
            (Verdict.TAMPERED.value,),
        ):
            names.setdefault(number, set()).add(name)
        return tuple(dict.fromkeys(map(frozenset, names.values())))

    def find(self, name: str) -> Row:
        """The run of that id, path below the folder or anywhere, unique beginning or other part of an id.

        Raises:
            RecordError: None or several.
        """
        name = shown_name(name)
        rows = self._database.execute(
            "SELECT row, seal FROM runs WHERE run_id = :name OR path = :name ORDER BY path LIMIT 2",
            {"name": name},
        ).fetchall()
        rows = (
            rows
            or self._at(name)
            or self._database.execute(
                "SELECT row, seal FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY path LIMIT 2",
                (name, name + "\U0010ffff"),
            ).fetchall()
            or self._database.execute(
                "SELECT row, seal FROM runs WHERE instr(run_id, :part) AND length(:part) >= :least ORDER BY path LIMIT 2",
                {"part": name, "least": LEAST_PART},
            ).fetchall()
        )
        found = [_row(*each) for each in rows]
        if len(found) == 1:
            return found[0]
        if found:
            raise RecordError(
                f"{name!r} names several runs, such as {found[0].path!r} and {found[1].path!r}",
                hint="give the path",
            )
        raise RecordError(f"no run {name!r} in {str(self.runs)!r}", hint="see `ecr-widgets audit list`")

    def ids_with(self, part: str) -> tuple[str, ...]:
        """Up to three ids of runs that a part is of, which has at least four letters."""
        found = self._database.execute(
            "SELECT DISTINCT run_id FROM runs WHERE instr(run_id, :part) AND length(:part) >= :least"
            " ORDER BY run_id LIMIT 3",
            {"part": shown_name(part), "least": LEAST_PART},
        )
        return tuple(run_id for (run_id,) in found)

    def _at(self, name: str) -> list[tuple[bytes, str | None]]:
        """The run at an address, or at a path as a shell completes it, from where one stands."""
        if not isinstance(self.runs, Path):
            below = name.removeprefix(f"{self.runs}/")
        else:
            try:
                below = str(Path(name).resolve().relative_to(self.runs.resolve()))
            except (ValueError, OSError):
                return []
        return self._database.execute("SELECT row, seal FROM runs WHERE path = ?", (below,)).fetchall()

    def _store(self, batch: list[_Due]) -> None:
        number = self._last_number()
        runs, names = [], []
        for path, stamp, read, newest in batch:
            number += 1
            seal, entry = self._sealed(path, newest, read)
            is_kept = stamp.changed_ns <= self._youngest_ns and entry.line.verdict != Verdict.RUNNING
            runs.append((number, path, *(stamp if is_kept else NEVER), *entry.line[:-2], seal))
            names += [(kind, name, number, entry.line.started_at) for kind, name in entry.line.touched]
        self._database.executemany(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", runs
        )
        self._database.executemany("INSERT OR IGNORE INTO touched VALUES (?, ?, ?, ?)", names)

    def _last_number(self) -> int:
        told = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
        return told[0] if told else 0

    def _sealed(self, path: str, newest: Newest | None, entry: _Entry) -> tuple[str | None, _Entry]:
        """What the notebook's seal says of it, and the entry, which is of a tampered run where that is a change."""
        if self._seals is None or entry.sha256 is None:
            return None, entry
        finding, what = self._seals.finding(path, newest, entry.sha256)
        if finding is Finding.UNSEALED and entry.line.state is None:
            return None, entry  # no run, and never was one
        if finding not in (Finding.CHANGED, Finding.BROKEN_SEAL, Finding.RESEALED):
            return finding, entry
        row = msgspec.structs.replace(
            decode_row(entry.line.row),
            verdict=Verdict.TAMPERED.value,
            why=Judgement(Verdict.TAMPERED, what).why,
        )
        return finding, entry._replace(line=entry.line._replace(verdict=row.verdict, row=encode_row(row)))

    @contextmanager
    def _write(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _files_and_seals(
    runs: Place, database: sqlite3.Connection, ring: KeyRing | None
) -> tuple[RunFiles, SealBook | None]:
    if isinstance(runs, Path):
        folder = FolderFiles(runs)
        return folder, None if ring is None else FolderSeals(database, folder, ring)
    bucket = StoreFiles(bucket_store(runs))
    return bucket, None if ring is None else StoreSeals(database, bucket, ring)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads notebooks, in whatever process or thread."""

    files: RunFiles
    with_hash: bool

    def read(self, asked: tuple[str, str | None]) -> _Entry | None:
        """The entry of a notebook; None where its hash is the one that goes with its name."""
        name, sealed_sha256 = asked
        try:
            return self._read(name, sealed_sha256)
        except Exception as error:  # noqa: BLE001 -- one file must not stop the audit of all others, whatever is in it
            why = f"cannot be judged: {type(error).__name__} {str(error)[:200]}"
            return _entry(NoRun(shown_name(name), "unreadable", why), None)

    def _read(self, name: str, sealed_sha256: str | None) -> _Entry | None:
        try:
            content = self.files.read(name)
        except (OSError, ValueError) as error:
            return _entry(unread(name, error), None)
        sha256 = hashlib.sha256(content).hexdigest() if self.with_hash else None
        if sha256 is not None and sha256 == sealed_sha256:
            return None
        found = found_in(self.files, name, content)
        # One that is held is not over yet. A file that was sealed as a run and is none any more was changed, too.
        return _entry(found, None if isinstance(found, Run) and found.held else sha256)


def _entry(found: Found, sha256: str | None) -> _Entry:
    return _Entry(line_of(*row_of(found, judge(found)), NEVER), sha256)


def _row(row: bytes, seal: str | None) -> Row:
    return msgspec.structs.replace(decode_row(row), seal=seal)


def index_file(runs: Place) -> Path:
    """Where the index of a place of runs is kept: in the user's cache folder (XDG_CACHE_HOME)."""
    place = str(runs).encode() if isinstance(runs, BucketPath) else os.fsencode(runs.resolve())
    name = hashlib.sha256(place).hexdigest()[:24]
    return cache_folder() / "audit" / f"{name}.sqlite"


def open_index(
    runs: Place,
    *,
    rebuild: bool = False,
    ring: KeyRing | None = None,
    query: Query = Query(),  # noqa: B008 -- frozen
) -> Index:
    """The index of a runs folder, up to date, with what the seals say; one that cannot be kept on disk is made in memory.

    Args:
        rebuild: Whether every notebook is read again.

        ring: The keys to check seals with; by default the user's own.

        query: All that it will be asked: a bucket is looked at for no more than that.

    Raises:
        InputError: The folder cannot be listed.
    """
    file, ring = index_file(runs), ring or default_ring()
    broken = (sqlite3.Error, OSError, msgspec.MsgspecError)
    try:
        return _updated(Index(runs, file, ring=ring), query, rebuild=rebuild)
    except broken:
        # A broken index is no loss, and a folder that cannot be written only costs time.
        try:
            _remove(file)
            return _updated(Index(runs, file, ring=ring), query)
        except broken:
            return _updated(Index(runs, None, ring=ring), query)


def _updated(index: Index, query: Query, *, rebuild: bool = False) -> Index:
    try:
        if rebuild:
            index.forget()
        index.look_for(query)
    except BaseException:
        index.__exit__()
        raise
    return index


@contextmanager
def _held(file: Path, operation: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Have the index's files stay where they are; who removes them holds it alone."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_own(file)
    handle = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, operation)
        yield
    finally:
        os.close(handle)


def _check_own(file: Path) -> None:
    """Refuse an index that another user may have written: it would say of runs whatever they like.

    Raises:
        PermissionError: It is one, or may become one.
    """
    for path, others in ((file.parent, 0o022), (file, 0)):
        with suppress(FileNotFoundError):
            found = path.lstat()
            if found.st_uid != os.geteuid() or found.st_mode & others or stat.S_ISLNK(found.st_mode):
                raise PermissionError(errno.EPERM, "not this user's alone", str(path))


def _open(file: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(file or ":memory:", timeout=30, isolation_level=None)
    try:
        if file is not None:
            file.chmod(0o600)
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        # For the trigger, where a row is replaced.
        database.execute("PRAGMA recursive_triggers = ON")
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
        for name in ("runs", "touched", "keys", "chains", "seals", "sealed"):
            database.execute(f"DROP TABLE IF EXISTS {name}")
        for statement in (_TABLES + TABLES).split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")


def _remove(file: Path) -> None:
    """Remove a broken index.

    Raises:
        OSError: It cannot be removed, or somebody else has it open: under them it must not go.
    """
    with _held(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
