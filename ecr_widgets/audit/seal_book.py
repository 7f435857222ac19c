"""The newest seal of each notebook, kept in the index: what a list needs to call a run tampered, without a look at all seals.

Of a seal in order the row that it signs is taken, and the notebook not opened unless its stamp is another one now.

A chain is read from where the last look stopped, once its bytes up to there are known to be the same. Whether the chain as a
whole is in order, and which sealed runs are missing, is for `verify` to say.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from ecr_widgets.audit.chain import FILE_NAME, Link, Past, Seal, Trouble, Watcher, links_in
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.reading import read_bytes
from ecr_widgets.audit.resealing import SealedRun, other_signer, resealed, sealed_run
from ecr_widgets.audit.row import SealedRow, read_row
from ecr_widgets.audit.scan import NEVER, RACY_NS, Stamp, folders_with
from ecr_widgets.audit.verify import Finding, check_content
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
  at INTEGER NOT NULL, sha256 TEXT NOT NULL, row_sha256 TEXT, PRIMARY KEY (path, prefix)
) WITHOUT ROWID;
CREATE TABLE sealed (
  run_id TEXT NOT NULL, prefix TEXT NOT NULL, place INTEGER NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL,
  sha256 TEXT NOT NULL, PRIMARY KEY (prefix, place)
) WITHOUT ROWID;
CREATE INDEX sealed_by_run ON sealed (run_id);
"""
_PIECE_BYTES = 1 << 20


class SealBook:
    """The seals of one runs folder; all calls but `finding` are made within a transaction of the index."""

    def __init__(self, database: sqlite3.Connection, runs: Path, ring: KeyRing) -> None:
        self._database = database
        self._runs = runs
        self._ring = ring
        self._open: dict[str, IO[bytes]] = {}

    def update(self) -> None:
        """Read what chains have gained; notebooks whose newest seal is another one now are marked to be read again."""
        self.close()
        keys = self._ring.known()
        mark = hashlib.sha256(msgspec.json.encode(sorted(keys.values(), key=lambda key: key.key))).hexdigest()
        if self._database.execute("SELECT sha256 FROM keys").fetchall() != [(mark,)]:
            self._database.execute("DELETE FROM keys")
            self._database.execute("INSERT INTO keys VALUES (?)", (mark,))
            for (prefix,) in self._database.execute("SELECT prefix FROM chains").fetchall():
                self._forget(prefix)
        gone = {prefix for (prefix,) in self._database.execute("SELECT prefix FROM chains")}
        for prefix in folders_with(self._runs, FILE_NAME):
            gone.discard(prefix)
            try:
                self._read(prefix, keys)
            except (OSError, UnicodeEncodeError):
                # `verify` says so; here nothing below it counts as sealed.
                self._forget(prefix)
        for prefix in gone:
            self._forget(prefix)

    def row(self, path: str) -> tuple[str, SealedRow] | None:
        """The hash of a notebook and its row, as a seal in order says; None where there is none, or none that says."""
        found = self._database.execute(
            "SELECT file_sha256, prefix, at, row_sha256, forged IS NOT NULL OR unknown_key FROM seals"
            " WHERE path = ? ORDER BY length(prefix) DESC LIMIT 1",
            (path,),
        ).fetchone()
        if found is None or found[-1] or found[-2] is None:
            return None
        file_sha256, prefix, at, row_sha256, _ = found
        try:
            line = self._lines(prefix, at)[0].removesuffix(b"\n")
        except OSError:
            return None
        # Believed for its hash alone: the chain may have been changed meanwhile.
        sealed = read_row(line) if hashlib.sha256(line).hexdigest() == row_sha256 else None
        if sealed is None or sealed.row.state == RunState.RUNNING:
            # A run that was killed may be resumed at any time.
            return None
        return file_sha256, msgspec.structs.replace(
            sealed, row=msgspec.structs.replace(sealed.row, path=path)
        )

    def finding(self, path: str, file_sha256: str) -> tuple[Finding, tuple[str, ...]]:
        """What the newest seal of a notebook says of the file that has this hash, and what is changed in it."""
        seals = self._database.execute(
            "SELECT overwritten, file_sha256, at, sha256, forged, unknown_key, prefix, place, run_id FROM seals"
            # The nearest chain answers for a name.
            " WHERE path = ? ORDER BY length(prefix) DESC",
            (path,),
        ).fetchall()
        if not seals:
            return Finding.UNSEALED, ()
        overwritten, sealed_sha256, at, sha256, forged, unknown_key, prefix, place, run_id = seals[0]
        # None where its run was retired there.
        overwritten |= any(each[-1] not in (None, run_id) for each in seals[1:])
        if forged is not None:
            return Finding.BROKEN_SEAL, (f"its seal: {forged}",)
        found = Finding.INTACT
        if file_sha256 != sealed_sha256:
            try:
                content = read_bytes(self._runs / path)
                form = self._seal(prefix, at, sha256).notebook.form
            except (OSError, ValueError) as error:
                return Finding.CHANGED, (f"it cannot be read any more: {error}",)
            found, changed = check_content(content, sealed_sha256, form)
            if found is Finding.CHANGED:
                return found, changed
        if again := self._resealed(path, prefix, place):
            return Finding.RESEALED, again
        if unknown_key:
            return Finding.KEY_UNKNOWN, ()
        return Finding.OVERWRITTEN if overwritten else found, ()

    def _resealed(self, path: str, prefix: str, place: int) -> tuple[str, ...]:
        """What earlier seals of the run say against one."""
        told = self._database.execute(
            "SELECT prefix, place, at, sha256 FROM sealed WHERE run_id ="
            " (SELECT run_id FROM sealed WHERE prefix = ? AND place = ?)",
            (prefix, place),
        ).fetchall()
        if len(told) < 2:
            return ()
        try:
            read = [sealed_run(self._seal(its, at, sha256), its, n) for its, n, at, sha256 in told]
            seals = [each for each in read if each is not None]
            newest = next(each for each in seals if (each.prefix, each.place) == (prefix, place))
            return resealed(newest, seals, read_bytes(self._runs / path), self._ring.known())
        except (OSError, ValueError) as error:
            return (f"it cannot be read any more: {error}",)

    def _read(self, prefix: str, keys: Mapping[str, KeyFile]) -> None:
        handle = os.open(self._runs / prefix / FILE_NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("not a regular file")
            stamp = Stamp(about.st_ctime_ns, about.st_size, about.st_ino)
            standing = self._database.execute(
                "SELECT changed_ns, size, inode, end, sha256, past FROM chains WHERE prefix = ?", (prefix,)
            ).fetchone()
            if standing is not None and Stamp(*standing[:3]) == stamp:
                return
            digest, past, end = hashlib.sha256(), Past(), 0
            if standing is not None:
                if _hash_up_to(file, standing[3], digest) == standing[4]:
                    past, end = _decode_past(standing[5]), standing[3]
                else:
                    self._forget(prefix)
                    digest = hashlib.sha256()
            file.seek(end)
            watcher = Watcher(keys, past)
            for link, trouble in watcher.look_at(links_in(file)):
                if link.seal is not None:
                    self._note(prefix, link, link.seal, trouble, place=watcher.past.count, at=end)
                end += _hash_link(link, digest)
        if time.time_ns() - stamp.changed_ns < RACY_NS:
            stamp = NEVER
        self._database.execute(
            "INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?, ?, ?, ?)",
            (prefix, *stamp, end, digest.hexdigest(), _encode(watcher.past)),
        )

    def _note(
        self, prefix: str, link: Link, seal: Seal, trouble: Trouble | None, *, place: int, at: int
    ) -> None:
        path = prefix + seal.path
        run = sealed_run(seal, prefix, place)
        if run is not None and (trouble is None or not trouble.forged):
            self._note_run(run, at, link.sha256)
        before = self._database.execute(
            "SELECT run_id, overwritten, signer FROM seals WHERE path = ? AND prefix = ?", (path, prefix)
        ).fetchone()
        if seal.retired:
            if (
                before is None
                or trouble
                or other_signer(before[2], seal.key, seal.sealed_at, self._ring.known())
            ):
                return
            # From here on it is no loss that other runs of the name are gone.
            self._database.execute(
                "UPDATE seals SET overwritten = 0, run_id = NULL WHERE path = ? AND prefix = ?",
                (path, prefix),
            )
            self._mark(path)
            return
        known = before is not None and before[0] is not None
        overwritten = before is not None and (bool(before[1]) or (known and before[0] != seal.run_id))
        forged = "; ".join(trouble.why) if trouble is not None and trouble.forged else None
        self._database.execute(
            "INSERT OR REPLACE INTO seals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                path,
                prefix,
                seal.run_id,
                overwritten,
                seal.notebook.sha256,
                forged,
                trouble is not None and trouble.unknown_key,
                place,
                seal.key,
                at,
                link.sha256,
                seal.row,
            ),
        )
        self._mark(path)

    def _note_run(self, run: SealedRun, at: int, sha256: str) -> None:
        for (path,) in self._database.execute(
            "SELECT path FROM sealed WHERE run_id = ?", (run.run_id,)
        ).fetchall():
            self._mark(path)
        self._database.execute(
            "INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?)",
            (run.run_id, run.prefix, run.place, run.path, at, sha256),
        )

    def _seal(self, prefix: str, at: int, sha256: str) -> Seal:
        """A seal as it was noted.

        Raises:
            OSError: It cannot be read.

            ValueError: It is not there any more.
        """
        link = next(links_in(self._lines(prefix, at)), None)
        if link is None or link.seal is None or link.sha256 != sha256:
            raise ValueError("its seal was changed meanwhile")
        return link.seal

    def _lines(self, prefix: str, at: int) -> tuple[bytes, bytes]:
        """The line at a place in a chain, and the next one."""
        file = self._open.get(prefix)
        if file is None:
            file = self._open[prefix] = (self._runs / prefix / FILE_NAME).open("rb")
        file.seek(at)
        return file.readline(), file.readline()

    def close(self) -> None:
        """Close the chains, which may be others by the next update."""
        while self._open:
            self._open.popitem()[1].close()

    def _forget(self, prefix: str) -> None:
        for (path,) in self._database.execute(
            "SELECT path FROM seals WHERE prefix = ?", (prefix,)
        ).fetchall():
            self._mark(path)
        self._database.execute("DELETE FROM seals WHERE prefix = ?", (prefix,))
        self._database.execute("DELETE FROM sealed WHERE prefix = ?", (prefix,))
        self._database.execute("DELETE FROM chains WHERE prefix = ?", (prefix,))

    def _mark(self, path: str) -> None:
        self._database.execute(
            "UPDATE runs SET changed_ns = ?, size = ?, inode = ? WHERE path = ?", (*NEVER, path)
        )


def _hash_link(link: Link, digest: hashlib._Hash) -> int:
    """Hash a link as it is in the file, and give back its bytes there: none where it is not whole."""
    if link.size_bytes:
        for line in (link.row, link.line):
            if line is not None:
                digest.update(line + b"\n")
    return link.size_bytes


def _hash_up_to(file: IO[bytes], end: int, digest: hashlib._Hash) -> str:
    while end and (piece := file.read(min(end, _PIECE_BYTES))):
        digest.update(piece)
        end -= len(piece)
    return digest.hexdigest()


_encode = msgspec.msgpack.Encoder().encode
_decode_past = msgspec.msgpack.Decoder(Past).decode
