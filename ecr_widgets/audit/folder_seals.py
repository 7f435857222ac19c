"""The seals of a folder and its subfolders, for an index.

A chain is read from where the last update stopped, if its bytes up to there are unchanged.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import IO

import msgspec

from ecr_widgets.audit.chain import FILE_NAME
from ecr_widgets.audit.chain_check import Past, Watcher
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.run_files import FolderFiles
from ecr_widgets.audit.scan import NEVER, RACY_NS, Stamp, folders_with
from ecr_widgets.audit.seal import Link, links_in
from ecr_widgets.audit.seal_book import Newest, Noted, SealBook, Whereabouts, noted_of

_PIECE_BYTES = 1 << 20
_AT_ONCE = 500
_FRESH = 20_000


class FolderSeals(SealBook):
    """A seal's position is where its lines begin in `seals.jsonl`, in bytes."""

    def __init__(self, database: sqlite3.Connection, files: FolderFiles, ring: KeyRing) -> None:
        super().__init__(database, files, ring)
        self._runs = files.folder
        self._open: dict[str, IO[bytes]] = {}
        self._fresh: dict[tuple[str, int], bytes] = {}
        """Rows that were just read, by chain and position in it."""

    def days(self) -> Iterator[tuple[date, int]]:
        return iter(())

    def _read_new(self, keys: Mapping[str, KeyFile], since: date | None) -> None:
        gone = {prefix for (prefix,) in self._database.execute("SELECT prefix FROM chains")}
        for prefix in folders_with(self._runs, FILE_NAME):
            gone.discard(prefix)
            try:
                self._read(prefix, keys)
            except (OSError, UnicodeEncodeError):
                # `verify` reports it; here nothing under it counts as sealed.
                self._forget(prefix)
        for prefix in gone:
            self._forget(prefix)

    def _read(self, prefix: str, keys: Mapping[str, KeyFile]) -> None:
        handle = os.open(self._runs / prefix / FILE_NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("not a regular file")
            stamp = Stamp(about.st_ctime_ns, about.st_size, about.st_ino)
            cached = self._database.execute(
                "SELECT changed_ns, size, inode, end, sha256, past FROM chains WHERE prefix = ?", (prefix,)
            ).fetchone()
            if cached is not None and Stamp(*cached[:3]) == stamp:
                return
            digest, past, end = hashlib.sha256(), Past(), 0
            if cached is not None:
                if _hash_up_to(file, cached[3], digest) == cached[4]:
                    past, end = _decode_past(cached[5]), cached[3]
                else:
                    self._forget(prefix)
                    digest = hashlib.sha256()
            file.seek(end)
            watcher = Watcher(keys, past)
            noted: list[Noted] = []
            for link, trouble in watcher.look_at(links_in(file)):
                if link.seal is not None:
                    if link.row is not None and len(self._fresh) < _FRESH:
                        self._fresh[prefix, end] = link.row
                    noted.append(noted_of(link, link.seal, trouble, place=watcher.past.count, at=end))
                end += _hash_link(link, digest)
                if len(noted) == _AT_ONCE:
                    self._note(prefix, noted)
                    noted.clear()
            self._note(prefix, noted)
        if time.time_ns() - stamp.changed_ns < RACY_NS:
            stamp = NEVER
        self._database.execute(
            "INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?, ?, ?, ?)",
            (prefix, *stamp, end, digest.hexdigest(), _encode(watcher.past)),
        )

    def _fresh_row(self, place: Newest) -> bytes | None:
        return self._fresh.get((place.prefix, place.at))

    def _lines(self, place: Whereabouts | Newest) -> tuple[bytes, bytes]:
        file = self._open.get(place.prefix)
        if file is None:
            file = self._open[place.prefix] = (self._runs / place.prefix / FILE_NAME).open("rb")
        file.seek(place.at)
        return file.readline(), file.readline()

    def close(self) -> None:
        """Close the chains, which may be replaced before the next update."""
        self._fresh.clear()
        while self._open:
            self._open.popitem()[1].close()


def _hash_link(link: Link, digest: hashlib._Hash) -> int:
    """Hash a link as it is in the file, and return its size there in bytes; 0 if it is incomplete."""
    if link.size_bytes:
        for line in (link.row, link.line):
            if line is not None:
                digest.update(line)
                digest.update(b"\n")
    return link.size_bytes


def _hash_up_to(file: IO[bytes], end: int, digest: hashlib._Hash) -> str:
    while end and (piece := file.read(min(end, _PIECE_BYTES))):
        digest.update(piece)
        end -= len(piece)
    return digest.hexdigest()


_encode = msgspec.msgpack.Encoder().encode
_decode_past = msgspec.msgpack.Decoder(Past).decode
