"""Cells after which the kernel gives no result, or goes: the run ends, and has failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.engine_runs import run


@pytest.mark.timeout(120)
def test_a_kernel_that_gives_no_result_keeps_nobody_waiting(tmp_path: Path) -> None:
    """After `sys.stdout = None` ipykernel ends each cell without a reply: that fails the run, and does not hang it."""
    result, saved = run(tmp_path, "import sys\nsys.stdout = None", "1 + 1", "2")
    assert result.state == "failed"
    assert result.reason is not None
    assert "the kernel ended the cell without a result" in result.reason
    assert [cell["metadata"]["ecr_widgets"]["state"] for cell in saved["cells"]][-1] == "not-run"


def test_a_cell_that_has_the_kernel_exit_has_failed(tmp_path: Path) -> None:
    """What follows `exit()` would run or not by chance, since the kernel ends a moment later."""
    result, saved = run(tmp_path, "exit()", "print('after')")
    assert (result.state, result.reason) == ("failed", "the cell called exit()")
    assert saved["cells"][-1]["outputs"] == []
