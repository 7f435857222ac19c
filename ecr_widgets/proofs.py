"""Which deploys a service is proven to have run: the verified ones of saved runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.saved_runs.reading import read_records

_NEWEST = 200
"""Saved runs that are looked at, newest first: enough for the way back, whatever the folder holds."""


def proven_deploys(runs: Path, service_id: str) -> frozenset[str]:
    """Ids of deploys of which a newer saved run in the folder says that the service ran them, verified by digest.

    What cannot be read proves nothing and is left out.
    """
    return frozenset(
        deploy_id
        for record in _records(runs)
        if record.step == "verify"
        and record.state is StepState.SUCCEEDED
        and record.outcome.get("service_id") == service_id
        and isinstance(deploy_id := record.outcome.get("deploy_id"), str)
    )


def _records(runs: Path) -> Iterator[StepRecord]:
    for path in sorted(runs.glob("*.ipynb"), reverse=True)[:_NEWEST]:
        with suppress(OSError):
            if not path.is_file():
                continue  # a pipe would be waited for
            content = path.read_bytes()
            # Most runs verify nothing, and looking at bytes is cheaper than decoding them.
            if b"verify" in content:
                yield from read_records(content)
