"""The private line from a kernel to the engine that saves its run.

The kernel sends what must be on disk before it acts, and what is secret; neither passes through the notebook.
One JSON object per line, each answered by one: {"ok": true} or {"ok": false, "error": "…"}.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from ecr_widgets.errors import RunError

RUN_ID_VARIABLE = "ECR_WIDGETS_RUN_ID"
ADDRESS_VARIABLE = "ECR_WIDGETS_CHANNEL"
WAIT_VARIABLE = "ECR_WIDGETS_WAIT_S"
PLAN_VARIABLE = "ECR_WIDGETS_PLAN"
RUNBOOK_FOLDER_VARIABLE = "ECR_WIDGETS_RUNBOOK_FOLDER"
RESUMED_VARIABLE = "ECR_WIDGETS_RESUMED"
APPROVED_VARIABLE = "ECR_WIDGETS_APPROVED"
POLICY_SHA256_VARIABLE = "ECR_WIDGETS_POLICY_SHA256"
CLOCK_VARIABLE = "ECR_WIDGETS_CLOCK"
"""Variables that the engine sets for its kernel; users do not set them."""
_OF_A_RUN = frozenset({
    RUN_ID_VARIABLE, ADDRESS_VARIABLE, WAIT_VARIABLE, PLAN_VARIABLE, RUNBOOK_FOLDER_VARIABLE, RESUMED_VARIABLE,
    APPROVED_VARIABLE, CLOCK_VARIABLE, POLICY_SHA256_VARIABLE,
})  # fmt: skip

_LONGEST_SOCKET_PATH = 103
"""In bytes: the limit on macOS; Linux allows 107."""


class RunChannel:
    """The kernel's end of the line."""

    def __init__(self, run_id: str, address: str) -> None:
        self.run_id = run_id
        self._lock = Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(Path(address)) as path:
                self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise RunError(
                f"the engine of this run does not answer: {error.strerror}",
                run_id=run_id,
                hint="start a new run; if no run is in progress, unset ECR_WIDGETS_RUN_ID and ECR_WIDGETS_CHANNEL",
            ) from error
        self._replies = self._socket.makefile("rb")

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Have the engine save a record, and wait until it is on disk.

        Raises:
            RunError: The record could not be saved, so nothing may be changed.
        """
        self._ask({"kind": "announce", "display_id": display_id, "bundle": dict(bundle)})

    def conclude(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Send the engine a record's outcome, which it saves with its next write.

        Raises:
            RunError: The engine no longer answers.
        """
        self._ask({"kind": "conclude", "display_id": display_id, "bundle": dict(bundle)})

    def share_secret(self, secret: str) -> None:
        """Have the engine keep a secret out of everything it saves."""
        self._ask({"kind": "secret", "secret": secret})

    def need_to_end(self, duration_s: float) -> None:
        """Have the engine wait this long, if the run is interrupted, for what this kernel has started to end."""
        self._ask({"kind": "end", "duration_s": duration_s})

    def _ask(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            try:
                self._socket.sendall(json.dumps(message).encode() + b"\n")
                line = self._replies.readline()
                reply = json.loads(line) if line else {"ok": False, "error": "it closed the connection"}
            except (OSError, ValueError) as error:
                reply = {"ok": False, "error": str(error)}
        if not reply.get("ok"):
            raise RunError(
                f"the engine could not save this run: {reply.get('error')}",
                run_id=self.run_id,
                hint="nothing was changed; free some space or fix the folder, then run again",
            )


@contextmanager
def short_path(address: Path) -> Iterator[str]:
    """A path short enough to bind or reach a socket, however deep its folder is; valid only within the block.

    Raises:
        OSError: The path is too long, and no link to its folder can be made.
    """
    if len(os.fsencode(address)) <= _LONGEST_SOCKET_PATH:
        yield str(address)
        return
    # Not in TMPDIR: that is usually the part that is too long.
    with tempfile.TemporaryDirectory(prefix="ecrw-line-", dir="/tmp") as short:
        link = Path(short, "to")
        link.symlink_to(address.parent.absolute())
        yield str(link / address.name)


def open_channel(environ: Mapping[str, str]) -> RunChannel | None:
    """The line to the engine of this run, or None if no engine of ours runs this process."""
    run_id, address = environ.get(RUN_ID_VARIABLE), environ.get(ADDRESS_VARIABLE)
    return RunChannel(run_id, address) if run_id and address else None


def outside_a_run(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the engine's own variables for its kernel: one left over could turn a run into a plan."""
    return {name: value for name, value in environ.items() if name not in _OF_A_RUN}


def is_kernel_of_run(connection_file: str, environ: Mapping[str, str]) -> bool:
    """Whether the engine that the variables name started this kernel: Jupyter may have inherited them from a run's cell.

    Args:
        connection_file: The kernel's; the engine keeps it beside the line's socket.
    """
    address = environ.get(ADDRESS_VARIABLE)
    return address is not None and Path(address).parent == Path(connection_file).parent


def is_within_plan(environ: Mapping[str, str]) -> bool:
    """Whether a cell of a plan in progress started this process; the variable alone may be left over."""
    if not environ.get(PLAN_VARIABLE):
        return False
    try:
        channel = open_channel(environ)
    except RunError:
        return False
    if channel is not None:
        channel.close()
    return channel is not None


def new_run_id() -> str:
    """An id that sorts by time and is unique without any coordination."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
