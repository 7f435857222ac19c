"""Sealing finished runs: the engine calls `seal_finished_run` once after its last write, `audit seal` what was missed."""

from __future__ import annotations

import atexit
import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from ecr_widgets.audit.canonical import canonical, form_of, within_reach
from ecr_widgets.audit.chain import SEAL_VERSION, Link, Seal, appending, chain_file, read_links
from ecr_widgets.audit.found import Run
from ecr_widgets.audit.holders import is_held
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.reading import read_bytes, read_content
from ecr_widgets.audit.scan import shown_name
from ecr_widgets.audit.spread import spread
from ecr_widgets.audit.touched import touched
from ecr_widgets.errors import EcrWidgetsError, RecordError
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import to_rfc3339


def seal_finished_run(path: Path, *, at_exit: bool = False) -> None:
    """Seal one saved run in its folder; a run that cannot be sealed stays as good as it was, and stderr says why.

    Args:
        path: The saved run, finished.

        at_exit: Whether to wait for the end of this process, because somebody else, papermill, still writes the file.
    """
    if at_exit:
        atexit.register(seal_finished_run, path)
        return
    try:
        seal_run(path.parent, path.name, ring=default_ring(), now=datetime.now(UTC))
    except (EcrWidgetsError, OSError, ValueError, RecursionError) as error:
        print(f"the run is saved but not sealed: {error}", file=sys.stderr)  # noqa: T201


def seal_run(runs: Path, name: str, *, ring: KeyRing, now: datetime) -> Seal | None:
    """Seal one run; nothing is added where the chain ends with a seal of just this file.

    Raises:
        RecordError: Not a finished run, or a chain that cannot be added to.

        SettingsError: There is no key to sign with.

        OSError: The file cannot be read or the chain not be written.
    """
    key, private = ring.signing_key(now=now)
    draft = _draft(runs, name, key=key.key, now=now)
    with appending(runs) as chain:
        if chain.last and (chain.last.path, chain.last.file_sha256) == (name, draft.file_sha256):
            return None
        seal = chain.add(draft, private.sign)
        chain.write()
        return seal


def _draft(runs: Path, name: str, *, key: str, now: datetime) -> Seal:
    """The seal but for its place in the chain."""
    if name != shown_name(name):
        raise RecordError(f"{shown_name(name)!r} cannot be sealed: its name is not UTF-8", hint="rename it")
    content = read_bytes(runs / name)
    run = read_content(content, name)
    if not isinstance(run, Run):
        raise RecordError(f"{name!r} is {run.kind}: {run.why}")
    if run.state is RunState.RUNNING and is_held(runs / name):
        raise RecordError(f"{name!r} is running now")
    form = form_of(content)
    pairs = touched(run)
    return Seal(
        version=SEAL_VERSION,
        n=0,
        project="",
        previous=None,
        path=name,
        run_id=run.run_id,
        runbook=run.runbook,
        runbook_sha256=run.runbook_sha256,
        state=run.state.value,
        started_at=to_rfc3339(run.started_at) if run.started_at else None,
        ended_at=to_rfc3339(run.ended_at) if run.ended_at else None,
        actor=run.actor,
        digests=tuple(sorted(value for kind, value in pairs if kind == "digest")),
        deploys=tuple(sorted(value for kind, value in pairs if kind == "deploy")),
        parameters_sha256=hashlib.sha256(canonical(within_reach(run.parameters))).hexdigest(),
        file_sha256=hashlib.sha256(content).hexdigest(),
        form_sha256=form.sha256,
        metadata=dict(form.metadata),
        cells=form.cells,
        sealed_at=now,
        key=key,
    )


def seal_missing(runs: Path, names: Iterable[str], *, ring: KeyRing, now: datetime) -> list[str]:
    """Seal every run that has no seal and is not running, in the order given: killed ones and plain papermill's too.

    A run whose seal disagrees with its file is left alone: that is for `audit verify` to tell. Runs are read without the
    chain's lock; each hundred is then added under it and synchronized once, so that a crash costs the seals of some
    and never the chain.

    Returns:
        Names of the files sealed.

    Raises:
        RecordError: A chain that cannot be read, added to or written.

        SettingsError: There is no key to sign with.
    """
    content = _content_of(runs)
    sealed = {link.seal.path for link in read_links(content) if link.seal}
    seen = content.rfind(b"\n") + 1
    due = [name for name in names if name not in sealed]
    done: list[str] = []
    if not due:
        return done
    key, private = ring.signing_key(now=now)
    drafts = spread(partial(_draft_or_none, runs, key=key.key, now=now), due)
    with closing(drafts):
        while batch := list(islice(drafts, _BATCH)):
            try:
                with appending(runs) as chain:
                    # What others have sealed since.
                    sealed |= {link.seal.path for link in chain.links_since(seen) if link.seal}
                    added = [
                        chain.add(each, private.sign).path
                        for each in batch
                        if each and each.path not in sealed
                    ]
                    chain.write()
                    seen = chain.end
            except OSError as error:
                raise RecordError(
                    f"the seals in {str(chain_file(runs))!r} cannot be written: {error.strerror}"
                ) from error
            done += added
            sealed.update(added)
    return done


def _draft_or_none(runs: Path, name: str, *, key: str, now: datetime) -> Seal | None:
    # A run that cannot be read, is running or has no canonical form is for another time.
    with suppress(RecordError, OSError, ValueError, RecursionError):
        return _draft(runs, name, key=key, now=now)
    return None


_BATCH = 100


def links_of(runs: Path) -> list[Link]:
    """The chain of a runs folder, empty where there is none.

    Raises:
        RecordError: It is there and cannot be read.
    """
    return list(read_links(_content_of(runs)))


def _content_of(runs: Path) -> bytes:
    try:
        # Opened so that a pipe in its place does not wait for a writer.
        handle = os.open(chain_file(runs), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RecordError(
                    f"the seals in {str(chain_file(runs))!r} cannot be read: not a regular file"
                )
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RecordError(
            f"the seals in {str(chain_file(runs))!r} cannot be read: {error.strerror}"
        ) from error
