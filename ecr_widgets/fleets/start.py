"""One target's run as a process of our own command, which ends when the process that started it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from ecr_widgets.channel import outside_a_run
from ecr_widgets.model.fleet import RunEnd, TargetRun
from ecr_widgets.model.paths import is_folder, why_unseen

_LONGEST_REASON = 300
_REFUSED = 2
_LAUNCH = ("-P", "-c", "from ecr_widgets.cli.target_run import main; main()")
_live: set[subprocess.Popen[bytes]] = set()


def start(run: TargetRun) -> RunEnd:
    """Run a target, and return how it ended.

    The run gets this process's environment, without the variables of a run around it. Its parameters come over a pipe, so that
    no list of processes shows them.
    """
    import yaml

    if not is_folder(run.folder):
        why = why_unseen(run.folder) or "not a folder"
        return RunEnd(
            run.target, _REFUSED, reason=f"the folder {run.folder!r} cannot be used on this host: {why}"
        )
    words = ["run", run.runbook, "-f", "/dev/stdin", "--slot", run.slot, "--runs", run.runs, "--json"]
    if run.fleet_run:
        words += ["--of-fleet", run.fleet_run]
    process = subprocess.Popen(
        [sys.executable, *_LAUNCH, str(os.getpid()), *words],
        env=outside_a_run(os.environ),
        cwd=run.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Its own group, so that an interrupt reaches it only once, through `interrupt`.
        process_group=0,
    )
    _live.add(process)
    try:
        out, talk = process.communicate(yaml.safe_dump(dict(run.parameters)).encode())
    finally:
        _live.discard(process)
    return _end(run, process.returncode, out, talk)


def interrupt() -> None:
    """Interrupt each run that this process started, as Ctrl+C at a terminal would."""
    for process in tuple(_live):
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)


def _end(run: TargetRun, code: int, out: bytes, talk: bytes) -> RunEnd:
    result: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        read = json.loads(out)
        result = read if isinstance(read, dict) else {}
    last = talk.decode(errors="replace").strip().rpartition("\n")[2]
    reason = result.get("reason") or ("" if code == 0 else last)
    if code < 0:
        reason = f"killed by {signal.Signals(-code).name}" + (f": {reason}" if reason else "")
    return RunEnd(
        run.target,
        code,
        str(result.get("run_id") or ""),
        reason[:_LONGEST_REASON],
        ran_before=bool(result.get("ran_before")),
    )
