"""The differences between two runs: parameters, runbook, steps, digests and outcomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ecr_widgets.audit.outputs import differing_lines, outputs_of
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.run_files import files_of
from ecr_widgets.audit.showing import show_run
from ecr_widgets.model.bucket_path import Place

_ALWAYS_OTHER = ("_at", "_s", "run_id")
"""Endings of the names of members that differ in every run, so that a difference means nothing."""
_MAX_LINES = 10
"""Per cell's output, since every line of a log may differ."""
_ABOUT = ("verdict", "state", "origin", "actor", "host", "runbook", "runbook_sha256")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two differ; None if a run has nothing there."""

    what: str
    """`parameter tag`, `step push_image digest`, `state`."""
    older: str | None
    newer: str | None


def compare_runs(runs: Place, older: Row, newer: Row) -> tuple[Difference, ...]:
    """Compare two saved runs, including their cells' output: for each cell the first lines that only one run has."""
    changes = differences(show_run(runs, older), show_run(runs, newer))
    first, second = (outputs_of(files_of(runs), row.path) for row in (older, newer))
    return (
        *changes,
        *(
            Difference(f"output of cell {cell_id}", before, after)
            for cell_id in dict.fromkeys((*first, *second))
            for before, after in islice(
                differing_lines(first.get(cell_id, ""), second.get(cell_id, "")), _MAX_LINES
            )
        ),
    )


def differences(older: Mapping[str, Any], newer: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare two runs in the form that `show_run` returns.

    A Dockerrun is compared setting by setting, as far as its step recorded them, and by the hash of its whole content. If only
    the hash differs, values that no run records differ, such as those of environment variables.
    """
    first, second = dict(_facts(older)), dict(_facts(newer))
    return tuple(
        Difference(what, first.get(what), second.get(what))
        for what in dict.fromkeys((*first, *second))
        if first.get(what) != second.get(what)
    )


def _facts(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _ABOUT:
        if shown.get(name) is not None:
            yield name, str(shown[name])
    for name, value in shown["parameters"].items():
        yield f"parameter {name}", _text(value)
    seen: Counter[str] = Counter()
    for step in shown["steps"]:
        seen[step["step"]] += 1
        again = f" ({seen[step['step']]})" if seen[step["step"]] > 1 else ""
        place = f"step {step['step']}{again}"
        yield f"{place} state", step["state"]
        yield f"{place} changed", _text(step["changed"])
        for part in ("inputs", "outcome", "error"):
            for name, value in (step[part] or {}).items():
                if name == "settings" and isinstance(value, Mapping):
                    yield from ((f"{place} {at}", _text(setting)) for at, setting in value.items())
                elif not name.endswith(_ALWAYS_OTHER):
                    yield f"{place} {name}", _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
