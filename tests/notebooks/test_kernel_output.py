"""Secrets are masked in what a kernel sends, and so in a notebook saved by JupyterLab."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.kernel import Kernel

pytestmark = pytest.mark.usefixtures("forked_kernels")

SECRET = 'k+e/y="1\\%&<2 3>4567890abcdefghijklmnopqrstuvw'
GUARD = f"""
from IPython import get_ipython
from ecr_widgets.secrets.kernel_output import guard_kernel_output
from ecr_widgets.secrets.redaction import SecretRegistry
known = SecretRegistry(); known.register({SECRET!r})
guard_kernel_output(get_ipython().kernel, known)
"""


@pytest.fixture
def client() -> Iterator[Any]:
    """A kernel as JupyterLab has it, with the guard installed."""
    with Kernel("run", environ=os.environ, cwd=Path.cwd()) as kernel:
        client = kernel.connect(timeout_s=60.0)
        assert outputs(client, GUARD) == []
        yield client


def outputs(client: Any, source: str) -> list[dict[str, Any]]:
    """Return what a front end would show below the cell: all messages but states and the cell's own text."""
    request = client.execute(source)
    found = []
    while True:
        message = client.get_iopub_msg(timeout=20)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return found
        if message["msg_type"] not in ("status", "execute_input"):
            found.append(message["content"])


@pytest.mark.parametrize(
    "source",
    [
        f"print({SECRET!r})",
        f"{SECRET!r}",
        f"from IPython.display import HTML, display; display(HTML('<b>' + {SECRET!r} + '</b>'))",
        f"raise ValueError({SECRET!r})",
        f"import ipywidgets; ipywidgets.Password(value={SECRET!r})",
        f"h = display('x', display_id=True); h.update({SECRET!r})",
    ],
)
def test_a_secret_is_masked_on_every_way_out(client: Any, source: str) -> None:
    """A secret is masked in streams, results, displays, errors and widget state."""
    shown = str(outputs(client, source))
    assert "***" in shown
    assert SECRET[:20] not in shown
    assert repr(SECRET)[1:-1] not in shown


def test_a_secret_in_pieces_is_masked(client: Any) -> None:
    """A secret printed in two pieces is masked, and the text before and after it is kept."""
    for cut in range(1, len(SECRET), 7):
        source = (
            f"import sys\nsys.stdout.write('before ' + {SECRET[:cut]!r}); sys.stdout.flush()\n"
            f"sys.stdout.write({SECRET[cut:]!r} + ' after'); sys.stdout.flush()"
        )
        assert "".join(part["text"] for part in outputs(client, source)) == "before *** after"


def test_the_beginning_of_a_secret_that_is_none_is_kept(client: Any) -> None:
    """Text that was held back as the possible start of a secret is shown in order when the cell ends."""
    source = f"import sys\nprint({SECRET[:5]!r}, end=''); sys.stdout.flush(); display(1)"
    shown = outputs(client, source)
    assert [part.get("text", part.get("data", {}).get("text/plain")) for part in shown] == [SECRET[:5], "1"]
