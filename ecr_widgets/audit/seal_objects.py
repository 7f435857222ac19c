"""Seals in a bucket: one object each, under the day on which it was made. The number in its name acts as the lock on the chain.

Each day has its own chain, whose first seal follows the last one of the day before. For each run another object says where its
seals are; it only helps to find them and proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from ecr_widgets.audit.chain_check import Past, Trouble, Watcher
from ecr_widgets.audit.chain_head import Head, Heads
from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.audit.seal import Link, Place, Seal, is_signed_by, line_of, read_links
from ecr_widgets.errors import RecordError, Replaced
from ecr_widgets.model.stored import Stored
from ecr_widgets.ports.run_store import RunStore

_LONGEST_GAP_DAYS = 60
"""How far back to look for an earlier day with a seal."""
_MOST_TRIES = 100
_NAME = re.compile(r"seals/(\d{4})/(\d{2})/(\d{2})/(\d{12})\.json", re.ASCII)
_DAY_OF_RUN = re.compile(r"(\d{4})(\d{2})(\d{2})T\d{6}Z-")


def append(
    store: RunStore, draft: Seal, key: KeyFile, sign: Callable[[bytes], bytes], *, row: bytes | None
) -> Seal | None:
    """Add a seal to today's chain, by the store's clock; return None if the run's newest seal already says exactly this.

    Args:
        key: The key that signs it.

        row: The line with the run's row.

    Raises:
        RecordError: The seal that it would follow cannot be read, or others keep adding to the chain.

        OSError: It cannot be stored.
    """
    # Only checks the run's own object: without it the seal is made again, which is faster than reading the whole day.
    noted = store.read(_hint(draft.path))
    earlier = [link.seal for link in _links(store, draft.path, _listed(noted)) if link.seal] if noted else []
    if earlier and _says(earlier[-1]) == _says(draft):
        return None
    for _ in range(_MOST_TRIES):
        day = store.now()
        last = _last_of(store, day)
        place = _behind(last, key) if last else _first(store, day, key)
        row_sha256 = None if row is None else hashlib.sha256(row).hexdigest()
        seal = msgspec.structs.replace(draft, key=key.key, chain=place, row=row_sha256)
        name = seal_name(day, place.n)
        with suppress(Replaced):
            lines = [line_of(seal, sign)] if row is None else [row, line_of(seal, sign)]
            store.put(name, b"".join(line + b"\n" for line in lines), replacing=None)
            _note(store, draft.path, name)
            return seal
    raise RecordError("others keep adding seals to this bucket", hint="run `audit seal` later")


def _says(seal: Seal) -> tuple[str, bool]:
    return seal.notebook.sha256, seal.retired


def links_of_run(store: RunStore, run: str) -> Iterator[Link]:
    """Yield the seals of one run, oldest first.

    Args:
        run: The run's name in the store.

    Raises:
        OSError: The store does not answer.
    """
    noted = store.read(_hint(run))
    return _links(store, run, _listed(noted) if noted else _all_since(store, run))


def _links(store: RunStore, run: str, names: Iterable[str]) -> Iterator[Link]:
    for content in store.contents(names):
        yield from (link for link in read_links(content) if link.seal is not None and link.seal.path == run)


def look_at(link: Link, keys: dict[str, KeyFile]) -> Trouble | None:
    """Return what is wrong with one seal on its own; only a check of the whole day shows whether the seals before it exist."""
    assert link.seal is not None
    place = link.seal.chain
    return next(
        trouble
        for _, trouble in Watcher(keys, Past(place.n - 1, place.previous, place.project)).look_at([link])
    )


def first_day(store: RunStore) -> date | None:
    """Return the first day that has seals.

    Raises:
        OSError: The store does not answer.
    """
    return next((day for day, _ in _named(store.names(prefix="seals/"))), None)


def days_from(first: date, last: date) -> Iterator[date]:
    """Yield each day from one to another, inclusive."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def numbers_of(store: RunStore, day: date, *, after: int = 0) -> Iterator[int]:
    """Yield the numbers of a day's seals after one, in order.

    Raises:
        OSError: The store does not answer.
    """
    behind = seal_name(day, after) if after else ""
    return (number for _, number in _named(store.names(prefix=_folder(day), after=behind)))


def seal_name(day: date, number: int) -> str:
    """The name of a seal in a store."""
    return f"{_folder(day)}{number:012}.json"


def chains_of_days(store: RunStore) -> Iterator[tuple[str, list[Link], str | None]]:
    """Yield each day with seals: its prefix such as `2026/11/26/`, its seals, and why it does not follow the day before, or None.

    Raises:
        OSError: The store does not answer.
    """
    first, before = first_day(store), None
    for day in () if first is None else days_from(first, store.now().date()):
        names = [seal_name(day, number) for number in numbers_of(store, day)]
        links = [link for content in store.contents(names) for link in read_links(content)]
        if links:
            yield prefix_of(day), links, _disjoint(links[0], before, day)
            before = day, links


def _disjoint(first: Link, before: tuple[date, list[Link]] | None, day: date) -> str | None:
    """Why a day's first seal does not follow one of the day before. Around midnight that need not be the last one."""
    if first.seal is None:
        return None
    previous = first.seal.chain.previous
    if before is None:
        return (
            None
            if previous is None
            else "it follows seals of a day before, and there are none: they were removed"
        )
    if previous is None and (day - before[0]).days > _LONGEST_GAP_DAYS:
        return None
    if previous not in {link.sha256 for link in before[1]}:
        return (
            f"it does not follow a seal of {before[0]}, the day before: seals are missing, or were made again"
        )
    return None


def heads_of_days(store: RunStore) -> Heads:
    """Return where the newest day's chain ends, which covers all days; as an entry of `below`, like a subfolder's.

    Raises:
        RecordError: There are no seals, or the last one cannot be read.

        OSError: The store does not answer.
    """
    first, today = first_day(store), store.now()
    for day in () if first is None else reversed([*days_from(first, today.date())]):
        last = _last_of(store, day)
        if last is not None and last.seal is not None:
            return Heads(None, {prefix_of(day): Head(last.seal.chain.project, last.seal.n, last.sha256)})
    raise RecordError("there is no seal yet", hint="see `ecr-widgets audit list`")


def prefix_of(day: date) -> str:
    """The prefix of a day's chain, such as `2026/11/26/`."""
    return f"{day:%Y/%m/%d}/"


def day_of(prefix: str) -> date:
    """The day of a prefix such as `2026/11/26/`."""
    return date.fromisoformat(prefix.rstrip("/").replace("/", "-"))


def beginning_of(day: date, first: Link) -> Past:
    """Return what is known before a day's first seal, which may follow any seal: days are checked one by one.

    Its seals were made on that day by the store's clock, so not before the retirement of a key that was retired earlier.
    """
    began = datetime.combine(day, time(), UTC)
    if first.seal is None:
        return Past(sealed_at=began)
    return Past(0, first.seal.chain.previous, first.seal.chain.project, began)


def _named(names: Iterable[str]) -> Iterator[tuple[date, int]]:
    for name in names:
        match = _NAME.fullmatch(name)
        with suppress(ValueError):
            if match:
                year, month, day, number = map(int, match.groups())
                yield date(year, month, day), number


def _last_of(store: RunStore, day: date) -> Link | None:
    last = None
    for name in store.names(prefix=_folder(day)):
        last = name
    stored = store.read(last) if last else None
    if stored is None:
        return None
    link = next(read_links(stored.content), None)
    if link is None or link.seal is None:
        raise RecordError(f"the last seal, {last!r}, cannot be read", hint="see `ecr-widgets audit verify`")
    return link


def _behind(last: Link, key: KeyFile) -> Place:
    assert last.seal is not None
    return Place(last.seal.chain.project, last.seal.n + 1, last.sha256, is_signed_by(last, key))


def _first(store: RunStore, day: datetime, key: KeyFile) -> Place:
    today = day.date()
    # One list first: most buckets without a seal yesterday have none at all, and each day would be a request.
    oldest = store.names(prefix="seals/", after=_folder(today - timedelta(days=_LONGEST_GAP_DAYS)))
    since = next((sealed for sealed, _ in _named(oldest)), today)
    for earlier in reversed([*days_from(since, today - timedelta(days=1))]):
        last = _last_of(store, earlier)
        if last is not None and last.seal is not None:
            return Place(last.seal.chain.project, 1, last.sha256, is_signed_by(last, key))
    return Place(secrets.token_hex(16), 1, None)


def _folder(day: date) -> str:
    return f"seals/{prefix_of(day)}"


def _hint(run: str) -> str:
    return f"sealed/{run}.json"


def _note(store: RunStore, run: str, name: str) -> None:
    # Without it the seal can still be found, by reading all days since the run began.
    with suppress(OSError, Replaced):
        noted = store.read(_hint(run))
        names = [*(_listed(noted) if noted else ()), name]
        store.put(
            _hint(run), json.dumps(names).encode(), replacing=noted.stamp if noted else None, final=False
        )


def _listed(noted: Stored) -> list[str]:
    with suppress(msgspec.MsgspecError):
        return [
            name for name in msgspec.json.decode(noted.content, type=list[str]) if name.startswith("seals/")
        ]
    return []


def _all_since(store: RunStore, run: str) -> Iterator[str]:
    """Yield the names of all seals since the day the run began; nothing if the run's name does not contain that day."""
    began = _DAY_OF_RUN.match(run)
    if began is None:
        return
    day, today = datetime(*map(int, began.groups()), tzinfo=UTC), store.now()  # type: ignore[misc,arg-type]
    # Names sort by day, so older ones need not be listed.
    yield from store.names(prefix="seals/", after=_folder(min(day, today)))
