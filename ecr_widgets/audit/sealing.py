"""Sealing finished runs: the engine calls `seal_finished_run` after its last write; `audit seal` seals what was missed."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.canonical import form_of
from ecr_widgets.audit.chain import appending, chain_file, content_of, contents_of
from ecr_widgets.audit.claims import claim_of
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.parallel import in_parallel
from ecr_widgets.audit.reading import os_reason, read_bytes, read_content
from ecr_widgets.audit.row import MADE_BY, SealedRow, row_of
from ecr_widgets.audit.run import Run
from ecr_widgets.audit.run_files import stored_stamp
from ecr_widgets.audit.scan import Stamp, is_listed, settled_stamp, shown_name
from ecr_widgets.audit.seal import Link, Notebook, Seal, read_links
from ecr_widgets.audit.seal_objects import append, chains_of_days
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.errors import EcrWidgetsError, RecordError
from ecr_widgets.locks import is_held, lock_of
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.model.bucket_path import Place as SavedAt
from ecr_widgets.model.record import RunState
from ecr_widgets.model.run_id import RUN_ID
from ecr_widgets.ports.run_store import RunStore

MAX_SEAL_BYTES = 1_000_000
"""A run that needs a larger seal gets none, because every reader reads the whole chain."""


def seal_at_exit(path: SavedAt, then: Callable[[SavedAt], str | None]) -> None:
    """Seal a saved run when this process ends, because papermill writes its file until then; failures go to stderr.

    Args:
        then: Called with a sealed run; returns what else to print on stderr.
    """

    def seal() -> None:
        why_not = seal_finished_run(path)
        said = f"the run is saved but not sealed: {why_not}" if why_not else then(path)
        if said:
            print(said, file=sys.stderr)  # noqa: T201

    atexit.register(seal)


def seal_finished_run(path: SavedAt) -> str | None:
    """Seal one saved run where it is saved; if that fails, the run itself is unaffected.

    Returns:
        Why it could not be sealed, or None.
    """
    if not is_listed(path.name):
        # Its seal would name a file that `verify` does not find.
        return f"{path.name!r} does not end in .ipynb, or begins with a dot, so that no list shows it"
    try:
        if isinstance(path, Path):
            seal_run(path.parent, path.name, ring=default_ring(), now=datetime.now(UTC))
        else:
            _seal_in_bucket(path, ring=default_ring(), now=datetime.now(UTC))
    except OSError as error:
        return f"{f'{str(error.filename)!r}: ' if error.filename else ''}{os_reason(error)}"
    except (EcrWidgetsError, ValueError, RecursionError) as error:
        return str(error)
    return None


def seal_run(runs: Path, name: str, *, ring: KeyRing, now: datetime) -> Seal | None:
    """Seal one run; add nothing if the chain already ends with a seal of exactly this file.

    Raises:
        RecordError: Not a finished run, or the chain cannot be extended.

        SettingsError: There is no usable signing key.

        OSError: The file cannot be read, or the chain cannot be written.
    """
    key, signer = ring.signing_key(now=now)
    draft = _draft(runs, name, now=now)
    with appending(runs, key) as chain:
        last = chain.last
        if (
            last
            and not last.retired
            and (last.path, last.notebook.sha256) == (name, draft.seal.notebook.sha256)
        ):
            return None
        seal = chain.add(draft.seal, signer.sign, row=draft.row)
        chain.write()
        return seal


class _Draft(NamedTuple):
    """A seal without its key and its place in the chain, and the line with the run's row."""

    seal: Seal
    row: bytes | None


def _seal_in_bucket(path: BucketPath, *, ring: KeyRing, now: datetime) -> None:
    key, signer = ring.signing_key(now=now)
    store = bucket_store(path.parent)
    draft = _draft_in_bucket(store, path, now=now)
    append(store, draft.seal, key, signer.sign, row=draft.row)


def _draft_in_bucket(store: RunStore, path: BucketPath, *, now: datetime) -> _Draft:
    stored = store.read(path.name)
    if stored is None:
        raise RecordError(f"{str(path)!r} is gone")
    run = _finished(stored.content, path.name)
    if run.state is RunState.RUNNING and (holder := store.holder(path.name)):
        raise RecordError(f"{str(path)!r} is running now: {holder}")
    return _draft_of(run, stored.content, path.name, stamp=stored_stamp(stored.stamp), now=now)


def _draft(runs: Path, name: str, *, now: datetime) -> _Draft:
    if name != shown_name(name):
        raise RecordError(f"{shown_name(name)!r} cannot be sealed: its name is not UTF-8", hint="rename it")
    stamp = settled_stamp(runs / name)
    content = read_bytes(runs / name)
    run = _finished(content, name)
    if run.state is RunState.RUNNING:
        if is_held(lock_of(runs / name)):
            raise RecordError(f"{name!r} is running now")
        if (runs / name).stat().st_uid != os.geteuid():
            # In a shared folder it may be running on another host.
            raise RecordError(
                f"{name!r} is another user's and says that it is running", hint="leave it to them"
            )
    return _draft_of(run, content, name, stamp=stamp, now=now)


def _finished(content: bytes, name: str) -> Run:
    run = read_content(content, name)
    if not isinstance(run, Run):
        raise RecordError(f"{name!r} is {run.kind}: {run.why}")
    return run


def _draft_of(run: Run, content: bytes, name: str, *, stamp: Stamp, now: datetime) -> _Draft:
    form, judgement = form_of(content), judge(run)
    seal = Seal(
        claim_of(run, judgement, subjects_of(run)),
        Notebook(name, hashlib.sha256(content).hexdigest(), form.sha256, dict(form.metadata), form.cells),
        sealed_at=now,
        key="",
    )
    if len(msgspec.json.encode(seal)) > MAX_SEAL_BYTES:
        raise RecordError(
            f"{name!r} cannot be sealed: its seal would be larger than {MAX_SEAL_BYTES // 1_000_000} MB"
        )
    row, adopted = row_of(run, judgement)
    return _Draft(seal, SealedRow(row, MADE_BY, adopted, stamp).to_line())


def seal_missing(runs: SavedAt, names: Iterable[str], *, ring: KeyRing, now: datetime) -> list[str]:
    """Seal every run that has no seal and is not running, including killed runs and plain papermill's.

    The order of the names does not matter: if one run has several files, the one that the engine named gets the seal, or else the
    one with the shortest name. A run whose seal disagrees with its file is left alone, and so is a copy of a sealed run under
    another name: `audit verify` reports both. A run that was sealed in its own subfolder needs no second seal. Runs are read
    without the chain's lock; each hundred is then added under the lock and synced once, so that a crash loses some seals but
    never the chain.

    Returns:
        Names of the files sealed.

    Raises:
        RecordError: A chain cannot be read, extended or written.

        SettingsError: There is no usable signing key.

        OSError: A bucket does not answer.
    """
    if not isinstance(runs, Path):
        return list(_seal_missing_in_bucket(runs, names, ring=ring, now=now))
    seen = content_of(runs).rfind(b"\n") + 1
    # One link at a time: all links of a long chain would take gigabytes.
    known = _Sealed((prefix, read_links(content)) for prefix, content, _ in contents_of(runs))
    due = sorted((name for name in names if name not in known.names), key=_originals_first)
    done: list[str] = []
    if not due:
        return done
    drafts = in_parallel(partial(_draft_or_none, runs, now=now), due)
    with closing(drafts):
        while batch := list(islice(drafts, _BATCH)):
            if not any(batch):
                continue
            # Fetched for each batch: the key may have been retired meanwhile.
            key, signer = ring.signing_key(now=now)
            try:
                with appending(runs, key) as chain:
                    # What other processes have sealed since.
                    known.note(chain.links_since(seen))
                    added = []
                    for each in batch:
                        if each and known.lacks(each.seal):
                            added.append(chain.add(each.seal, signer.sign, row=each.row).path)
                            known.add(each.seal)
                    chain.write()
                    seen = chain.end
            except OSError as error:
                raise RecordError(
                    f"the seals in {str(chain_file(runs))!r} cannot be written: {error.strerror}"
                ) from error
            done += added
    return done


def _seal_missing_in_bucket(
    runs: BucketPath, names: Iterable[str], *, ring: KeyRing, now: datetime
) -> Iterator[str]:
    store = bucket_store(runs)
    known = _Sealed(("", links) for _, links, _ in chains_of_days(store))
    for name in sorted((name for name in names if name not in known.names), key=_originals_first):
        # Skip a run that cannot be read, is running or has no canonical form.
        with suppress(RecordError, ValueError, RecursionError):
            draft = _draft_in_bucket(store, runs / name, now=now)
            if known.lacks(draft.seal):
                key, signer = ring.signing_key(now=now)
                append(store, draft.seal, key, signer.sign, row=draft.row)
                known.add(draft.seal)
                yield name


class _Sealed:
    """The names and runs that have a seal in any of several chains."""

    def __init__(self, chains: Iterable[tuple[str, Iterable[Link]]]) -> None:
        self.names: set[str] = set()
        self._runs: set[str | None] = set()
        for prefix, links in chains:
            self.note(links, prefix)

    def note(self, links: Iterable[Link], prefix: str = "") -> None:
        """Note the seals of a chain."""
        for link in links:
            if link.seal:
                self.add(link.seal, prefix)

    def add(self, seal: Seal, prefix: str = "") -> None:
        """Note one seal."""
        self.names.add(prefix + seal.path)
        self._runs.add(seal.run_id)

    def lacks(self, draft: Seal) -> bool:
        """Whether neither the name nor, under another name, the run has a seal."""
        # Only our engine saves each run in one file; by hand one run may be saved under several names.
        is_copy = draft.run.runbook_sha256 is not None and draft.run_id in self._runs
        return draft.path not in self.names and not is_copy


def _originals_first(name: str) -> tuple[str, int, int, str]:
    """Sort key: names that our engine gave, by time, then the rest; a copy, with a longer or deeper name, after its original."""
    file = PurePosixPath(name).name
    named = _NAMED_BY_ENGINE.match(file)
    return (named[0] if named else "~", name.count("/"), len(file), name)


def _draft_or_none(runs: Path, name: str, *, now: datetime) -> _Draft | None:
    # Skip a run that cannot be read, is running or has no canonical form.
    with suppress(RecordError, OSError, ValueError, RecursionError):
        return _draft(runs, name, now=now)
    return None


_BATCH = 100
_NAMED_BY_ENGINE = re.compile(rf"{RUN_ID}-")
"""Names that `ecr-widgets run` gives begin with the run's id."""
