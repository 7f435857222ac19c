"""What saved runs say of deploys: which ones a service is proven to have run, and who started a deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from ecr_widgets.errors import InputError
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.model.services import Proof
from ecr_widgets.ports.run_store import RunStore
from ecr_widgets.saved_runs.reading import read_header, read_records

_NEWEST = 200
"""Saved runs that are looked at, newest first: enough for the way back, whatever the folder holds."""
_LOOK_BACK_DAYS = (2, 30)


def proven_deploys(runs: RunStore, service_id: str) -> Mapping[str, Proof]:
    """Deploys of which a newer saved run says that the service ran them, verified by digest, by their ids.

    Each with the newest such run.

    A service of ECS that was one of Layer0's has the proofs of that, too. What cannot be read proves nothing and is left out.
    """
    verified: dict[str, dict[str, Proof]] = {}
    prefixes: dict[str, str] = {}
    for record, actor in _records(runs):
        told = {name: each for name, each in record.outcome.items() if isinstance(each, str)}
        if record.state is not StepState.SUCCEEDED or "service_id" not in told or "deploy_id" not in told:
            continue
        if record.step == "verify":
            proof = Proof(record.ended_at or record.started_at, actor)
            verified.setdefault(told["service_id"], {}).setdefault(told["deploy_id"], proof)
        elif record.step == "adopt" and told.get("same_service_id") == service_id:
            name = told["deploy_id"].rpartition(".")[0]
            prefixes[told["service_id"]] = (
                told.get("same_deploy_id", "").rpartition(":")[0].removesuffix(name)
            )
    inherited = {
        f"{prefix}{':'.join(deploy_id.rpartition('.')[::2])}": proof
        for layer0_id, prefix in prefixes.items()
        for deploy_id, proof in verified.get(layer0_id, {}).items()
    }
    return inherited | verified.get(service_id, {})


def who_deployed(runs: RunStore, deployment_id: str) -> str | None:
    """Who ran the newest saved run that started a deployment of ECS; None where no saved run says that it did."""
    for content in _saved(runs):
        if deployment_id.encode() not in content:
            continue
        for record in read_records(content):
            started = record.state is StepState.SUCCEEDED and record.changed
            if started and record.outcome.get("deployment_id") == deployment_id:
                return read_header(content, runs.address("")).actor
    return None


def _records(runs: RunStore) -> Iterator[tuple[StepRecord, str]]:
    """Of runs that may prove something, with the actor of each."""
    for content in _saved(runs):
        # Most runs do neither, and looking at bytes is cheaper than decoding them.
        if b"verify" in content or b"adopt" in content:
            actor = ""
            with suppress(InputError):  # by plain papermill or by hand
                actor = read_header(content, runs.address("")).actor or ""
            for record in read_records(content):
                yield record, actor


def _saved(runs: RunStore) -> Iterator[bytes]:
    """The newest saved runs, newest first."""
    yield from runs.contents(_newest(runs))


def _newest(runs: RunStore) -> list[str]:
    """Names of runs begin with the day, so that what is older than the newest need not be listed."""
    names: list[str] = []
    for days in (*_LOOK_BACK_DAYS, None):
        after = "" if days is None else f"{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"
        names = [name for name in runs.names(after=after) if name.endswith(".ipynb")]
        if len(names) >= _NEWEST:
            break
    return names[: -_NEWEST - 1 : -1]
