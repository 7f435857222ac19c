"""One run for each slot of a schedule, however often and on whichever host the scheduler starts it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.results import OpenRun, open_run
from ecr_widgets.errors import InputError, Replaced, TargetBusy
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RunState
from ecr_widgets.model.run_id import RUN_ID
from ecr_widgets.model.stored import Stamp

_SLOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}", re.ASCII)


def check_slot(slot: str) -> str:
    """Return the slot's name.

    Raises:
        InputError: The name cannot be part of a file name.
    """
    if not _SLOT.fullmatch(slot):
        raise InputError(
            f"slot {slot!r} refused",
            hint="up to 80 letters, digits and . _ : + -, such as nightly-2026-11-23T03:00Z",
        )
    return slot


def saved_name(run_id: str, runbook: str, *, slot: str | None, plan: bool) -> str:
    """Name of a run's file."""
    return f"{run_id}-{runbook}{'' if slot is None else f'@{slot}'}{'.plan' if plan else ''}.ipynb"


class Slot:
    """A slot and its runs.

    In a folder they are found by name. A bucket may hold a million runs, and its locks are leases that can be lost: there a
    pointer object names the slot's run before the run begins. A start that finds a pointer without a run uses the same name,
    which only one process can create.
    """

    def __init__(self, runs: Place, runbook: str, slot: str) -> None:
        self._runs = runs
        self._runbook = runbook
        self._slot = slot
        self._store = store_of(runs)
        self._pointer = f"slots/{runbook}/{slot}.json" if self._store.is_fenced else None
        self._named: str | None = None
        self._stamp: Stamp | None = None

    def find(self) -> OpenRun | None:
        """Its saved run, else its plan that waits for an approval; None if it has neither yet.

        Anyone who can write to the folder can leave a file with that name. A file is trusted only if it is sealed as a run of
        this runbook, with a key that is known here, or if it is this user's and was killed before it could be sealed: if others
        may write to the folder, only if it did not succeed. stderr names those that are not trusted.

        Raises:
            InputError: In a bucket, its run is not trusted.

            RecordError: The seals cannot be read.
        """
        exactly = re.escape(f"{self._runbook}@{self._slot}")
        candidates = []
        for name in self._names():
            match = re.fullmatch(rf"(?P<id>{RUN_ID})-{exactly}(?P<plan>\.plan)?\.ipynb", name)
            if match is not None:
                candidates.append((match["plan"] is None, self._runs / name, match["id"]))
        for _, path, run_id in sorted(candidates, reverse=True):
            try:
                run = open_run(path)
                why_not = _why_not(run, run_id, self._runbook)
            except InputError as error:
                why_not = error.message
            if not why_not:
                return run
            if self._pointer is not None:
                # Anyone who can write to the bucket may have written it, but running it again might repeat what it did.
                raise InputError(
                    f"slot {self._slot} has run {run_id}, which {why_not}",
                    hint="seal it with `ecr-widgets audit seal` if it has no seal, trust the key of the person who ran it"
                    " with `ecr-widgets audit key trust`, or give the slot another name",
                )
            sys.stderr.write(
                f"ecr-widgets: {path.name} does not count as the run of slot {self._slot}: it {why_not}\n"
            )
        return None

    def claim(self, *, plan: bool) -> str:
        """The id for the run that begins now: a new one, or that of an earlier start that never saved anything.

        Raises:
            TargetBusy: Somebody else has begun one meanwhile.
        """
        named = self._named or ""
        run_id = named[: -len(self._name("", plan=plan))]
        if re.fullmatch(RUN_ID, run_id) and self._store.read(named) is None:
            return run_id
        run_id = new_run_id()
        self.point_at(self._name(run_id, plan=plan))
        return run_id

    def point_at(self, name: str) -> None:
        """Record the name of the slot's run before it begins; does nothing in a folder.

        Raises:
            TargetBusy: Somebody else has begun one meanwhile.
        """
        if self._pointer is None:
            return
        if self._named is None:
            self._read_pointer()
        try:
            content = json.dumps({"saved": name}).encode()
            self._stamp = self._store.put(self._pointer, content, replacing=self._stamp, final=False)
        except Replaced as error:
            raise _busy(self._runbook, self._slot, None) from error

    def _name(self, run_id: str, *, plan: bool) -> str:
        return saved_name(run_id, self._runbook, slot=self._slot, plan=plan)

    def _names(self) -> Iterator[str]:
        if self._pointer is None:
            yield from self._store.names()
            return
        self._read_pointer()
        if self._named and self._store.read(self._named) is not None:
            yield self._named

    def _read_pointer(self) -> None:
        assert self._pointer is not None
        stored = self._store.read(self._pointer)
        if stored is not None:
            self._stamp = stored.stamp
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                self._named = str(json.loads(stored.content)["saved"])


def find_in_slot(runs: Place, runbook: str, slot: str) -> OpenRun | None:
    """The result of `Slot.find`, for callers that do not hold the slot."""
    return Slot(runs, runbook, slot).find()


def _why_not(run: OpenRun, run_id: str, runbook: str) -> str:
    header, path = run.header, run.path
    if (header.run_id, header.runbook) != (run_id, runbook):
        return f"says that it is run {header.run_id} of {header.runbook}"
    is_own = not isinstance(path, Path) or path.stat().st_uid == os.geteuid()
    if header.state is RunState.RUNNING:
        return "" if is_own else "is another user's, and unfinished"
    # Imported here, because the first start of a slot needs neither.
    from ecr_widgets.audit.keys import default_ring
    from ecr_widgets.audit.sealed import look_at_seal

    sealed = look_at_seal(path.parent, path.name, run.content, ring=default_ring())
    if sealed.seal is None and is_own and (header.state is not RunState.SUCCEEDED or _is_private(path)):
        # Killed between its last save and its seal. It is resumed with the runbook's own cells, so its work counts; that it
        # has succeeded is trusted only if nobody else can have written it.
        return ""
    return sealed.why_not


def _is_private(path: Place) -> bool:
    """Whether it is a file that only this user can have written."""
    if not isinstance(path, Path):
        return False
    about = [each.lstat() for each in (path, path.parent)]
    return all(each.st_uid == os.geteuid() and not each.st_mode & 0o022 for each in about)


def slot_of_plan(saved: Place, run_id: str, runbook: str) -> str | None:
    """The slot for which a plan was made; None if it was made for none."""
    rest = saved.name.removeprefix(f"{run_id}-{runbook}").removesuffix(".plan.ipynb")
    return rest[1:] if rest.startswith("@") else None


@contextmanager
def hold_slot(runs: Place, runbook: str, slot: str) -> Iterator[Slot]:
    """Keep other processes out of the slot within the block.

    Raises:
        TargetBusy: Another process is working on it.

        InputError: The slot cannot be held.
    """
    store, name = store_of(runs), f"{runbook}@{slot}"
    try:
        lease = store.hold(name)
    except OSError as error:
        raise InputError(
            f"slot {slot} of {runbook} cannot be held by {str(runs / f'.{name}.lock')!r}: {error.strerror}",
            hint="remove that file, or check the permissions of its folder"
            if isinstance(runs, Path)
            else "see `ecr-widgets doctor`",
        ) from error
    if lease is None:
        raise _busy(runbook, slot, None if isinstance(runs, Path) else store.holder(name))
    with lease:
        yield Slot(runs, runbook, slot)


def _busy(runbook: str, slot: str, holder: str | None) -> TargetBusy:
    return TargetBusy(
        f"slot {slot} of {runbook} is being run by {holder or 'another process'}",
        run_id="",
        holder=f"slot {slot}",
        hint="wait for that run: a slot runs once",
    )
