"""Which deploys are proven by saved runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecr_widgets.adapters.folder_store import FolderStore
from ecr_widgets.model.record import RECORD_MIME, StepRecord
from ecr_widgets.model.run import RunHeader, RunState
from ecr_widgets.proofs import proven_deploys, who_deployed
from ecr_widgets.saved_runs.writing import write_header

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def saved(folder: Path, name: str, *records: dict[str, Any]) -> None:
    """A notebook with these records."""
    outputs = [{"output_type": "display_data", "data": {RECORD_MIME: json.dumps(each)}} for each in records]
    (folder / name).write_text(json.dumps(notebook(outputs)))


def notebook(outputs: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "outputs": outputs}], "metadata": metadata, "nbformat": 4}


def verified(service_id: str, deploy_id: str) -> dict[str, Any]:
    """Return the record of a verify of a service on a deploy."""
    record = StepRecord.intended("run-1", 1, "verify", {}, STARTED)
    outcome = {"service_id": service_id, "deploy_id": deploy_id}
    return record.succeeded(outcome, changed=False, ended_at=STARTED).to_builtins()


def test_proof_is_a_verify_that_succeeded_for_this_service(tmp_path: Path) -> None:
    """Only a successful verify of this service proves a deploy; unreadable notebooks prove nothing."""
    good, other = verified("web1", "roll.1"), verified("other", "roll.2")
    saved(tmp_path, "1.ipynb", good, {**good, "state": "failed"}, other)
    saved(tmp_path, "2.ipynb", {**good, "state": "intended", "outcome": {"deploy_id": "roll.3"}})
    (tmp_path / "3.ipynb").write_text("verify {")
    (tmp_path / "4.ipynb").write_text('{"cells": [{"outputs": "verify"}]}')
    (tmp_path / "5.ipynb").write_text('{"verify": ' + "[" * 100_000 + "]" * 100_000 + "}")
    os.mkfifo(tmp_path / "6.ipynb")  # nobody ever writes into it
    assert set(proven_deploys(FolderStore(tmp_path), "web1")) == {"roll.1"}
    assert set(proven_deploys(FolderStore(tmp_path / "nowhere"), "web1")) == set()


def test_a_record_that_a_cell_merely_displays_is_no_proof(tmp_path: Path) -> None:
    """In a run with marked records, a display without the engine's mark proves nothing."""
    outputs = [
        {
            "data": {RECORD_MIME: json.dumps(verified("web1", f"roll.{number}"))},
            "metadata": metadata,
        }
        for number, metadata in enumerate(
            ({"ecr_widgets": {"marked": True}}, {}, {"ecr_widgets": {"marked": 1}}, [])
        )
    ]
    run = notebook(outputs, ecr_widgets={"marked": True})
    (tmp_path / "1.ipynb").write_text(json.dumps(run))
    assert set(proven_deploys(FolderStore(tmp_path), "web1")) == {"roll.0"}


def test_an_adopted_service_has_the_proofs_of_its_layer0_days(tmp_path: Path) -> None:
    """An adopted service keeps the proofs from its time on Layer0, and other services' proofs do not count for it."""
    arn = "arn:aws:ecs:us-east-1:111222333444:service/l0-p-demo1/l0-p-web1"
    record = StepRecord.intended("run-2", 1, "adopt", {}, STARTED)
    outcome = {
        "service_id": "web1",
        "deploy_id": "roll.3",
        "same_service_id": arn,
        "same_deploy_id": "l0-p-roll:3",
    }
    adopted = record.succeeded(outcome, changed=True, ended_at=STARTED).to_builtins()
    saved(tmp_path, "1.ipynb", verified("web1", "roll.1"), verified("other", "roll.2"))
    saved(tmp_path, "2.ipynb", adopted)
    saved(tmp_path, "3.ipynb", verified(arn, "l0-p-roll:4"))
    assert set(proven_deploys(FolderStore(tmp_path), arn)) == {"l0-p-roll:1", "l0-p-roll:4"}
    assert set(proven_deploys(FolderStore(tmp_path), "web1")) == {"roll.1"}
    assert set(proven_deploys(FolderStore(tmp_path), f"{arn}x")) == set()


def test_who_started_a_deployment_is_told_by_the_run_that_did(tmp_path: Path) -> None:
    """A deployment's starter is the actor of the run that changed it, not of a plan or of a run that found it under way."""
    moved = StepRecord.intended("run-1", 1, "update_service", {}, STARTED)
    outcome = {"service_id": "web1", "deployment_id": "ecs-svc/1"}
    for name, actor, changed in (("1", "alice", True), ("2", "bob", False)):
        record = moved.succeeded(outcome, changed=changed, ended_at=STARTED).to_builtins()
        run: dict[str, Any] = notebook([{"data": {RECORD_MIME: json.dumps(record)}}])
        header = RunHeader(
            version=1, run_id="run-1", runbook="deploy", state=RunState.SUCCEEDED, parameters={}, actor=actor,
            started_at=STARTED,
        )  # fmt: skip
        write_header(run, header)
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(run))
    plan = {**moved.succeeded(outcome, changed=True, ended_at=STARTED).to_builtins(), "state": "intended"}
    saved(tmp_path, "3.plan.ipynb", plan)
    assert who_deployed(FolderStore(tmp_path), "ecs-svc/1") == "alice"
    assert who_deployed(FolderStore(tmp_path), "ecs-svc/2") is None
