"""Actions taken by hand in a panel, each as its own run.

Its cells run in the notebook's own kernel, whose panel waits for them. Otherwise it is like a runbook's run: the run and
each intent are on disk before anything is changed, and it is sealed when it has ended. A killed kernel leaves an
interrupted run.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.approval_rules import who_asks
from ecr_widgets.engine.notebook import name_version, prepare
from ecr_widgets.engine.outputs import Outputs
from ecr_widgets.engine.own_door import Sealing
from ecr_widgets.engine.request import RunOptions, RunRequest
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.engine.slots import saved_name
from ecr_widgets.errors import InputError, StepCancelled
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RECORD_MIME, CellState, RunState, StepRecord, StepState
from ecr_widgets.model.script import Script
from ecr_widgets.model.text import cut
from ecr_widgets.run_clock import RUN_CLOCK
from ecr_widgets.saved_runs.writing import clear_cells, code_cells, end_run, write_cell_state
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_CONNECT = "from ecr_widgets import connect\n\nkit = connect()"
_LONGEST_REASON = 2_000
# -P keeps the current folder off the path: a file in it may be named like a module.
_COMMAND = (sys.executable, "-P", "-c", "from ecr_widgets.cli import main; main()", "run")


class ActionRuns:
    """Implements `panels.action_runs.ActionRuns`.

    Args:
        runs: Where runs are saved.

        environ: Says who needs an approval, and whether seals are attached.

        known: Secrets to keep out of saved runs.
    """

    def __init__(self, runs: Place, environ: Mapping[str, str], known: SecretRegistry) -> None:
        self._runs, self._environ, self._known = runs, environ, known

    def asked_by(self, script: Script) -> str | None:
        """What requires another person's approval of the script; None if nothing does."""
        return who_asks(script.name, script.values, self._environ, required=False)

    @contextmanager
    def begin(self, script: Script, reason: str) -> Iterator[ActionRun]:
        """The run of a script, saved and held by this process; its cells run within the block.

        How the block ends is how the run ends.

        Raises:
            InputError: A value or the reason looks like a secret, the script needs an approval, or the run cannot be saved;
                nothing was started.
        """
        refuse_secrets({"reason": reason}, self._known)
        if (asked_by := self.asked_by(script)) is not None:
            raise InputError(f"{asked_by} requires an approval", hint="make a plan for another person")
        run_id, content = new_run_id(), notebook_of(script)
        runs = self._runs.absolute()
        request = RunRequest(
            run_id,
            script.name,
            hashlib.sha256(content).hexdigest(),
            Path(f"{script.name}.ipynb"),
            content,
            script.values,
            runs / saved_name(run_id, script.name, slot=None, plan=False),
            RunOptions(runs, self._environ, reason=reason),
            folder=Path.cwd(),
        )
        notebook = prepare(request, self._known)
        name_version(notebook)
        sealing = Sealing(request.saved, self._environ, self._known)
        with SavedRun(notebook, request.saved, redact=self._known.redact_values) as saved:
            run = ActionRun(run_id, request.saved, saved, cells=len(script.cells))
            try:
                yield run
            except BaseException as error:
                run.end(*run.verdict_of(error))
                raise
            else:
                run.end(RunState.SUCCEEDED, None)
            finally:
                sealing.seal()
                run.unsealed = sealing.why_not or sealing.unattached or ""

    def plan(self, script: Script, reason: str) -> Mapping[str, Any]:
        """Make the plan for another person to approve, and return the document of `run --json`.

        Raises:
            InputError: It was refused, or the plan failed; nothing was changed.
        """
        # Checked here too: everybody on this machine can read the command line, which holds the reason.
        refuse_secrets({"reason": reason}, self._known)
        with tempfile.TemporaryDirectory(prefix="ecr-widgets-") as scratch:
            book, values = Path(scratch, f"{script.name}.ipynb"), Path(scratch, "values.yaml")
            book.write_bytes(notebook_of(script))
            values.write_text(json.dumps(script.values))
            words = [str(book), "--json", "--runs", str(self._runs), "--reason", reason, "-f", str(values)]
            done = subprocess.run(
                [*_COMMAND, *words], capture_output=True, text=True, check=False, env=dict(self._environ)
            )
        if not done.stdout:
            lines = done.stderr.strip().splitlines()
            raise InputError(lines[-1].removeprefix("ecr-widgets: ") if lines else "the plan was refused")
        result: Mapping[str, Any] = json.loads(done.stdout)
        if not result.get("waits_for_approval") or result["state"] != RunState.SUCCEEDED.value:
            raise InputError(f"the plan has {result['state']}: {result['reason']}")
        return result


class ActionRun:
    """One action in progress; it stands in for a kernel's line to its engine."""

    def __init__(self, run_id: str, path: Place, saved: SavedRun, *, cells: int) -> None:
        self.run_id, self.path = run_id, path
        self.unsealed = ""
        """Why it has no seal, or why its seal is not attached if that was requested; else empty."""
        self._saved = saved
        self._outputs = Outputs()
        self._is_outcome_unknown = False
        clear_cells(saved.notebook)
        self._cells = code_cells(saved.notebook)
        # The cells before them, with the parameters and the kit, need not run: the panel has both already.
        self._ready = len(self._cells) - cells
        for number in range(self._ready):
            self._note(number, CellState.SUCCEEDED)
        saved.write()

    @contextmanager
    def cell(self, number: int) -> Iterator[None]:
        """Record that a cell of the script runs, and how it ended."""
        at = self._ready + number
        with self._saved.lock:
            self._outputs.start_cell(self._cells[at]["outputs"])
            self._note(at, CellState.RUNNING)
        try:
            yield
        except BaseException:
            self._note(at, CellState.FAILED)
            raise
        self._note(at, CellState.SUCCEEDED)

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Save an intent to disk before its step acts.

        Raises:
            CannotSave: It is not on disk, so nothing may be changed.
        """
        with self._saved.lock:
            self._outputs.announce(display_id, bundle)
            self._saved.write()

    def conclude(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Save a record's outcome.

        Raises:
            CannotSave: It could not be saved; the intent stays on disk.
        """
        with self._saved.lock:
            self._outputs.conclude(display_id, bundle)
            self._is_outcome_unknown |= StepRecord.from_json(bundle[RECORD_MIME]).state is StepState.UNKNOWN
            self._saved.write()

    def verdict_of(self, error: BaseException) -> tuple[RunState, str]:
        """State and reason of a run that ended with an error."""
        reason = cut(self._saved.redacted(f"{type(error).__name__}: {error}"), _LONGEST_REASON)
        if self._is_outcome_unknown:
            return RunState.UNKNOWN, reason
        is_cancelled = isinstance(error, StepCancelled) or not isinstance(error, Exception)
        return (RunState.INTERRUPTED if is_cancelled else RunState.FAILED), reason

    def end(self, state: RunState, reason: str | None) -> None:
        """Save how the run has ended."""
        with self._saved.lock:
            end_run(self._saved.notebook, state, reason)
            RUN_CLOCK.end()
            self._saved.write(last=True)

    def _note(self, at: int, state: CellState) -> None:
        with self._saved.lock:
            write_cell_state(self._cells[at], state)
            self._cells[at]["execution_count"] = at + 1
            self._saved.changed()


def notebook_of(script: Script) -> bytes:
    """A script as a runbook; the same bytes for all values."""
    cells = [
        _cell("markdown", f"# {script.title}\n\nDone by hand in a panel."),
        _cell("code", script.parameters, tags=["parameters"]),
        _cell("code", _CONNECT),
        *(_cell("code", source) for source in script.cells),
        _cell("markdown", "## Operation note"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1).encode()


def _cell(kind: str, source: str, *, tags: list[str] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "metadata": {"tags": tags} if tags else {}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})
