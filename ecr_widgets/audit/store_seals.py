"""The seals in a store that hosts share, as an index has them: one object each, below the day on which it was made.

Nothing is written over a seal, and its number is the lock on its day, so what is new comes behind what is known. A seal that was
removed, or replaced by who may do more than add, is for `verify` to find.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from itertools import groupby, islice

import msgspec

from ecr_widgets.audit.chain import Link, Past, Seal, Watcher, read_links
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.run_files import StoreFiles
from ecr_widgets.audit.scan import NEVER
from ecr_widgets.audit.seal_book import Newest, Noted, SealBook, Whereabouts, noted_of
from ecr_widgets.model.stored import Stored

_NAME = re.compile(r"seals/(\d{4}/\d{2}/\d{2}/)(\d{12})\.json", re.ASCII)
_AT_ONCE = 500
_FRESH = 50_000


class StoreSeals(SealBook):
    """A chain is a day, which follows the day before; the place of a seal is its number on its day."""

    def __init__(self, database: sqlite3.Connection, files: StoreFiles, ring: KeyRing) -> None:
        super().__init__(database, files, ring)
        self._files: StoreFiles = files

    def _read_new(self, keys: Mapping[str, KeyFile]) -> None:
        known = {
            prefix: _decode_past(past)
            for prefix, past in self._database.execute("SELECT prefix, past FROM chains ORDER BY prefix")
        }
        # Around midnight the last seals of a day may come after the first ones of the next.
        after = _folder_before(max(known)) if known else ""
        before = Past()
        for prefix, names in groupby(self._names(after), lambda each: each[0]):
            past = known.get(prefix) or Past(0, before.sha256, before.project, before.sealed_at)
            numbers = [number for _, number in names if number > past.count]
            before = self._read_day(prefix, numbers, Watcher(keys, past)) if numbers else past

    def _names(self, after: str) -> Iterator[tuple[str, int]]:
        for name in self._files.store.names(prefix="seals/", after=after):
            if match := _NAME.fullmatch(name):
                yield match[1], int(match[2])

    def _read_day(self, prefix: str, numbers: Sequence[int], watcher: Watcher) -> Past:
        read = self._files.each(self._files.store.read, [_name(prefix, number) for number in numbers])
        with closing(read):
            links = zip(numbers, watcher.look_at(map(_link_in, read)), strict=True)
            while some := list(islice(links, _AT_ONCE)):
                noted: list[Noted] = []
                for number, (link, trouble) in some:
                    if link.seal is not None:
                        noted.append(noted_of(link, link.seal, trouble, place=number, at=number))
                    if link.row is not None and len(self._fresh) < _FRESH:
                        self._fresh[prefix, number] = link.row
                self._note(prefix, noted)
        past = msgspec.structs.replace(watcher.past, count=numbers[-1])
        self._database.execute(
            "INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?, ?, ?, ?)",
            (prefix, *NEVER, past.count, past.sha256 or "", _encode(past)),
        )
        return past

    def _path(self, prefix: str, seal: Seal) -> str:
        return seal.path

    def _lines(self, place: Whereabouts | Newest) -> tuple[bytes, bytes]:
        first, end, rest = self._files.read(_name(place.prefix, place.at)).partition(b"\n")
        return first + end, rest


def _link_in(stored: Stored | None) -> Link:
    """The one seal in an object."""
    links = list(read_links(stored.content)) if stored is not None else []
    if len(links) == 1:
        return links[0]
    return Link(None, "", b"", b"", "it is gone" if stored is None else "it is not one seal")


def _name(prefix: str, number: int) -> str:
    return f"seals/{prefix}{number:012}.json"


def _folder_before(prefix: str) -> str:
    day = date.fromisoformat(prefix.rstrip("/").replace("/", "-"))
    return f"seals/{day - timedelta(days=1):%Y/%m/%d}/"


_encode = msgspec.msgpack.Encoder().encode
_decode_past = msgspec.msgpack.Decoder(Past).decode
