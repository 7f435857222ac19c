"""Runs that were sealed more than once: each seal but the last must belong to an attempt that the run itself reports.

A run is sealed when it ends, and again only if it was resumed. So any second seal that says something else is an alarm, and
so is a different signer while the first one's key was still in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.audit.seal import Seal
from ecr_widgets.errors import InputError
from ecr_widgets.model.record import Moment, RunState
from ecr_widgets.model.run import Attempt
from ecr_widgets.saved_runs.reading import read_header


class SealedRun(msgspec.Struct, frozen=True):
    """What is needed from one seal to compare it with others of the run."""

    prefix: str
    """The prefix of the names in its chain."""
    place: int
    """Its place in the chain, counting from 1."""
    path: str
    run_id: str
    state: str | None
    ended_at: str | None
    file_sha256: str
    form_sha256: str
    sealed_at: Moment
    key: str
    by_engine: bool
    """Whether our engine made the run: it saves each run in one file; by hand a run may be saved under several names."""

    @property
    def where(self) -> str:
        """The seal's place, for people."""
        return f"seal {self.place}{f' of {self.prefix}' if self.prefix else ''}"


def sealed_run(seal: Seal, prefix: str, place: int, *, path: str | None = None) -> SealedRun | None:
    """Return what to compare of a seal; None if it does not seal a run.

    Args:
        prefix: The prefix of the names in its chain.

        path: The notebook's path, if it is not prefix and name.
    """
    if not seal.run_id or seal.retired:
        return None
    return SealedRun(
        prefix,
        place,
        prefix + seal.path if path is None else path,
        seal.run_id,
        seal.run.state,
        seal.run.ended_at,
        seal.notebook.sha256,
        seal.notebook.form_sha256,
        seal.sealed_at,
        seal.key,
        by_engine="ecr_widgets" in seal.notebook.metadata,
    )


def resealed(
    newest: SealedRun, others: Iterable[SealedRun], content: bytes, keys: Mapping[str, KeyFile]
) -> tuple[str, ...]:
    """Return what contradicts the newest seal in a run's earlier seals, in words; empty if nothing does.

    Args:
        others: Other seals of the run, in any chain.

        content: The file, which matches the newest seal.
    """
    earlier = [each for each in others if _is_against(each, newest)]
    if not earlier:
        return ()
    reasons: list[str] = []
    attempts = _attempts_of(content)
    seen = {newest.form_sha256}
    for each in sorted(earlier, key=lambda each: (each.sealed_at, each.prefix, each.place)):
        if each.form_sha256 == newest.form_sha256:
            key = keys.get(each.key)
            if each.key != newest.key and (key is None or key.valid_until > newest.sealed_at):
                reasons.append(
                    f"{each.where} of the same content is by key {each.key}, this one by {newest.key}"
                )
        elif each.form_sha256 not in seen:
            seen.add(each.form_sha256)
            its = next((attempt for attempt in attempts if _is_of(each, attempt)), None)
            if its is not None and each.state != RunState.SUCCEEDED:
                attempts.remove(its)
                continue
            ended = f", ended {each.ended_at}" if each.ended_at else ""
            reasons.append(
                f"{each.where} says something else of this run ({each.state}{ended}), and no attempt accounts for it"
            )
    return tuple(reasons)


def are_of_attempts(seals: Iterable[SealedRun], content: bytes) -> bool:
    """Whether each seal belongs to an attempt that the run reports and has since resumed, not to its current content."""
    attempts = _attempts_of(content)
    return all(
        each.state != RunState.SUCCEEDED and any(_is_of(each, attempt) for attempt in attempts)
        for each in seals
    )


def other_signer(first: str, later: str, sealed_at: datetime, keys: Mapping[str, KeyFile]) -> str:
    """Say that a later seal is by another key than the first; empty if it is not, or if the first key was no longer valid."""
    key = keys.get(first)
    if later == first or (key is not None and key.valid_until <= sealed_at):
        return ""
    return f"key {first} had sealed it, and key {later} is another's"


def _is_against(each: SealedRun, newest: SealedRun) -> bool:
    if each.prefix == newest.prefix:
        came_before = each.place < newest.place
    else:
        came_before = each.sealed_at <= newest.sealed_at
    return came_before and (each.by_engine or newest.by_engine or each.path == newest.path)


def _is_of(sealed: SealedRun, attempt: Attempt) -> bool:
    """Whether the seal belongs to exactly this attempt."""
    if attempt.form_sha256 is not None or attempt.file_sha256 is not None:
        return bool(attempt.form_sha256 == sealed.form_sha256 or attempt.file_sha256 == sealed.file_sha256)
    # An earlier release recorded no hashes. A killed run was sealed as running.
    was_killed = sealed.state == RunState.RUNNING and attempt.state == RunState.INTERRUPTED
    return bool((attempt.state == sealed.state or was_killed) and attempt.ended_at == sealed.ended_at)


def _attempts_of(content: bytes) -> list[Attempt]:
    with suppress(InputError):
        return list(read_header(content, Path()).earlier_attempts)
    return []
