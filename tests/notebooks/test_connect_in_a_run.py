"""What `connect()` does within a run, in real kernels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ecr_widgets.engine.run import resume_run, run_runbook
from tests.notebooks.engine_runs import write_runbook

pytestmark = pytest.mark.usefixtures("forked_kernels")

SECRET = "canary-4711-of-the-environment"
SET_AND_PRINT = f"""
import os
for name in ("LAYER0_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "".join({list(SECRET)!r})
print(os.environ["LAYER0_AUTH_TOKEN"])
"""
OWN = f"""
kit.register_secret("own-" + "".join({list(SECRET)!r}[:16]))
print("own-" + "".join({list(SECRET)!r}[:16]))
"""
CONNECT = "from ecr_widgets import connect\nkit = connect()"


def test_a_secret_that_a_cell_set_or_named_is_in_no_file(tmp_path: Path) -> None:
    """A secret that a cell set is masked in the saved run, also in output printed before `connect()`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LAYER0_", "AWS_"))}
    result = run_runbook(
        write_runbook(tmp_path, [SET_AND_PRINT, CONNECT, OWN]), {}, runs=tmp_path / "runs", environ=clean
    )
    assert result.state == "succeeded", result.reason
    cells = [cell for cell in json.loads(result.notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert ["".join(cell["outputs"][0]["text"]) for cell in (cells[-3], cells[-1])] == ["***\n", "***\n"]


FAILS_ONCE = """
from pathlib import Path
told = [record.inputs["service"] for record in kit.recorder.earlier.of_step("verify")]
print("earlier:", told)
kit.recorder.perform("verify", {"service": "web"}, lambda _: None)
if not told:
    raise RuntimeError("the first attempt fails here")
"""


def test_a_resumed_run_knows_what_its_earlier_attempt_recorded(tmp_path: Path) -> None:
    """The kit of a resumed run gets the records of the earlier attempt; on the first attempt there are none."""
    book = write_runbook(tmp_path, [CONNECT, FAILS_ONCE])
    first = run_runbook(book, {}, runs=tmp_path / "runs")
    assert first.state == "failed"
    assert "earlier: []" in first.notebook.read_text()
    second = resume_run(first.run_id, runs=tmp_path / "runs")
    assert second.state == "succeeded", second.reason
    assert "earlier: ['web']" in second.notebook.read_text()
