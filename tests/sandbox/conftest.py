"""What the tests on the sandbox share: a run of the release runbook, and what it left behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import nbformat
import pytest

from ecr_widgets.model.record import RECORD_MIME, StepRecord, StepState
from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.faults.forked import forking
from tests.sandbox.cells import run_cells

BIN = Path(sys.executable).parent
SHIPPED = Path(__file__).parents[2] / "notebooks"

Run = Callable[..., dict[str, Any]]
Cells = Callable[..., list[StepRecord]]


@pytest.fixture(scope="module", autouse=True)
def _forked_kernels() -> Iterator[None]:
    """Kernels of runs in this process are forked: none of these tests is about how a kernel starts."""
    with forking():
        yield


@pytest.fixture
def run(sandbox_environ: dict[str, str], tmp_path: Path) -> Run:
    """`ecr-widgets run release --json` with parameters, in this process; the document it prints."""

    def call(
        environ: dict[str, str] | None = None, options: Sequence[str] = (), **given: str
    ) -> dict[str, Any]:
        words = [word for pair in given.items() for word in ("-p", *pair)]
        done = ours.call(
            *("run", "release", "--json", "--runs", tmp_path / "runs", *options, *words),
            environ=sandbox_environ | (environ or {}),
            cwd=tmp_path,
        )
        assert done.stdout, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        told["exit_code"], told["stderr"] = done.returncode, done.stderr
        nbformat.validate(nbformat.read(told["notebook"], as_version=4))
        return told

    return call


@pytest.fixture
def cells(sandbox_environ: dict[str, str], tmp_path: Path) -> Cells:
    """The cells of a runbook, of `release` where none is named, with parameters, in this process; how its steps ended."""

    def call(
        name: str = "release",
        environ: Mapping[str, str] | None = None,
        *,
        planning: bool = False,
        **given: str,
    ) -> list[StepRecord]:
        return run_cells(name, sandbox_environ | dict(environ or {}), tmp_path, planning=planning, **given)

    return call


def succeeded(ended: Sequence[StepRecord]) -> dict[str, StepRecord]:
    """The records by step, all of which have succeeded."""
    assert {each.state for each in ended} == {StepState.SUCCEEDED}, ended[-1].error
    return {each.step: each for each in ended}


@pytest.fixture
def engine(sandbox_environ: dict[str, str]) -> Iterator[docker.DockerClient]:
    client = docker.from_env(environment=sandbox_environ)
    yield client
    client.close()


def records(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The saved run's records by step."""
    saved = json.loads(Path(told["notebook"]).read_text())
    found = [
        json.loads(output["data"][RECORD_MIME])
        for cell in saved["cells"]
        for output in cell.get("outputs", ())
        if RECORD_MIME in output.get("data", {})
    ]
    return {record["step"]: record for record in found}


def facts(notebook: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a notebook's records say, in their order and without what differs from run to run: times, durations, and how
    often a wait looked.
    """
    found = [
        json.loads("".join(output["data"][RECORD_MIME]))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if RECORD_MIME in output.get("data", {})
    ]
    return [
        (
            record["step"],
            record["state"],
            record["changed"],
            record["inputs"],
            {k: v for k, v in (record["outcome"] or {}).items() if not k.endswith(("_at", "_s", "checks"))},
        )
        for record in found
    ]


def give_up(environ: Mapping[str, str], service: str) -> None:
    """Delete a Layer0 service that crashes: it would be started again and again for as long as the sandbox is up."""
    done = ours.call("service", "delete", "demo", service, environ=environ, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr


def journal(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the sandbox's servers were asked to change."""
    lines = (sandbox.status().folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
