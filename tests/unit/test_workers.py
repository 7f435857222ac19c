"""How a run of the tests ends if one of its workers dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_run_ends_without_the_test_that_killed_its_worker(tmp_path: Path) -> None:
    """The test that a worker died of fails once, and all others run once: without our scheduler the run never ends."""
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_xdist_make_scheduler\n")
    for number in range(6):
        lines = (f"def test_{n}(): pass\n" for n in range(8))
        (tmp_path / f"test_{number}.py").write_text("".join(lines))
    (tmp_path / "test_9.py").write_text(
        "import os, time\ndef test_a(): time.sleep(1)\ndef test_b(): os._exit(3)\ndef test_c(): pass\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    words = ["-n", "2", "--dist", "loadfile", "--rootdir", tmp_path, "-c", tmp_path / "pytest.ini", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 50 passed" in done.stdout, done.stdout + done.stderr
