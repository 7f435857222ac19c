"""The engine's entry point for our own command: takes a request and returns a saved run's result."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ecr_widgets.channel import APPROVED_VARIABLE, RESUMED_VARIABLE, RUNBOOK_FOLDER_VARIABLE
from ecr_widgets.engine.attach_at_end import AttachAtEnd
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.execution import Execution
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.notebook import name_version, prepare
from ecr_widgets.engine.options import ExecutionOptions
from ecr_widgets.engine.request import RunRequest
from ecr_widgets.engine.results import RunResult, read_result
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.engine.stop_signals import Interrupted, signals_raise
from ecr_widgets.errors import RunError, SettingsError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RunState
from ecr_widgets.model.user_folders import check_home
from ecr_widgets.saved_runs.writing import header_of
from ecr_widgets.secrets.redaction import SecretRegistry


def execute(request: RunRequest) -> RunResult:
    """Execute a request, and read its result from the saved file.

    Raises:
        InputError: Its notebook or a parameter is refused, or it cannot be saved; nothing was started.

        SettingsError: This user has no home folder, or no kernel can be started; nothing was started.
    """
    check_home()
    known = SecretRegistry(os.environ)
    notebook = prepare(request, known)
    sealing = Sealing(request.saved, request.options.environ, known)
    try:
        # Until the very end: a signal that killed this process immediately would leave the kernel's files behind.
        with signals_raise():
            _execute(request, notebook, known, sealing)
    except Interrupted as error:
        if not sealing.is_done:
            # The run had not begun: its file, if it exists, is an earlier one.
            raise KeyboardInterrupt from error
    result = read_result(request.saved)
    if result.state is RunState.RUNNING:
        # The signal came while its end was being written: readers of the file see an interrupted run.
        raise KeyboardInterrupt
    return replace(result, unsealed=sealing.why_not, unattached=sealing.unattached)


def _execute(request: RunRequest, notebook: dict[str, Any], known: SecretRegistry, sealing: Sealing) -> None:
    environ = {**request.environ, RUNBOOK_FOLDER_VARIABLE: header_of(notebook).runbook_folder or ""}
    if request.attempts:
        # The attempts are in the file before its first cell runs.
        environ[RESUMED_VARIABLE] = str(request.saved.absolute())
    if (files := (request.approval or {}).get("files")) is not None:
        # Most runs have none, and start faster without importing what builds need.
        from ecr_widgets.approved_files import ApprovedFiles

        environ[APPROVED_VARIABLE] = ApprovedFiles(files).to_json()
    with ExitStack() as stack:
        try:
            kernel = stack.enter_context(Kernel(request.run_id, environ=environ, cwd=request.folder))
        except RunError as error:
            raise SettingsError(error.message, hint=error.hint) from error
        saved = stack.enter_context(
            SavedRun(notebook, request.saved, redact=known.redact_values, resumes=request.resumes)
        )
        # Runs however it ends.
        stack.callback(sealing.seal)
        # While the kernel starts, find the version and load what the end needs.
        name_version(notebook)
        import ecr_widgets.audit.sealing  # noqa: F401

        def on_event(event: RunEvent) -> None:
            # Only now, since it would have slowed down the kernel's start.
            sealing.attaching.load()
            request.options.on_event(event)

        execution = Execution(
            saved,
            kernel,
            learn_secret=known.register,
            options=ExecutionOptions(),
            on_event=on_event,
        )
        execution.begin()
        execution.run()


class Sealing:
    """The seal of one run, and why it has none, or is not attached although that was requested."""

    def __init__(self, saved: Place, environ: Mapping[str, str], known: SecretRegistry) -> None:
        self._saved = saved
        self.attaching = AttachAtEnd(environ, known)
        self.is_done = False
        self.why_not: str | None = None
        self.unattached: str | None = None

    def seal(self) -> None:
        """Seal the run, and attach it if requested; a signal meanwhile leaves it unsealed or unattached."""
        from ecr_widgets.audit.sealing import seal_finished_run

        self.is_done, self.why_not = True, "it was interrupted while others were at work on the seals"
        self.why_not = seal_finished_run(self._saved)
        if self.why_not is None:
            self.unattached = "it was interrupted"
            self.unattached = self.attaching.attach(self._saved)
