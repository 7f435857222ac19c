"""One line of an audit: what lists, figures and reports need of a run, small enough to keep 100,000 of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ecr_widgets.audit.canonical import within_reach
from ecr_widgets.audit.judging import RULES, Judgement
from ecr_widgets.audit.run import Found, NoRun, Run
from ecr_widgets.audit.scan import Stamp
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.outcome import outcome_of

_LONGEST_NOTE = 500

_SHAPE = 2
"""Raised with each change of what a row holds, or of how it is made."""
MADE_BY = 100 * RULES + _SHAPE
"""Of all that is behind a row: one that was sealed with another number is made again, from the notebook."""
MAX_LINE_BYTES = 100_000
"""A run whose sealed row would be longer is sealed without it: the chain is read whole."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One notebook with its verdict; members that a foreign or unreadable one lacks are None."""

    path: str
    verdict: str
    why: str
    run_id: str | None = None
    runbook: str | None = None
    state: str | None = None
    origin: str | None = None
    actor: str | None = None
    host: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    parameters: Mapping[str, Any] = {}
    services: tuple[str, ...] = ()
    """Services that the run worked on or looked at, as environment/service, sorted."""
    digests: tuple[str, ...] = ()
    """Digests of images that the run's records name, sorted."""

    seal: str | None = None
    """What the run's seal says of it, as `verify` calls it; None where nobody asked, and for what is no finished run."""
    deployed: tuple[str, ...] = ()
    """Those of the services that the run deployed to, or set out to; not those that were on the deploy already."""
    verified: tuple[str, ...] = ()
    """Those of the services that it found to run what they should."""
    outcome: str | None = None
    """What became of it, for people: `refused`, `left down`, …; see `saved_runs.outcome`."""
    outcome_words: str = ""
    """The same with what people ask next: `refused: nothing changed`."""
    image: str = ""
    """What it is about, as repository:tag."""
    target: str = ""
    """Where it goes, as environment/service."""
    note: str = ""
    """Why it was made, from its operation note."""
    down: tuple[str, ...] = ()
    """Services that it moved and left on a deploy that they do not run."""
    rolled_back: tuple[str, ...] = ()
    """Services that did not run what it moved them to, and that it brought back."""
    brought_back: tuple[str, ...] = ()
    """Services that it brought back from a deploy of an earlier run."""
    restored_s: float | None = None
    """Longest time, in seconds, from moving one of `rolled_back` until it was back."""
    pushed_at: str | None = None
    """When it pushed or copied its image."""
    overridden: str = ""
    """Why it went on where a policy refused; empty where it did not."""

    @property
    def what(self) -> str:
        """The image, and where to."""
        return " → ".join(filter(None, (self.image, self.target)))

    @property
    def remark(self) -> str:
        """Why its verdict is what it is, and that a policy was overridden, whatever became of it."""
        override = f"gate overridden: {self.overridden}" if self.overridden else ""
        return "; ".join(filter(None, (override, self.why)))

    def to_json(self) -> dict[str, Any]:
        """The row as `audit list --json` prints it."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


class SealedRow(msgspec.Struct, frozen=True):
    """A row as it is kept beside its run's seal, which signs its hash: with it a list need not open the notebook."""

    row: Row
    made_by: int
    adopted: tuple[str, ...]
    """Each name of the service that the run adopted."""
    stamp: Stamp
    """Of the notebook when it was sealed."""

    def to_line(self) -> bytes | None:
        """It as one line, None where that would be too long."""
        line = _encode(self)
        return line if len(line) <= MAX_LINE_BYTES else None


class RowLine(NamedTuple):
    """What an index needs of a row."""

    verdict: str
    state: str | None
    runbook: str | None
    run_id: str | None
    started_at: str | None
    row: bytes
    """All of it, in JSON."""
    touched: tuple[tuple[str, str], ...]
    """What the run is found by: kind and name of each service, digest and name of an adopted service."""
    stamp: Stamp


def line_of(row: Row, adopted: tuple[str, ...], stamp: Stamp) -> RowLine:
    """What an index needs of a row that was just made."""
    return _line_of(row, encode_row(row), adopted, stamp)


def read_row(line: bytes, path: str) -> RowLine | None:
    """The row in a line of `SealedRow`, for the notebook at a path; None where other rules than these have made it."""
    try:
        sealed = _decode(line)
        if sealed.made_by != MADE_BY:
            return None
        found = _decode_found(sealed.row)
        if found.path == path:
            return _line_of(found, bytes(sealed.row), sealed.adopted, sealed.stamp)
        return line_of(
            msgspec.structs.replace(decode_row(sealed.row), path=path), sealed.adopted, sealed.stamp
        )
    except (msgspec.MsgspecError, RecursionError):
        return None


def row_in(line: bytes) -> Row | None:
    """The whole row in such a line, by whatever rules; None where it cannot be read."""
    try:
        return decode_row(_decode(line).row)
    except (msgspec.MsgspecError, RecursionError):
        return None


class _Found(msgspec.Struct, frozen=True, gc=False):
    """Those members of a row that runs are found by."""

    path: str
    verdict: str
    run_id: str | None = None
    runbook: str | None = None
    state: str | None = None
    started_at: str | None = None
    services: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class _Line(msgspec.Struct, frozen=True, gc=False):
    row: msgspec.Raw
    made_by: int
    adopted: tuple[str, ...]
    stamp: Stamp


def _line_of(row: Row | _Found, encoded: bytes, adopted: tuple[str, ...], stamp: Stamp) -> RowLine:
    touched = [("service", name) for name in row.services]
    touched += [("digest", name) for name in row.digests]
    touched += [("adopted", name) for name in adopted]
    return RowLine(
        row.verdict, row.state, row.runbook, row.run_id, row.started_at, encoded, tuple(touched), stamp
    )


def row_of(found: Found, judgement: Judgement) -> tuple[Row, tuple[str, ...]]:
    """The row of what was found, and each name of the service that the run adopted."""
    if isinstance(found, NoRun):
        return Row(found.path, str(judgement.verdict), judgement.why), ()
    done = subjects_of(found)
    told = outcome_of(found, found.steps, held=found.held, is_plan=found.is_plan)
    return (
        Row(
            found.path,
            # Plain texts: members of an enumeration take several times longer from process to process.
            str(judgement.verdict),
            judgement.why,
            found.run_id,
            found.runbook,
            str(found.state),
            str(found.origin),
            found.actor,
            found.host,
            to_rfc3339(found.started_at),
            to_rfc3339(found.ended_at),
            found.duration_s,
            # The index holds 64 bits.
            within_reach(found.parameters),
            tuple(sorted(name for kind, name in done.pairs if kind == "service")),
            tuple(sorted(name for kind, name in done.pairs if kind == "digest")),
            deployed=tuple(name for name, changed in done.deployed.items() if changed),
            verified=tuple(sorted(done.verified)),
            outcome=str(told.outcome),
            outcome_words=told.words,
            image=told.image,
            target=told.target,
            note=found.note[:_LONGEST_NOTE],
            down=told.services("down"),
            rolled_back=told.services("back", was_down=True),
            brought_back=told.services("back", was_down=False),
            restored_s=told.restored_s,
            pushed_at=to_rfc3339(told.pushed_at),
            overridden=_overridden(found),
        ),
        tuple(sorted(done.adopted)),
    )


def _overridden(run: Run) -> str:
    for step in run.steps:
        if step.step == "check_evidence" and step.outcome.get("decision") == "overridden":
            return str(step.outcome.get("override"))
    return ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode
_decode_found = msgspec.json.Decoder(_Found).decode
encode_row = msgspec.json.Encoder().encode
decode_row = msgspec.json.Decoder(Row).decode
