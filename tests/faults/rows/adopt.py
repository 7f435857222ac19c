"""Row 104: the walk from Layer0 to a service of ECS beside it, killed at the boundaries of its steps."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import boto3

from ecr_widgets.adapters.ecs.client import BotoEcs
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row
from tests.faults.rows.boundaries import held, resumed, run_id, run_to_its_end, saved
from tests.faults.rows.crashes import kill_marked, marked, until
from tests.faults.rows.replies import environ_of, journal, made, moves, released, short_name, tidy
from tests.holding import MOMENTS
from tests.sandbox.cells import run_cells

STEPS = ("adopt", "create_deploy", "create_service", "wait", "verify", "scale_service")


def _given(at: Attempt, name: str) -> dict[str, str]:
    return {"service": name, "cluster": "ecs:demo", "answered": "true", "files": str(at.folder / "adopted")}


def _walk(at: Attempt, name: str) -> list[str | Path]:
    pairs = [word for pair in _given(at, name).items() for word in ("-p", *pair)]
    return [BIN / "ecr-widgets", "run", "adopt", "--json", "--runs", at.folder / "runs", *pairs]


def _walked(at: Attempt) -> None:
    # Counted so that the quick profile's one try is where most is at stake: a service is created, and nobody was told.
    number = (at.seed + 23) % (len(STEPS) * len(MOMENTS))
    place = f"{STEPS[number // len(MOMENTS)]}.{MOMENTS[number % len(MOMENTS)]}"
    name = short_name(at)
    released(at, name)
    process = held(at, place, _walk(at, name))
    try:
        # The runner alone, and its kernel follows; or all at once.
        process.kill() if at.rng.random() < 0.5 else kill_marked(at.folder)
        process.wait()
        until(lambda: not marked(at.folder), "somebody outlived the runner", within_s=10)
    finally:
        kill_marked(at.folder)
    again = resumed(at, run_id(saved(at))) if at.rng.random() < 0.5 else _walk(at, name)
    try:
        run_to_its_end(at, [*again, "--wait", "30"])
        _one_of_each(at, name)
        walked_again = run_cells("adopt", environ_of(at), at.folder, **_given(at, name))
        assert not [each for each in walked_again if each.changed], walked_again
        _one_of_each(at, name)
    finally:
        _ecs(at).delete_service(cluster="demo", service=name, force=True)
        tidy(at, name)


def _walked_blindly(at: Attempt) -> None:
    """The walk twice, without its look at the revisions that exist."""
    name = short_name(at)
    released(at, name)
    try:
        with mock.patch.object(BotoEcs, "list_deploys", return_value=()):
            for _ in range(2):
                run_cells("adopt", environ_of(at), at.folder, **_given(at, name))
        _one_of_each(at, name)
    finally:
        _ecs(at).delete_service(cluster="demo", service=name, force=True)
        tidy(at, name)


def _one_of_each(at: Attempt, name: str) -> None:
    """One revision and one service on ECS, and the Layer0 service as it was, by the servers' own account."""
    asked = [
        each["operation"]
        for each in journal(at.sandbox())
        if each["server"] == "ecs" and f"/{name}:" in str(each.get("task_definition"))
    ]
    assert sorted(asked) == ["CreateService", "RegisterTaskDefinition"], asked
    assert (made(at.sandbox(), name), moves(at.sandbox(), name)) == ((1, 1), 0)
    (service,) = _ecs(at).describe_services(cluster="demo", services=[name])["services"]
    assert (service["runningCount"], len(service["deployments"])) == (1, 1), service


def _ecs(at: Attempt) -> boto3.client:
    environ = environ_of(at)
    return boto3.client(
        "ecs",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


@row(
    104,
    "SIGKILL at each of the 24 boundaries of the steps that adopt a Layer0 service on ECS beside it, then again or --resume",
    tries=240,
    quick=1,
    control=_walked_blindly,
)
def walked(at: Attempt) -> None:
    """In the end there is one revision and one service, the Layer0 service runs as before, and the next run changes nothing."""
    _walked(at)
