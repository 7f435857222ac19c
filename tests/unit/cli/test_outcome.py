"""How a command ends as a process."""

from __future__ import annotations

import subprocess
import sys


def test_a_command_ends_without_a_search_for_garbage() -> None:
    """When Python ends, no object is left for it to search."""
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from ecr_widgets.cli import main\n"
        "main(['--version'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
