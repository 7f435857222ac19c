"""One line of an audit: what lists, figures and reports need of a run, small enough to keep 100,000 of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ecr_widgets.audit.canonical import within_reach
from ecr_widgets.audit.judging import Judgement
from ecr_widgets.audit.run import Found, NoRun
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.model.times import to_rfc3339


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

    def to_json(self) -> dict[str, Any]:
        """The row as `audit list --json` prints it."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


def row_of(found: Found, judgement: Judgement) -> tuple[Row, frozenset[tuple[str, str]]]:
    """The row of what was found, and what the run touched."""
    if isinstance(found, NoRun):
        return Row(found.path, str(judgement.verdict), judgement.why), frozenset()
    done = subjects_of(found)
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
        ),
        done.pairs | {("adopted", name) for name in done.adopted},
    )
