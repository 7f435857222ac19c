"""One history for a service, also if it has several names, as one that was adopted from Layer0, or its runs several copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from ecr_widgets.audit.findings import Finding
from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.record import RunState


class OneHistory(NamedTuple):
    """Rows in which each run is there once and each service has one name, and the service's other names."""

    rows: Sequence[Row]
    other_names: Mapping[str, tuple[str, ...]]
    """As environment/service, by the name that the service has in the rows."""


def one_history(rows: Iterable[Row], adopted: Iterable[Iterable[str]]) -> OneHistory:
    """Keep one row of each run, and in all rows give each service the name that was used last.

    A run has several rows where somebody duplicated its notebook, for example in JupyterLab.

    Args:
        rows: Newest first.

        adopted: Groups of names, one group per service, from `Index.adopted`.
    """
    rows, groups = _once(rows), _joined(adopted)
    group_of = {name: names for names in groups for name in names}
    current: dict[frozenset[str], str] = {}
    for name in (name for row in rows for name in (*row.deployed, *row.verified)):
        if name in group_of:
            current.setdefault(group_of[name], name)
    for names in groups:
        current.setdefault(names, max(names, key=lambda name: (is_ecs(name), name)))
    called = {name: current[names] for name, names in group_of.items()}
    if called:
        rows = [_renamed(row, called) for row in rows]
    return OneHistory(rows, {name: tuple(sorted(names - {name})) for names, name in current.items()})


def _once(rows: Iterable[Row]) -> list[Row]:
    runs: dict[str, Row] = {}
    for row in rows:
        of_run = row.run_id or row.path
        runs[of_run] = max(runs.get(of_run, row), row, key=_rank)
    return list(runs.values())


def _rank(row: Row) -> tuple[bool, bool, bool]:
    """How likely a row is that of the run's own notebook.

    A copy has no seal under its name, and may be half a run; another run's notebook may have been given this run's id.
    """
    return (
        row.seal not in (None, Finding.UNSEALED),
        row.verdict != Verdict.TAMPERED,
        row.state != RunState.RUNNING,
    )


def _joined(adopted: Iterable[Iterable[str]]) -> list[frozenset[str]]:
    """Join groups that share a name: a service may have been adopted twice."""
    groups: list[frozenset[str]] = []
    for names in map(frozenset, adopted):
        shared = [each for each in groups if each & names]
        groups = [*(each for each in groups if not each & names), names.union(*shared)]
    return groups


def _renamed(row: Row, called: Mapping[str, str]) -> Row:
    def each(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(called.get(name, name) for name in names))

    if called.keys().isdisjoint((*row.services, row.target)):
        return row
    return replace(
        row,
        services=each(row.services),
        deployed=each(row.deployed),
        verified=each(row.verified),
        down=each(row.down),
        rolled_back=each(row.rolled_back),
        brought_back=each(row.brought_back),
        target=called.get(row.target, row.target),
    )
