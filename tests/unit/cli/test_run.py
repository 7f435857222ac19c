"""`ecr-widgets run` when no run is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main


@pytest.mark.parametrize(
    ("words", "runbook", "run_id", "why"),
    [
        (["nothing"], "nothing", None, "no runbook 'nothing'"),
        (["login", "-p", "reson", "x"], "login", None, "did you mean 'reason'?"),
        (["login", "-p", "reason", "x", "-p", "reason", "y"], "login", None, "was given twice"),
        (["--resume", "20261123T120000Z-abcdef"], None, "20261123T120000Z-abcdef", "no run"),
    ],
)
def test_a_refusal_is_one_json_document_too(
    tmp_path: Path, words: list[str], runbook: str | None, run_id: str | None, why: str
) -> None:
    """With --json a refused run is a document with the state `refused` and the reason; the exit code is 2."""
    done = CliRunner().invoke(main, ["run", "--json", "--runs", str(tmp_path), *words])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["state"], told["runbook"], told["run_id"]) == (2, "refused", runbook, run_id)
    assert why in told["reason"]
    assert (told["notebook"], told["steps"]) == (None, [])
    assert f"ecr-widgets: {told['reason']}\n" == done.stderr
