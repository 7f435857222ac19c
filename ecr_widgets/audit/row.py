"""One row of an audit: what lists, figures and reports need from a run, small enough to keep 100,000 of them."""

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
"""Increment when the content of a row changes, or how it is made."""
MADE_BY = 100 * RULES + _SHAPE
"""The version of all rules behind a row: a row sealed with another number is made again from the notebook."""
MAX_LINE_BYTES = 100_000
"""A run whose sealed row would be longer is sealed without it, because the chain is read whole."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One notebook with its verdict; members that a foreign or unreadable notebook lacks are None."""

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
    """Services that the run changed or looked at, as environment/service, sorted."""
    digests: tuple[str, ...] = ()
    """Digests of images in the run's records, sorted."""

    seal: str | None = None
    """What `verify` finds about the run's seal; None if seals were not checked, or if it is not a finished run."""
    deployed: tuple[str, ...] = ()
    """Those of the services that the run deployed to or tried to; not those that were already on the deploy."""
    verified: tuple[str, ...] = ()
    """Those of the services that it found running the right image."""
    outcome: str | None = None
    """What became of the run, for people: `refused`, `left down`, …; see `saved_runs.outcome`."""
    outcome_words: str = ""
    """The outcome with details: `refused: nothing changed`."""
    image: str = ""
    """The image that the run is about, as repository:tag."""
    target: str = ""
    """Where the image goes, as environment/service."""
    note: str = ""
    """The reason for the run, from its operation note."""
    down: tuple[str, ...] = ()
    """Services that it left on a deploy that they do not run."""
    rolled_back: tuple[str, ...] = ()
    """Services that did not run what it moved them to, and that it rolled back."""
    brought_back: tuple[str, ...] = ()
    """Services that it rolled back from an earlier run's deploy."""
    restored_s: float | None = None
    """Longest time, in seconds, between moving one of `rolled_back` and rolling it back."""
    pushed_at: str | None = None
    """When it pushed or copied its image."""
    overridden: str = ""
    """The reason for overriding a policy; empty if none was overridden."""

    @property
    def what(self) -> str:
        """The image and its target, with an arrow between them."""
        return " → ".join(filter(None, (self.image, self.target)))

    @property
    def remark(self) -> str:
        """The reason for its verdict, after any policy override."""
        override = f"gate overridden: {self.overridden}" if self.overridden else ""
        return "; ".join(filter(None, (override, self.why)))

    def to_json(self) -> dict[str, Any]:
        """The row as `audit list --json` prints it."""
        members: dict[str, Any] = msgspec.to_builtins(self)
        return members


class SealedRow(msgspec.Struct, frozen=True):
    """A row next to its run's seal, which signs its hash, so that a list need not open the notebook."""

    row: Row
    made_by: int
    adopted: tuple[str, ...]
    """All names of the service that the run adopted."""
    stamp: Stamp
    """The notebook's stamp when it was sealed."""

    def to_line(self) -> bytes | None:
        """Return it as one line, or None if that would be too long."""
        line = encode_row(self)
        return line if len(line) <= MAX_LINE_BYTES else None


class RowLine(NamedTuple):
    """What an index needs from a row."""

    verdict: str
    state: str | None
    runbook: str | None
    run_id: str | None
    started_at: str | None
    row: bytes
    """The whole row as JSON."""
    touched: tuple[tuple[str, str], ...]
    """What the run can be found by, as kind and name: services, digests, and names of an adopted service."""
    stamp: Stamp


def line_of(row: Row, adopted: tuple[str, ...], stamp: Stamp) -> RowLine:
    """Return what an index needs from a row that was just made."""
    return _line_of(row, encode_row(row), adopted, stamp)


def read_row(line: bytes, path: str) -> RowLine | None:
    """Return the row in a line of `SealedRow` for the notebook at a path; None if it cannot be read or other rules made it."""
    try:
        sealed = _decode(line)
        if sealed.made_by != MADE_BY:
            return None
        row = _decode_found(sealed.row)
        if row.path == path:
            return _line_of(row, bytes(sealed.row), sealed.adopted, sealed.stamp)
        return line_of(
            msgspec.structs.replace(decode_row(sealed.row), path=path), sealed.adopted, sealed.stamp
        )
    except (msgspec.MsgspecError, RecursionError):
        return None


def row_in(line: bytes) -> Row | None:
    """Return the whole row in such a line, no matter which rules made it; None if it cannot be read."""
    try:
        return decode_row(_decode(line).row)
    except (msgspec.MsgspecError, RecursionError):
        return None


class _Found(msgspec.Struct, frozen=True, gc=False):
    """The members of a row that runs are found by."""

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
    """Return the row for what was found, and all names of the service that the run adopted."""
    if isinstance(found, NoRun):
        return Row(found.path, str(judgement.verdict), judgement.why), ()
    done = subjects_of(found)
    result = outcome_of(found, found.steps, held=found.held, is_plan=found.is_plan)
    return (
        Row(
            found.path,
            # Plain strings: passing enum members between processes takes several times longer.
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
            # The index stores 64-bit integers.
            within_reach(found.parameters),
            tuple(sorted(name for kind, name in done.pairs if kind == "service")),
            tuple(sorted(name for kind, name in done.pairs if kind == "digest")),
            deployed=tuple(name for name, changed in done.deployed.items() if changed),
            verified=tuple(sorted(done.verified)),
            outcome=str(result.outcome),
            outcome_words=result.words,
            image=result.image,
            target=result.target,
            note=found.note[:_LONGEST_NOTE],
            down=result.services("down"),
            rolled_back=result.services("back", was_down=True),
            brought_back=result.services("back", was_down=False),
            restored_s=result.restored_s,
            pushed_at=to_rfc3339(result.pushed_at),
            overridden=_overridden(found),
        ),
        tuple(sorted(done.adopted)),
    )


def _overridden(run: Run) -> str:
    for step in run.steps:
        if step.step == "check_evidence" and step.outcome.get("decision") == "overridden":
            return str(step.outcome.get("override"))
    return ""


_decode = msgspec.json.Decoder(_Line).decode
_decode_found = msgspec.json.Decoder(_Found).decode
encode_row = msgspec.json.Encoder().encode
decode_row = msgspec.json.Decoder(Row).decode
