"""What an installed package has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from ecr_widgets.runbooks import shipped_folder

ROOT = Path(__file__).parents[2]


def test_the_wheel_carries_the_runbooks(tmp_path: Path) -> None:
    """Each runbook with the files that it names, where the installed package looks for them."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        f"ecr_widgets/notebooks/{path.relative_to(shipped_folder())}"
        for path in shipped_folder().rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    assert len(shipped) > 10
    assert shipped <= carried
    assert not [name for name in carried if name.startswith("tests/")]
