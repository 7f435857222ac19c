"""An index of saved runs: a cache outside the runs folder, made only from the notebooks and their seals.

SQLite in WAL mode: readers are never blocked, and one updater works at a time. An update stats every file and looks only at
those whose stamp changed. If a seal in order has this stamp or these bytes, its row is used; every other notebook is parsed, many
of them in two processes. The notebooks remain the source of truth: the index can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from time import time_ns
from typing import NamedTuple

import msgspec

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.findings import Finding
from ecr_widgets.audit.folder_seals import FolderSeals
from ecr_widgets.audit.index_file import held, index_file, open_database, remove
from ecr_widgets.audit.judging import Judgement, Verdict, judge
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.query import Query
from ecr_widgets.audit.row import Row, RowLine, decode_row, encode_row, line_of, row_of
from ecr_widgets.audit.run import Found, NoRun, Run
from ecr_widgets.audit.run_files import FolderFiles, Part, RunFiles, StoreFiles, found_in, name_at, unread
from ecr_widgets.audit.scan import NEVER, RACY_NS, Stamp, shown_name
from ecr_widgets.audit.seal_book import Newest, SealBook
from ecr_widgets.audit.store_seals import StoreSeals
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.run_id import LEAST_PART

_BATCH = 1000
_WINDOWS_DAYS = (2, 8, 32, 128)
"""How far back to look for the newest runs in a bucket: each in turn, and then the whole bucket."""


class _Entry(NamedTuple):
    """What the tables hold about one notebook, ready to be written."""

    line: RowLine
    sha256: str | None
    """The file's hash, to compare with its seal; None if it cannot be read, is still running, or seals are not checked."""


_Due = tuple[str, Stamp, _Entry, Newest | None]
"""A notebook with its stamp, the entry to write, and its newest seal."""


class Index:
    """The index of one runs folder or bucket; use it as a context manager.

    Args:
        runs: The folder or bucket.

        file: Where the index is stored; None keeps it in memory.

        ring: The keys to check seals with; None ignores seals.

    """

    def __init__(self, runs: Place, file: Path | None, *, ring: KeyRing | None = None) -> None:
        self.runs = runs
        with ExitStack() as opened:
            if file is not None:
                opened.enter_context(held(file))
            self._database = opened.enter_context(closing(open_database(file)))
            self._opened = opened.pop_all()
        self._files, self._seals = _files_and_seals(runs, self._database, ring)
        self._youngest_ns = 0
        """The latest change time, in nanoseconds, whose stamp is trusted, as of when the files were listed."""
        self.read_files = 0
        """How many notebooks this object's updates have read."""

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        if self._seals is not None:
            self._seals.close()
        self._opened.close()

    def look_for(self, query: Query) -> None:
        """Update the index as far as the answer to a query needs: a folder completely, a bucket from some day on.

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
        """Update the index to what the folder or bucket currently holds.

        Args:
            since: In a bucket, the first day to read, by the names of the runs; None for all.

        Raises:
            InputError: The folder cannot be listed.
        """
        days: list[tuple[date, int]] = []
        last_number, self._youngest_ns = self._last_number(), time_ns() - RACY_NS
        with ThreadPoolExecutor(1) as beside:
            # Listing in parallel, because hashing a long chain takes most of the time and does not need the list.
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
        # Without a range the index of paths is not used: it would read all rows in a different order than they are stored.
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
            cached = known.pop(shown_name(path), None)
            if cached is None or cached[2:] != stamp:
                due.append((path, stamp))
        if not known and not due:
            return
        with self._write():
            # Numbers are never reused: rows that another update has written since the listing have higher ones.
            self._database.executemany(
                "DELETE FROM runs WHERE number = ?",
                [(number,) for _, number, *_ in known.values() if number <= last_number],
            )
        seals = self._seals and self._seals.state()
        with closing(self._entries(due)) as entries:
            while batch := list(islice(entries, _BATCH)):
                with self._write():
                    if self._seals is not None and self._seals.state() != seals:
                        # Another update has read newer seals, and marked their notebooks before this batch is written.
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
        """Invalidate everything: the next update reads every notebook and seal again.

        Rows stay until they are replaced, so that other readers miss no run meanwhile.
        """
        with self._write():
            self._database.execute("UPDATE runs SET changed_ns = ?, size = ?, inode = ?", NEVER)
            for name in ("keys", "chains", "seals", "sealed"):
                self._database.execute(f"DELETE FROM {name}")  # noqa: S608 -- ours

    def rows(self, query: Query = Query()) -> Iterator[Row]:  # noqa: B008 -- frozen
        """Yield the rows that match a query, newest start first; notebooks without a start come last."""
        where, values = query.to_sql()
        # In descending order NULL comes last.
        for found in self._database.execute(
            f"SELECT row, seal FROM runs {where} ORDER BY started_at DESC, path LIMIT :newest",  # noqa: S608
            values | {"newest": -1 if query.newest is None else query.newest},
        ):
            yield _row(*found)

    def adopted(self) -> tuple[frozenset[str], ...]:
        """Return all names of each service that a run adopted; tampered runs are ignored."""
        names: dict[int, set[str]] = {}
        for number, name in self._database.execute(
            "SELECT number, name FROM touched JOIN runs USING (number) WHERE kind = 'adopted' AND verdict != ?",
            (Verdict.TAMPERED.value,),
        ):
            names.setdefault(number, set()).add(name)
        return tuple(dict.fromkeys(map(frozenset, names.values())))

    def find(self, name: str) -> Row:
        """Return the run with this id, path (relative to the folder or to the current one), or unique beginning or part of an id.

        Raises:
            RecordError: No run matches, or several do.
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
        matching = [_row(*each) for each in rows]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise RecordError(
                f"{name!r} names several runs, such as {matching[0].path!r} and {matching[1].path!r}",
                hint="give the path",
            )
        raise RecordError(f"no run {name!r} in {str(self.runs)!r}", hint="see `ecr-widgets audit list`")

    def unlisted(self) -> tuple[Row, ...]:
        """Return a row for each subfolder that cannot be listed: runs in them are in no list."""
        # Only paths first: they have an index of their own, and there may be 100,000.
        paths = self._database.execute("SELECT path FROM runs WHERE path LIKE '%/' ORDER BY path").fetchall()
        return tuple(
            _row(*found)
            for path in paths
            for found in self._database.execute("SELECT row, seal FROM runs WHERE path = ?", path)
        )

    def ids_with(self, part: str) -> tuple[str, ...]:
        """Return up to three run ids that contain a part, which must have at least four characters."""
        rows = self._database.execute(
            "SELECT DISTINCT run_id FROM runs WHERE instr(run_id, :part) AND length(:part) >= :least"
            " ORDER BY run_id LIMIT 3",
            {"part": shown_name(part), "least": LEAST_PART},
        )
        return tuple(run_id for (run_id,) in rows)

    def _at(self, name: str) -> list[tuple[bytes, str | None]]:
        below = name_at(self.runs, name)
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
        last = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
        return last[0] if last else 0

    def _sealed(self, path: str, newest: Newest | None, entry: _Entry) -> tuple[str | None, _Entry]:
        """Return what the notebook's seal says about it, and the entry, marked as tampered if the run was changed."""
        if self._seals is None or entry.sha256 is None:
            return None, entry
        finding, what = self._seals.finding(path, newest, entry.sha256)
        if finding is Finding.UNSEALED and entry.line.state is None:
            return None, entry  # not a run, and it never was one
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
    """Reads notebooks, in any process or thread."""

    files: RunFiles
    with_hash: bool

    def read(self, asked: tuple[str, str | None]) -> _Entry | None:
        """Return the entry of a notebook; None if its hash is the sealed one."""
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
        # A held run has not ended. A file that was sealed as a run and no longer is one was changed, too.
        return _entry(found, None if isinstance(found, Run) and found.held else sha256)


def _entry(found: Found, sha256: str | None) -> _Entry:
    return _Entry(line_of(*row_of(found, judge(found)), NEVER), sha256)


def _row(row: bytes, seal: str | None) -> Row:
    return msgspec.structs.replace(decode_row(row), seal=seal)


def open_index(
    runs: Place,
    *,
    rebuild: bool = False,
    ring: KeyRing | None = None,
    query: Query = Query(),  # noqa: B008 -- frozen
) -> Index:
    """Open the up-to-date index of a runs folder or bucket, with the findings on seals; in memory if it cannot be kept on disk.

    Args:
        rebuild: Whether to read every notebook again.

        ring: The keys to check seals with; by default the user's own.

        query: The only query that will be made: a bucket is read no further than it needs.

    Raises:
        InputError: The folder cannot be listed.
    """
    file, ring = index_file(runs), ring or default_ring()
    broken = (sqlite3.Error, OSError, msgspec.MsgspecError)
    try:
        return _updated(Index(runs, file, ring=ring), query, rebuild=rebuild)
    except broken:
        # A broken index loses nothing, and an unwritable cache folder only costs time.
        try:
            remove(file)
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
