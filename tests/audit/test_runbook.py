"""The audit runbook under the engine: it asks nobody, and what it did is proven like any other run."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecr_widgets.audit.judging import Judgement, judge
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.sealing import seal_run
from tests.audit.runs import save
from tests.reading import read_file

KEPT = ("PATH", "HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LANG", "TMPDIR")


def audited(folder: Path) -> Judgement:
    """What an audit says of the run of the audit runbook on a folder."""
    words = [
        "run",
        "audit",
        "--runs",
        folder.parent / "out",
        "-p",
        "runs_folder",
        folder,
        "-p",
        "since",
        "5000d",
    ]
    subprocess.run(
        [Path(sys.executable).with_name("ecr-widgets"), *words],
        env={name: os.environ[name] for name in KEPT if name in os.environ},
        capture_output=True,
        check=False,
    )
    (saved,) = (folder.parent / "out").glob("*.ipynb")
    return judge(read_file(saved))


@pytest.mark.parametrize("verdict", ["proven", "failed"])
def test_the_audit_runbook_leaves_a_record_of_what_it_found(tmp_path: Path, verdict: str) -> None:
    """Where all seals are in order its run is proven; where a run has none it failed, and says which."""
    save(tmp_path / "runs", "deployed")
    if verdict == "proven":
        seal_run(tmp_path / "runs", "deployed.ipynb", ring=default_ring(), now=datetime.now(UTC))
    found = audited(tmp_path / "runs")
    assert found.verdict == verdict, found.why
    assert verdict == "proven" or "deployed.ipynb: unsealed" in found.why
