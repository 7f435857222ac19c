"""The seals in a shared store, for an index: one object each, under the day on which it was made.

The seals of a closed day are read from its one file, if it has one whose seals follow each other and whose last one is also an
object: then they are the day's own. Everything else is read from the objects. A seal is never overwritten, and its number acts
as the lock on its day, so new seals come after the known ones. If a seal was removed, or replaced by someone with more rights
than to add objects, `verify` finds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from ecr_widgets.audit.chain_check import Past, Trouble, Watcher
from ecr_widgets.audit.day_files import DayFile, days_with_files, is_closed, name_of
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.resealing import other_signer
from ecr_widgets.audit.run_files import StoreFiles
from ecr_widgets.audit.seal import Link, Seal, read_links
from ecr_widgets.audit.seal_book import MARK_ONE, Newest, Noted, SealBook, Whereabouts, marks_of, noted_of
from ecr_widgets.audit.seal_objects import (
    beginning_of,
    day_of,
    days_from,
    first_day,
    numbers_of,
    prefix_of,
    seal_name,
)
from ecr_widgets.model.stored import Stored
from ecr_widgets.model.times import from_rfc3339, to_rfc3339

_AT_ONCE = 500
_DAYS_AT_ONCE = 8
_CLOSED = 1
"""Stored as the stamp: the day was closed when it was last read."""


class StoreSeals(SealBook):
    """Each chain is a day, which follows the day before; a seal's position is its number on its day."""

    def __init__(self, database: sqlite3.Connection, files: StoreFiles, ring: KeyRing) -> None:
        super().__init__(database, files, ring)
        self._files: StoreFiles = files
        # Rows that were just read; there may be a million, too many for memory.
        database.execute(
            "CREATE TEMP TABLE fresh (prefix TEXT, at INTEGER, row BLOB, PRIMARY KEY (prefix, at)) WITHOUT ROWID"
        )

    def days(self) -> Iterator[tuple[date, int]]:
        """Yield the days that were read, each with its number of seals."""
        chains = self._database.execute("SELECT prefix, end FROM chains ORDER BY prefix")
        return ((day_of(prefix), count) for prefix, count in chains)

    def _read_new(self, keys: Mapping[str, KeyFile], since: date | None) -> None:
        store = self._files.store
        now = store.now()
        first = since or first_day(store)
        if first is None:
            return
        known = {
            day_of(prefix): _Known(stamp == _CLOSED, _decode_past(past))
            for prefix, stamp, past in self._database.execute(
                "SELECT prefix, changed_ns, past FROM chains WHERE prefix >= ?", (prefix_of(first),)
            )
        }
        due = [
            _Due(day, known[day].past if day in known else Past(), is_open=not is_closed(day, now))
            for day in days_from(first, now.date())
            if day not in known or not known[day].is_closed
        ]
        files = set(days_with_files(store, due[0].day)) if due else set()
        asked = [each._replace(has_file=each.day in files) for each in due]
        with closing(self._files.each(self._ask, asked, at_once=_DAYS_AT_ONCE)) as answers:
            for each, answer in zip(asked, answers, strict=True):
                self._read_day(each, answer, keys)

    def _ask(self, due: _Due) -> _Answer:
        store, file, last = self._files.store, None, None
        stored = store.read(name_of(due.day)) if due.has_file else None
        if stored is not None:
            with suppress(ImportError, ValueError):
                file = DayFile(stored.content)
                last = _link_in(store.read(seal_name(due.day, file.count))).sha256
        return _Answer(file, last, self._behind(due, file))

    def _behind(self, due: _Due, file: DayFile | None) -> list[int]:
        known = max(due.past.count, file.count if file else 0)
        return list(numbers_of(self._files.store, due.day, after=known))

    def _read_day(self, due: _Due, answer: _Answer, keys: Mapping[str, KeyFile]) -> None:
        past, prefix, behind = due.past, prefix_of(due.day), answer.behind
        if answer.file is not None and answer.file.count > past.count:
            try:
                with self._savepoint():
                    past = self._read_file(due, answer.file, answer.last_sha256, keys)
            except ValueError:
                behind = self._behind(due, None)
        if behind:
            read = self._files.each(self._files.store.read, [seal_name(due.day, number) for number in behind])
            with closing(read):
                watched = _watched(due.day, past, map(_link_in, read), keys)
                past = self._note_all(prefix, zip(behind, watched, strict=True), past)
                past = msgspec.structs.replace(past, count=behind[-1])
        self._database.execute(
            "INSERT OR REPLACE INTO chains VALUES (?, ?, 0, 0, ?, ?, ?)",
            (prefix, 0 if due.is_open else _CLOSED, past.count, past.sha256 or "", _encode(past)),
        )

    def _read_file(
        self, due: _Due, file: DayFile, last_sha256: str | None, keys: Mapping[str, KeyFile]
    ) -> Past:
        """Note the seals in a day's file.

        Raises:
            ValueError: It does not match the day's seals, so nothing in it counts.
        """

        def in_order() -> Iterator[tuple[int, _Looked]]:
            links = islice(file.links(), due.past.count, None)
            for looked in _watched(due.day, due.past, links, keys):
                link, trouble, _ = looked
                if link.seal is None or (trouble is not None and not trouble.is_only_unknown):
                    raise ValueError("a seal in it is not in order")
                yield link.seal.n, looked

        past = self._note_all(prefix_of(due.day), in_order(), due.past)
        if past.sha256 != last_sha256:
            raise ValueError("it does not end as the seals of the day do")
        return past

    def _note_all(self, prefix: str, looked: Iterable[tuple[int, _Looked]], past: Past) -> Past:
        links = iter(looked)
        while some := list(islice(links, _AT_ONCE)):
            noted: list[Noted] = []
            for number, (link, trouble, _) in some:
                if link.seal is not None:
                    noted.append(noted_of(link, link.seal, trouble, place=number, at=number))
            self._database.executemany(
                "INSERT OR REPLACE INTO fresh VALUES (?, ?, ?)",
                [(prefix, number, each.link.row) for number, each in some if each.link.row is not None],
            )
            self._note(prefix, noted)
            past = some[-1][1].past
        return past

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._database.execute("SAVEPOINT day")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK TO day")
            raise
        finally:
            self._database.execute("RELEASE day")

    def _fresh_row(self, place: Newest) -> bytes | None:
        row = self._database.execute(
            "SELECT row FROM fresh WHERE prefix = ? AND at = ?", (place.prefix, place.at)
        ).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        self._database.execute("DELETE FROM fresh")

    def newest_of(self, paths: Collection[str]) -> dict[str, Newest]:
        # Days are read in any order, and a run may be retired on a different day than it was sealed on.
        by_path: dict[str, Newest] = {}
        retired = self._database.execute(
            f"SELECT path, prefix, place, signer, sealed_at FROM retired WHERE path IN ({marks_of(paths)})",  # noqa: S608 -- ours
            (*paths,),
        )
        entries: list[tuple[str, str, int, Newest | _Retired]] = [
            (path, newest.prefix, newest.place, newest) for path, newest in self._newest_by_chain(paths)
        ]
        entries += [(*where, _Retired(signer, from_rfc3339(at))) for *where, signer, at in retired]
        for path, _, _, each in sorted(entries, key=lambda one: one[:3]):
            before = by_path.get(path)
            if isinstance(each, Newest):
                by_path[path] = each.after(before)
            elif before and not other_signer(before.signer, each.signer, each.sealed_at, self._ring.known()):
                by_path[path] = before._replace(overwritten=0, run_id=None)
        return by_path

    def _retire(self, prefix: str, noted: Noted) -> None:
        super()._retire(prefix, noted)
        path, seal = self._path(prefix, noted.seal), noted.seal
        self._database.execute(
            "INSERT OR REPLACE INTO retired VALUES (?, ?, ?, ?, ?)",
            (path, prefix, noted.place, seal.key, to_rfc3339(seal.sealed_at)),
        )
        self._database.execute(MARK_ONE, (path,))

    def _path(self, prefix: str, seal: Seal) -> str:
        return seal.path

    def _lines(self, place: Whereabouts | Newest) -> tuple[bytes, bytes]:
        first, end, rest = self._files.read(seal_name(day_of(place.prefix), place.at)).partition(b"\n")
        return first + end, rest


class _Retired(NamedTuple):
    """Who retired a run, and when."""

    signer: str
    sealed_at: datetime


class _Known(NamedTuple):
    is_closed: bool
    past: Past


class _Due(NamedTuple):
    """A day to read, and what is known about it."""

    day: date
    past: Past
    is_open: bool
    has_file: bool = False


class _Answer(NamedTuple):
    """What the store has for a day."""

    file: DayFile | None
    last_sha256: str | None
    """The sha256 of the object with the last seal in the file."""
    behind: list[int]
    """The numbers of seals that are neither known nor in the file."""


class _Looked(NamedTuple):
    link: Link
    trouble: Trouble | None
    past: Past
    """What is known after it."""


def _watched(day: date, past: Past, links: Iterable[Link], keys: Mapping[str, KeyFile]) -> Iterator[_Looked]:
    due = iter(links)
    first = next(due, None)
    if first is None:
        return
    watcher = Watcher(keys, past if past.count else beginning_of(day, first))
    for link, trouble in watcher.look_at(chain((first,), due)):
        yield _Looked(link, trouble, watcher.past)


def _link_in(stored: Stored | None) -> Link:
    """Return the one seal in an object."""
    links = list(read_links(stored.content)) if stored is not None else []
    if len(links) == 1:
        return links[0]
    return Link(None, "", b"", b"", "it is gone" if stored is None else "it is not one seal")


_encode = msgspec.msgpack.Encoder().encode
_decode_past = msgspec.msgpack.Decoder(Past).decode
