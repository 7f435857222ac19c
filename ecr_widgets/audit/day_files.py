"""The seals of a closed day in one Parquet file, in addition to their own objects.

Each line in it is a seal with its own signature and the row that it signs, byte for byte, so the file need not be trusted: its
seals are checked like any others, and the last one is compared with its object. The other columns are those of `audit export`,
for other tools; nothing here relies on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from typing import NamedTuple

from ecr_widgets.audit.chain_check import Watcher
from ecr_widgets.audit.frames import write_parquet
from ecr_widgets.audit.row import Row, row_in
from ecr_widgets.audit.seal import Link, links_in, read_links
from ecr_widgets.audit.seal_objects import beginning_of, days_from, first_day, numbers_of, seal_name
from ecr_widgets.errors import Replaced
from ecr_widgets.ports.run_store import RunStore

PREFIX = "rows/"
_NAME = re.compile(r"rows/(\d{4}-\d{2}-\d{2})\.parquet", re.ASCII)
_CLOSED_AFTER = timedelta(hours=1)
"""How long after its end a day may still get a seal, from a host that read the time before midnight."""
_AT_ONCE = 500
_ROWS_IN_GROUP = 5_000


class DayFile:
    """One day's Parquet file.

    Args:
        content: Its bytes; anyone may have written them.

    Raises:
        ImportError: pyarrow is not installed.

        ValueError: Not such a file.
    """

    def __init__(self, content: bytes) -> None:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        self._broken = (ArrowException, OSError, KeyError)
        try:
            self._file = ParquetFile(BytesIO(content))
        except self._broken as error:
            raise ValueError(str(error)) from error
        self.count: int = self._file.metadata.num_rows
        """The number of seals in it."""

    def links(self) -> Iterator[Link]:
        """Yield the seals in it, in order.

        Raises:
            ValueError: It cannot be read to its end.
        """
        return links_in(self._lines())

    def _lines(self) -> Iterator[bytes]:
        columns = ["row", "line"]
        try:
            for batch in self._file.iter_batches(_AT_ONCE, columns=columns, use_threads=False):
                for row, line in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                    if row is not None:
                        yield row + b"\n"
                    yield line + b"\n"
        except (*self._broken, TypeError) as error:
            raise ValueError(str(error)) from error


class Compacted(NamedTuple):
    """The result for one closed day."""

    name: str
    """The file's name in the store."""
    seals: int
    why_not: str = ""
    """Why it was not written; the day's seals are then still read one by one."""


def name_of(day: date) -> str:
    """The name of a day's file in a store."""
    return f"{PREFIX}{day}.parquet"


def days_with_files(store: RunStore, first: date) -> Iterator[date]:
    """Yield the days from the first on that have a file.

    Raises:
        OSError: The store does not answer.
    """
    for name in store.names(prefix=PREFIX, after=name_of(first - timedelta(days=1))):
        if match := _NAME.fullmatch(name):
            yield date.fromisoformat(match[1])


def is_closed(day: date, now: datetime) -> bool:
    """Whether a day can get no more seals, given the store's time."""
    return now >= datetime.combine(day + timedelta(days=1), time(), UTC) + _CLOSED_AFTER


def compact(store: RunStore) -> Iterator[Compacted]:
    """Write the file of each closed day that has seals but no file yet; a file that another host writes meanwhile is kept.

    Raises:
        SettingsError: pyarrow is not installed.

        OSError: The store does not answer.
    """
    first = first_day(store)
    if first is None:
        return
    now, written = store.now(), set(days_with_files(store, first))
    for day in days_from(first, now.date()):
        if is_closed(day, now) and day not in written and (numbers := list(numbers_of(store, day))):
            yield _compact_day(store, day, numbers)


def _compact_day(store: RunStore, day: date, numbers: Sequence[int]) -> Compacted:
    name = name_of(day)
    links: list[Link] = []
    for content in store.contents(seal_name(day, number) for number in numbers):
        links += read_links(content)
    if why_not := _disorder(day, numbers, links):
        return Compacted(name, len(numbers), why_not)
    try:
        # It need not be final: without it the seals are read one by one.
        store.put(name, to_parquet(links), replacing=None, final=False)
    except Replaced:
        return Compacted(name, len(numbers), "another has just written it")
    return Compacted(name, len(numbers))


def _disorder(day: date, numbers: Sequence[int], links: Sequence[Link]) -> str:
    why_not = "a seal of that day is missing or not in order; see `ecr-widgets audit verify`"
    if [*numbers] != [*range(1, len(links) + 1)]:
        return why_not
    # Checked without keys, because the readers of the file know other ones.
    for link, trouble in Watcher({}, beginning_of(day, links[0])).look_at(links):
        if link.seal is None or (trouble is not None and not trouble.is_only_unknown):
            return why_not
    return ""


def to_parquet(links: Sequence[Link]) -> bytes:
    """Return the file for a day's seals."""
    out = BytesIO()
    lines: dict[str, list[bytes | None]] = {
        "row": [link.row for link in links],
        "line": [link.line for link in links],
    }
    write_parquet(map(_row_of, links), out, lines=lines, row_group_size=_ROWS_IN_GROUP)
    return out.getvalue()


def _row_of(link: Link) -> Row:
    assert link.seal is not None
    row = row_in(link.row) if link.row is not None else None
    claim = link.seal.run
    return row or Row(
        link.seal.path, claim.verdict or "", "", claim.run_id, claim.runbook, claim.state, claim.origin, claim.actor,
        started_at=claim.started_at, ended_at=claim.ended_at, deployed=claim.deployed, verified=claim.verified,
    )  # fmt: skip
