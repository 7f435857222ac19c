"""The engine as papermill sees it, by any of its doors: command, Python API, schedulers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat import from_dict
from papermill.engines import Engine

from ecr_widgets.actor import actor
from ecr_widgets.audit.seal import seal_finished_run
from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.execution import Execution, Interrupted
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import Parameter, declared_parameters, read_parameters
from ecr_widgets.model.record import RECORD_VERSION, RunState
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.redaction import SecretRegistry
from ecr_widgets.secret_parameters import refuse_secrets


@dataclass(frozen=True)
class RunRequest:
    """What `ecr-widgets run` knows before papermill does."""

    run_id: str
    runbook: str
    runbook_sha256: str | None
    path: Path
    kernel: Kernel
    on_event: Callable[[RunEvent], None]
    folder: Path
    plan: bool = False
    started_at: str | None = None
    """When the run began, where this is not its first attempt."""
    attempts: tuple[Mapping[str, Any], ...] = ()
    """What is left of the attempts before this one."""
    approval: Mapping[str, Any] | None = None
    """Who asked for an approval, who requested the run and who approved it."""


class EcrWidgetsEngine(Engine):  # type: ignore[misc]
    """Entry point `ecr_widgets` of group `papermill.engine`."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool = True,  # noqa: FBT001, FBT002 -- papermill's signature
        log_output: bool = False,  # noqa: FBT001, FBT002
        autosave_cell_every: int = 30,
        *,
        execution_timeout: float | None = None,
        run_request: RunRequest | None = None,
        **_: Any,
    ) -> Any:
        """Run the notebook and give it back with the run's record; see contract sections 4 and 5.

        Raises:
            InputError: A parameter is a secret or looks like one, is not declared, or not of the declared type; nothing
                was written.

        Args:
            execution_timeout: Longest time for one cell, in seconds.

            run_request: What our own command has started already.
        """
        known = SecretRegistry()
        known.register_environment(os.environ)
        path = run_request.path if run_request else (Path(output_path) if output_path else None)
        parameters = _parameters(nb)
        # Before the first write: what a notebook was given stays in its cells and metadata.
        refuse_secrets(parameters, known)
        _describe(nb, run_request, parameters)
        with ExitStack() as stack:
            saved = stack.enter_context(SavedRun(nb, path, redact=known.redact_values))
            if path is not None:
                # Papermill saves the notebook once more by itself, so its own door is sealed when the process ends.
                stack.callback(seal_finished_run, path, at_exit=run_request is None)
            kernel = (
                run_request.kernel
                if run_request
                else stack.enter_context(
                    Kernel(nb["metadata"]["ecr_widgets"]["run_id"], environ=os.environ, cwd=Path.cwd())
                )
            )
            execution = Execution(
                saved,
                kernel,
                learn_secret=known.register,
                cell_timeout_s=execution_timeout,
                on_event=run_request.on_event if run_request else lambda _: None,
            )
            try:
                execution.run()
            except Interrupted as interrupted:
                if run_request:
                    raise
                # What a shell makes of a process that the signal killed: 130, 143, 129.
                sys.exit(128 + interrupted.number)
        for cell in nb["cells"]:
            if "outputs" in cell:
                # Papermill reads outputs by attribute, as nbformat's own nodes allow.
                cell["outputs"] = [from_dict(output) for output in cell["outputs"]]
        run = nb["metadata"]["ecr_widgets"]
        if run["state"] != RunState.SUCCEEDED.value and run_request is None and not _has_error_output(nb):
            # Papermill only looks for error outputs, and a dead kernel leaves none.
            raise RuntimeError(f"run {run['run_id']} {run['state']}: {run['reason']}")
        return nb


def _parameters(nb: Any) -> dict[str, Any]:
    """Values of all parameters: those that were given, else what the runbook declares."""
    declared: list[Parameter] = []
    for cell in nb["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            # A notebook of somebody else's may hold anything there, and runs all the same.
            with contextlib.suppress(InputError):
                declared += declared_parameters(cell["source"])
    given = nb["metadata"].get("papermill", {}).get("parameters") or {}
    if declared and all(each.annotated for each in declared):
        # Declared as our runbooks do it: papermill has turned text into numbers where it could.
        read_parameters(declared, values=given, texts={})
    defaults = {each.name: each.default for each in declared}
    values: dict[str, Any] = json.loads(json.dumps(defaults | dict(given), default=str))
    return values


def _describe(nb: Any, request: RunRequest | None, parameters: Mapping[str, Any]) -> None:
    told = nb["metadata"].get("papermill", {})
    runbook = request.runbook if request else Path(str(told.get("input_path") or "notebook")).stem
    nb["nbformat"], nb["nbformat_minor"] = 4, max(5, nb.get("nbformat_minor", 5))
    for number, cell in enumerate(nb["cells"]):
        cell.setdefault("id", f"cell-{number}")
    nb["metadata"]["ecr_widgets"] = {
        "version": RECORD_VERSION,
        "run_id": request.run_id if request else new_run_id(),
        "runbook": runbook,
        "runbook_sha256": request.runbook_sha256 if request else _sha256_of(told.get("input_path")),
        "state": RunState.RUNNING.value,
        "reason": None,
        "actor": actor(),
        "host": socket.gethostname(),
        "parameters": dict(parameters),
        # Where relative paths begin, for whoever goes on with the run.
        "folder": str(request.folder if request else Path.cwd()),
        "started_at": (request and request.started_at) or to_rfc3339(datetime.now(UTC)),
        "ended_at": None,
    }
    if request is not None and request.plan:
        nb["metadata"]["ecr_widgets"]["plan"] = True
    if request is not None and request.approval:
        nb["metadata"]["ecr_widgets"]["approval"] = dict(request.approval)
    if request is not None and request.attempts:
        nb["metadata"]["ecr_widgets"] |= {
            "resumed_at": to_rfc3339(datetime.now(UTC)),
            "attempts": [dict(attempt) for attempt in request.attempts],
        }


def _sha256_of(path: Any) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, TypeError):
        # Papermill also reads from stores that are no files.
        return None


def _has_error_output(nb: Any) -> bool:
    """Whether papermill will find an error by itself; it takes an exit with code 0 for none."""
    return any(
        o["output_type"] == "error" and not (o["ename"] == "SystemExit" and o["evalue"] in ("", "0"))
        for c in nb["cells"]
        for o in c.get("outputs", ())
    )
