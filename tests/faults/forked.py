"""papermill's command, forked from a process that has all of its modules: they are most of what a short run costs in CPU.

As a program it is that process: `python -m tests.faults.forked`.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

_ONE_AT_A_TIME = Lock()


def run_papermill(words: Sequence[str], *, environ: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
    """Its exit code, or the negative number of the signal that ended it; what it wrote to stdout and to stderr."""
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="forked-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(
            json.dumps([*map(str, (cwd, out, err)), dict(environ), list(words)]),
            file=server.stdin,
            flush=True,
        )
        return int(server.stdout.readline()), out.read_text(), err.read_text()


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # it ends with its input
    return server


def main() -> None:
    """Read requests and fork for each; the exit code is the answer."""
    from papermill.__main__ import papermill

    for line in sys.stdin:
        cwd, out, err, environ, words = json.loads(line)
        pid = os.fork()
        if pid:
            _, status = os.waitpid(pid, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        for number, file in enumerate((os.devnull, out, err)):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(cwd)
        sys.argv = ["papermill", *words]
        papermill()


if __name__ == "__main__":
    main()
