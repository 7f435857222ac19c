"""Our command in this process: what it prints and how it ends, without the start of another process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from ecr_widgets.cli import main
from tests.faults.plan import leaving_sockets


def call(
    *words: str | Path, environ: Mapping[str, str], cwd: Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`ecr-widgets` with these words, as a process of its own would end.

    Args:
        environ: All of its environment.

        given: Its standard input.
    """
    with (
        leaving_sockets(),
        mock.patch.dict(os.environ, environ, clear=True),
        mock.patch.object(warnings, "showwarning", warnings.showwarning),
        contextlib.chdir(cwd),
    ):
        done = CliRunner().invoke(main, [str(word) for word in words], input=given, prog_name="ecr-widgets")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
