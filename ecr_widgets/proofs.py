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

    A service of ECS that was one of Layer0's has the proofs of that, too. What cannot be read proves nothing and is left out.
    """
    verified: dict[str, set[str]] = {}
    prefixes: dict[str, str] = {}
    for record in _records(runs):
        told = {name: each for name, each in record.outcome.items() if isinstance(each, str)}
        if record.state is not StepState.SUCCEEDED or "service_id" not in told or "deploy_id" not in told:
            continue
        if record.step == "verify":
            verified.setdefault(told["service_id"], set()).add(told["deploy_id"])
        elif record.step == "adopt" and told.get("same_service_id") == service_id:
            name = told["deploy_id"].rpartition(".")[0]
            prefixes[told["service_id"]] = (
                told.get("same_deploy_id", "").rpartition(":")[0].removesuffix(name)
            )
    inherited = (
        f"{prefix}{':'.join(deploy_id.rpartition('.')[::2])}"
        for layer0_id, prefix in prefixes.items()
        for deploy_id in verified.get(layer0_id, ())
    )
    return frozenset((*verified.get(service_id, ()), *inherited))


def _records(runs: Path) -> Iterator[StepRecord]:
    for path in sorted(runs.glob("*.ipynb"), reverse=True)[:_NEWEST]:
        with suppress(OSError):
            if not path.is_file():
                continue  # a pipe would be waited for
            content = path.read_bytes()
            # Most runs do neither, and looking at bytes is cheaper than decoding them.
            if b"verify" in content or b"adopt" in content:
                yield from read_records(content)
