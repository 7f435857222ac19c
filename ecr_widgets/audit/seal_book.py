"""The newest seal of each notebook, kept in the index: a list needs it to find tampered runs without reading all seals.

If a seal is in order, the row that it signs is used, and the notebook is only opened if its stamp has changed.
Whether whole chains are in order, and which sealed runs are missing, only `verify` reports.
"""

from __future__ import annotations

import hashlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import NamedTuple

import msgspec

from ecr_widgets.audit.chain_check import Trouble
from ecr_widgets.audit.findings import Finding, check_content
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.resealing import other_signer, resealed, sealed_run
from ecr_widgets.audit.row import RowLine, read_row
from ecr_widgets.audit.run_files import RunFiles
from ecr_widgets.audit.scan import NEVER
from ecr_widgets.audit.seal import Link, Seal, links_in
from ecr_widgets.model.record import RunState

TABLES = """
CREATE TABLE keys (sha256 TEXT NOT NULL);
CREATE TABLE chains (
  prefix TEXT PRIMARY KEY, changed_ns INTEGER NOT NULL, size INTEGER NOT NULL, inode INTEGER NOT NULL,
  end INTEGER NOT NULL, sha256 TEXT NOT NULL, past BLOB NOT NULL
);
CREATE TABLE seals (
  path TEXT NOT NULL, prefix TEXT NOT NULL, run_id TEXT, overwritten INTEGER NOT NULL, file_sha256 TEXT NOT NULL,
  forged TEXT, unknown_key INTEGER NOT NULL, place INTEGER NOT NULL, signer TEXT NOT NULL,
  at INTEGER NOT NULL, sha256 TEXT NOT NULL, row_sha256 TEXT, run TEXT, PRIMARY KEY (path, prefix)
) WITHOUT ROWID;
CREATE TABLE sealed (
  run_id TEXT NOT NULL, prefix TEXT NOT NULL, place INTEGER NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL,
  sha256 TEXT NOT NULL
);
CREATE INDEX sealed_by_run ON sealed (run_id);
CREATE TABLE retired (
  path TEXT NOT NULL, prefix TEXT NOT NULL, place INTEGER NOT NULL, signer TEXT NOT NULL, sealed_at TEXT NOT NULL,
  PRIMARY KEY (path, prefix, place)
) WITHOUT ROWID;
"""
_MARK = f"UPDATE runs SET (changed_ns, size, inode) = {tuple(NEVER)} WHERE path"  # noqa: S608 -- ours, as the others
"""Marks notebooks that must be read again."""
MARK_ONE = f"{_MARK} = ?"
_MARK_OF_RUN = f"{_MARK} IN (SELECT path FROM sealed WHERE run_id = ?)"  # noqa: S608
_MARK_CHAIN = f"{_MARK} IN (SELECT path FROM seals WHERE prefix = ?)"  # noqa: S608
_NOTE = """
INSERT INTO seals VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  overwritten = overwritten OR (run_id IS NOT NULL AND run_id IS NOT excluded.run_id),
  run_id = excluded.run_id, file_sha256 = excluded.file_sha256, forged = excluded.forged,
  unknown_key = excluded.unknown_key, place = excluded.place, signer = excluded.signer, at = excluded.at,
  sha256 = excluded.sha256, row_sha256 = excluded.row_sha256, run = excluded.run
"""


class Newest(NamedTuple):
    """The newest seal of a notebook, as in the table `seals`."""

    at: int
    """Where its lines begin in its chain: in a folder in bytes, in a bucket its number on its day."""
    sha256: str
    prefix: str
    place: int
    file_sha256: str
    row_sha256: str | None
    overwritten: int
    forged: str | None
    """Why it is not valid."""
    unknown_key: int
    run_id: str | None
    """None also if the run was retired."""
    run: str | None
    """The run whose other seals it is compared with; None for a forged seal, and for one without a run."""
    signer: str
    seals: int
    """How many seals the run has, in all chains."""

    def after(self, outer: Newest | None) -> Newest:
        """Return this seal, marked as overwritten if an outer or earlier chain sealed another run under the name."""
        # Its run_id is None if the run was retired there.
        if outer is not None and (outer.overwritten or outer.run_id not in (None, self.run_id)):
            return self._replace(overwritten=1)
        return self


_NEWEST = f"{', '.join(Newest._fields[:-1])}, (SELECT count(*) FROM sealed WHERE sealed.run_id = run)"  # noqa: S608 -- ours


class Whereabouts(NamedTuple):
    """Where to find a seal: the first members of `Newest`."""

    at: int
    sha256: str
    prefix: str
    place: int


class Noted(NamedTuple):
    """One seal that was read."""

    seal: Seal
    sha256: str
    forged: str | None
    unknown_key: bool
    run: str | None
    is_in_order: bool
    place: int
    at: int


class SealBook(ABC):
    """The seals of one folder or bucket; `update` is called within a transaction of the index."""

    def __init__(self, database: sqlite3.Connection, files: RunFiles, ring: KeyRing) -> None:
        self._database = database
        self._files = files
        self._ring = ring
        self._has_runs = False

    def update(self, since: date | None = None) -> None:
        """Read new seals, and mark notebooks with a new newest seal to be read again.

        Args:
            since: The first day to read, if each chain is one day; None for all.
        """
        self.close()
        self._has_runs = self._database.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None
        keys = self._ring.known()
        mark = hashlib.sha256(msgspec.json.encode(sorted(keys.values(), key=lambda key: key.key))).hexdigest()
        if self._database.execute("SELECT sha256 FROM keys").fetchall() != [(mark,)]:
            self._database.execute("DELETE FROM keys")
            self._database.execute("INSERT INTO keys VALUES (?)", (mark,))
            for (prefix,) in self._database.execute("SELECT prefix FROM chains").fetchall():
                self._forget(prefix)
        self._read_new(keys, since)

    @abstractmethod
    def days(self) -> Iterator[tuple[date, int]]:
        """If each chain is one day, yield each known day with its number of seals."""

    @abstractmethod
    def _read_new(self, keys: Mapping[str, KeyFile], since: date | None) -> None:
        """Note the seals that are new."""

    @abstractmethod
    def _fresh_row(self, place: Newest) -> bytes | None:
        """The row in front of a seal, if it was just read; else None."""

    @abstractmethod
    def _lines(self, place: Whereabouts | Newest) -> tuple[bytes, bytes]:
        """The two lines that begin at a place in a chain.

        Raises:
            OSError: They cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what the last `update` kept open or in memory."""

    def newest_of(self, paths: Collection[str]) -> dict[str, Newest]:
        """The newest seal of each notebook that has one."""
        by_path: dict[str, Newest] = {}
        for path, newest in self._newest_by_chain(paths):
            # The chain nearest to a file decides.
            by_path[path] = newest.after(by_path.get(path))
        return by_path

    def _newest_by_chain(self, paths: Collection[str]) -> Iterator[tuple[str, Newest]]:
        rows = self._database.execute(
            f"SELECT path, {_NEWEST} FROM seals WHERE path IN ({marks_of(paths)})"  # noqa: S608 -- ours
            " ORDER BY length(prefix), prefix",
            (*paths,),
        )
        return ((path, Newest(*members)) for path, *members in rows)

    def state(self) -> object:
        """The state of all chains when any process last read them, for comparison."""
        return self._database.execute("SELECT prefix, end, sha256 FROM chains ORDER BY prefix").fetchall()

    def row(self, path: str, newest: Newest) -> RowLine | None:
        """The row that a notebook's seal signs; None if the seal is not in order or has no usable row."""
        if newest.forged is not None or newest.unknown_key or newest.row_sha256 is None:
            return None
        line = self._fresh_row(newest)
        if line is None:
            try:
                line = self._lines(newest)[0].removesuffix(b"\n")
            except OSError:
                return None
        # Only its hash proves it: the chain may have changed meanwhile.
        sealed = read_row(line, path) if hashlib.sha256(line).hexdigest() == newest.row_sha256 else None
        # A run that was killed may be resumed at any time.
        return None if sealed is None or sealed.state == RunState.RUNNING else sealed

    def finding(self, path: str, newest: Newest | None, file_sha256: str) -> tuple[Finding, tuple[str, ...]]:
        """Check a file with this hash against its notebook's newest seal; return the finding, and what changed."""
        if newest is None:
            return Finding.UNSEALED, ()
        if newest.forged is not None:
            return Finding.BROKEN_SEAL, (f"its seal: {newest.forged}",)
        found = Finding.INTACT
        if file_sha256 != newest.file_sha256:
            try:
                content = self._files.read(path)
                form = self._seal(newest).notebook.form
            except (OSError, ValueError) as error:
                return Finding.CHANGED, (f"it cannot be read any more: {error}",)
            found, changed = check_content(content, newest.file_sha256, form)
            if found is Finding.CHANGED:
                return found, changed
        if again := self._resealed(path, newest):
            return Finding.RESEALED, again
        if newest.unknown_key:
            return Finding.KEY_UNKNOWN, ()
        return Finding.OVERWRITTEN if newest.overwritten else found, ()

    def _resealed(self, path: str, newest: Newest) -> tuple[str, ...]:
        """What earlier seals of the run contradict in its newest one, in words."""
        if newest.seals < 2:
            return ()
        others = self._database.execute(
            "SELECT at, sha256, prefix, place FROM sealed WHERE run_id = ?", (newest.run,)
        ).fetchall()
        try:
            seals = [
                sealed_run(seal, place.prefix, place.place, path=self._path(place.prefix, seal))
                for place in map(Whereabouts._make, others)
                for seal in (self._seal(place),)
            ]
            runs = [each for each in seals if each is not None]
            own = next(each for each in runs if (each.prefix, each.place) == (newest.prefix, newest.place))
            return resealed(own, runs, self._files.read(path), self._ring.known())
        except (OSError, ValueError) as error:
            return (f"it cannot be read any more: {error}",)

    def _note(self, prefix: str, noted: list[Noted]) -> None:
        """Note seals of one chain, in order."""
        for is_retired, seals in groupby(noted, lambda each: each.seal.retired):
            if not is_retired:
                self._note_runs(prefix, list(seals))
                continue
            for each in seals:
                if each.is_in_order:
                    self._retire(prefix, each)

    def _note_runs(self, prefix: str, seals: list[Noted]) -> None:
        if self._has_runs:
            again = [(each.run,) for each in seals if each.run is not None]
            self._database.executemany(_MARK_OF_RUN, again)
            self._database.executemany(MARK_ONE, [(self._path(prefix, each.seal),) for each in seals])
        self._database.executemany(
            "INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?)",
            [
                (each.run, prefix, each.place, self._path(prefix, each.seal), each.at, each.sha256)
                for each in seals
                if each.run is not None
            ],
        )
        self._database.executemany(
            _NOTE,
            [
                (
                    self._path(prefix, each.seal),
                    prefix,
                    each.seal.run_id,
                    each.seal.notebook.sha256,
                    each.forged,
                    each.unknown_key,
                    each.place,
                    each.seal.key,
                    each.at,
                    each.sha256,
                    each.seal.row,
                    each.run,
                )
                for each in seals
            ],
        )

    def _retire(self, prefix: str, noted: Noted) -> None:
        """Note that the newest run under this name in the chain was removed or overwritten on purpose."""
        path, seal = self._path(prefix, noted.seal), noted.seal
        signer = self._database.execute(
            "SELECT signer FROM seals WHERE path = ? AND prefix = ?", (path, prefix)
        ).fetchone()
        if signer is None or other_signer(signer[0], seal.key, seal.sealed_at, self._ring.known()):
            return
        # From here on it is intended that earlier runs of the name are gone.
        self._database.execute(
            "UPDATE seals SET overwritten = 0, run_id = NULL WHERE path = ? AND prefix = ?", (path, prefix)
        )
        self._database.execute(MARK_ONE, (path,))

    def _path(self, prefix: str, seal: Seal) -> str:
        """The path of a seal's notebook."""
        return prefix + seal.path

    def _seal(self, place: Whereabouts | Newest) -> Seal:
        """Read a seal at a place that was noted.

        Raises:
            OSError: It cannot be read.

            ValueError: It is no longer there.
        """
        link = next(links_in(self._lines(place)), None)
        if link is None or link.seal is None or link.sha256 != place.sha256:
            raise ValueError("its seal was changed meanwhile")
        return link.seal

    def _forget(self, prefix: str) -> None:
        self._database.execute(_MARK_CHAIN, (prefix,))
        for table in ("seals", "sealed", "retired", "chains"):
            self._database.execute(f"DELETE FROM {table} WHERE prefix = ?", (prefix,))  # noqa: S608 -- ours


def marks_of(values: Collection[object]) -> str:
    """A question mark for each value in an SQL statement."""
    return ", ".join("?" * len(values))


def noted_of(link: Link, seal: Seal, trouble: Trouble | None, *, place: int, at: int) -> Noted:
    """Return what to note about a seal."""
    is_forged, unknown_key = (False, False) if trouble is None else (trouble.forged, trouble.unknown_key)
    forged = "; ".join(trouble.why) if trouble is not None and is_forged else None
    run = None if is_forged else seal.run_id or None
    return Noted(seal, link.sha256, forged, unknown_key, run, trouble is None, place, at)
