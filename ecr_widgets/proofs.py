"""What saved runs say about deploys: which ones a service is proven to have run, and who started a deployment."""

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
"""Saved runs that are read, newest first: enough for a rollback, however many the folder holds."""
_LOOK_BACK_DAYS = (2, 30)


def proven_deploys(runs: RunStore, service_id: str) -> Mapping[str, Proof]:
    """Deploys that a saved run proves the service ran, verified by digest; by deploy id, each with the newest such run.

    Only the newest saved runs are read. An ECS service that was adopted from Layer0 inherits the proofs of the Layer0 service.
    Runs that cannot be read are left out.
    """
    verified: dict[str, dict[str, Proof]] = {}
    prefixes: dict[str, str] = {}
    for record, actor in _records(runs):
        texts = {name: each for name, each in record.outcome.items() if isinstance(each, str)}
        if record.state is not StepState.SUCCEEDED or "service_id" not in texts or "deploy_id" not in texts:
            continue
        if record.step == "verify":
            proof = Proof(record.ended_at or record.started_at, actor)
            verified.setdefault(texts["service_id"], {}).setdefault(texts["deploy_id"], proof)
        elif record.step == "adopt" and texts.get("same_service_id") == service_id:
            name = texts["deploy_id"].rpartition(".")[0]
            prefixes[texts["service_id"]] = (
                texts.get("same_deploy_id", "").rpartition(":")[0].removesuffix(name)
            )
    inherited = {
        f"{prefix}{':'.join(deploy_id.rpartition('.')[::2])}": proof
        for layer0_id, prefix in prefixes.items()
        for deploy_id, proof in verified.get(layer0_id, {}).items()
    }
    return inherited | verified.get(service_id, {})


def who_deployed(runs: RunStore, deployment_id: str) -> str | None:
    """Who ran the newest saved run that started an ECS deployment; None if no saved run did."""
    for content in _saved(runs):
        if deployment_id.encode() not in content:
            continue
        for record in read_records(content):
            started = record.state is StepState.SUCCEEDED and record.changed
            if started and record.outcome.get("deployment_id") == deployment_id:
                return read_header(content, runs.address("")).actor
    return None


def _records(runs: RunStore) -> Iterator[tuple[StepRecord, str]]:
    """Records of runs that may prove something, each with its run's actor."""
    for content in _saved(runs):
        # Most runs do neither, and searching bytes is cheaper than decoding them.
        if b"verify" in content or b"adopt" in content:
            actor = ""
            with suppress(InputError):  # run by plain papermill or by hand
                actor = read_header(content, runs.address("")).actor or ""
            for record in read_records(content):
                yield record, actor


def _saved(runs: RunStore) -> Iterator[bytes]:
    """The newest saved runs, newest first."""
    yield from runs.contents(_newest(runs))


def _newest(runs: RunStore) -> list[str]:
    """Names of the newest saved runs, newest first. Names begin with the day, so older runs need not be listed."""
    names: list[str] = []
    for days in (*_LOOK_BACK_DAYS, None):
        after = "" if days is None else f"{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"
        names = [name for name in runs.names(after=after) if name.endswith(".ipynb")]
        if len(names) >= _NEWEST:
            break
    return names[: -_NEWEST - 1 : -1]
