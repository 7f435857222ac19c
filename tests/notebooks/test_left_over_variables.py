"""Variables of an earlier run's engine that are left over in the environment do not affect a new run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from ecr_widgets.engine.run import run_runbook
from tests.faults import forked
from tests.notebooks.engine_runs import BIN, write_runbook

pytestmark = pytest.mark.usefixtures("forked_kernels")

LEFT_OVER = {
    "ECR_WIDGETS_PLAN": "1",
    "ECR_WIDGETS_RUN_ID": "20260101T000000Z-aaaaaa",
    "ECR_WIDGETS_CHANNEL": "/nowhere/channel",
    "ECR_WIDGETS_WAIT_S": "77",
    "ECR_WIDGETS_RESUMED": "/nowhere/run.ipynb",
    "ECR_WIDGETS_RUNBOOK_FOLDER": "/nowhere",
}
SHOW = """
import os
from ecr_widgets import connect
print(type(connect()).__name__)
print({name: value for name, value in LEFT_OVER.items() if os.environ.get(name) == value})
""".replace("LEFT_OVER", repr(LEFT_OVER))


def test_a_run_is_no_plan_for_a_variable_that_was_left_over(tmp_path: Path) -> None:
    """A run by our command sees none of the left-over variables and is a real run, not a plan."""
    result = run_runbook(
        write_runbook(tmp_path, [SHOW]), {}, runs=tmp_path / "runs", environ=os.environ | LEFT_OVER
    )
    assert result.state == "succeeded", result.reason
    assert printed(result.notebook) == ["NotebookKit", "{}"]
    assert not result.notebook.name.endswith(".plan.ipynb")


def test_papermills_run_is_no_plan_either(tmp_path: Path) -> None:
    """A run by papermill with our engine sees none of the left-over variables and is a real run."""
    words = [
        BIN / "papermill",
        "--engine",
        "ecr_widgets",
        write_runbook(tmp_path, [SHOW]),
        tmp_path / "out.ipynb",
    ]
    forked.run(words, env=os.environ | LEFT_OVER, check=True, capture_output=True)
    assert printed(tmp_path / "out.ipynb") == ["NotebookKit", "{}"]


def test_a_notebook_that_is_run_by_hand_is_in_no_run() -> None:
    """A notebook run by hand with left-over variables connects as usual, not as part of a run."""
    manager, client = start_new_kernel(env=os.environ | LEFT_OVER)
    try:
        told = []
        client.execute_interactive(
            "from ecr_widgets import connect; print(type(connect()).__name__)",
            output_hook=lambda message: told.append(message["content"].get("text") or message["content"]),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "NotebookKit\n" in told, told


def test_a_cell_of_a_plan_starts_no_real_run(tmp_path: Path) -> None:
    """A cell of a plan cannot start a real run."""
    inner = write_runbook(tmp_path, ["open('ran', 'w')"]).rename(tmp_path / "inner.ipynb")
    cell = f"from ecr_widgets.engine.run import run_runbook\nrun_runbook({str(inner)!r}, {{}}, runs=runs)"
    book = write_runbook(tmp_path, ["from pathlib import Path\nruns = Path('runs')", cell])
    result = run_runbook(book, {}, runs=tmp_path / "runs", plan=True)
    assert result.state == "failed"
    assert "a cell of a plan starts it, and a plan changes nothing" in str(result.reason)
    assert not (tmp_path / "ran").exists()


def test_the_engine_and_papermill_are_imported_in_either_order() -> None:
    """The engine and papermill can be imported in either order."""
    for order in (
        "ecr_widgets.engine.papermill_engine, papermill",
        "papermill, ecr_widgets.engine.papermill_engine",
    ):
        code = f"import {order}; from papermill.engines import papermill_engines as e; e.get_engine('ecr_widgets')"
        subprocess.run([BIN / "python", "-c", code], check=True)


def printed(notebook: Path) -> list[str]:
    """Return the lines that the last cell printed."""
    outputs = json.loads(notebook.read_text())["cells"][-1]["outputs"]
    return "".join("".join(each.get("text", "")) for each in outputs).splitlines()
