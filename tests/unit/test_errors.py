"""Errors as notebooks show them."""

from __future__ import annotations

import subprocess
import sys

from ecr_widgets.errors import EcrWidgetsError


def test_a_notebook_shows_an_error_in_one_line() -> None:
    """A notebook shows an error as one line with what happened, why and what to try, without a traceback."""
    code = "from ecr_widgets.errors import BuildError; raise BuildError('it broke: why', hint='what to try')"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout + done.stderr).strip() == "BuildError: it broke: why; what to try"


def test_no_message_has_a_number_of_the_system() -> None:
    """Messages that end with a system's error show its words without their number."""
    said = OSError(13, "Permission denied", "/x")
    assert str(EcrWidgetsError(f"cannot be read: {said}")) == "cannot be read: Permission denied: '/x'"
