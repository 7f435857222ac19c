"""The notebook of a run, as prepared before its first cell starts."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ecr_widgets.actor import actor
from ecr_widgets.engine.kernel_check import check_named_kernel
from ecr_widgets.engine.parameters import checked_values, declared_in, inject
from ecr_widgets.engine.request import RunRequest
from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RECORD_VERSION, RunState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.run_clock import RUN_CLOCK
from ecr_widgets.runbooks.language import refuse_other_cells, refuse_other_language
from ecr_widgets.runbooks.notebook_file import read_notebook
from ecr_widgets.saved_runs.reading import OURS, own_metadata, read_header
from ecr_widgets.saved_runs.summary import is_summary
from ecr_widgets.saved_runs.writing import encoded, write_header
from ecr_widgets.secrets.redaction import SecretRegistry

_BANNER_ID, _NOTE_ID = "plan-banner", "operation-note-of-run"
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What nbformat 4.5 takes."""
_ERROR_MARKER = "papermill-error-cell-tag"
"""Tag of the cells with which plain papermill marks where an earlier run failed."""


def prepare(request: RunRequest, known: SecretRegistry) -> dict[str, Any]:
    """The notebook for a request, with its parameters, its operation note and the run's header.

    Raises:
        InputError: It is not a notebook, is in another language, or a parameter is refused; nothing was started.
    """
    notebook = _load(request)
    values = checked_values(declared_in(notebook), request.parameters, known)
    header = new_header(
        request.run_id,
        request.runbook,
        request.runbook_sha256,
        values,
        folder=str(request.folder),
        runbook_folder=_runbook_folder(request, notebook),
    )
    inject(notebook, request.parameters)
    if request.plan:
        _add_banner(notebook, request)
    if request.options.reason:
        _set_note(notebook, request.options.reason)
    header = replace(
        header,
        started_at=request.started_at or header.started_at,
        plan=request.plan,
        approval=request.approval,
        resumed_at=header.started_at if request.attempts else None,
        attempts=[attempt.to_builtins() for attempt in request.attempts],
    )
    describe(notebook, header)
    _refuse_unreadable(notebook, request)
    return notebook


def new_header(
    run_id: str,
    runbook: str,
    runbook_sha256: str | None,
    parameters: Mapping[str, Any],
    *,
    folder: str,
    runbook_folder: str,
) -> RunHeader:
    """The header for a run that starts now."""
    RUN_CLOCK.begin()
    return RunHeader(
        version=RECORD_VERSION,
        run_id=run_id,
        runbook=runbook,
        runbook_sha256=runbook_sha256,
        state=RunState.RUNNING,
        actor=actor(),
        host=socket.gethostname(),
        parameters=dict(parameters),
        folder=folder,
        runbook_folder=runbook_folder,
        started_at=RUN_CLOCK.now(),
        marked=True,
    )


def describe(notebook: dict[str, Any], header: RunHeader) -> None:
    """Convert a notebook to nbformat 4.5 and add the run's header."""
    notebook["nbformat"], notebook["nbformat_minor"] = 4, max(5, notebook.get("nbformat_minor", 5))
    # Remove the summary of an earlier run, and what it or anything else has left where the engine writes.
    notebook["cells"] = [cell for cell in notebook["cells"] if not is_summary(cell)]
    for cell in notebook["cells"]:
        cell["metadata"].pop(OURS, None)
        if cell["cell_type"] != "code":
            for member in ("outputs", "execution_count"):
                cell.pop(member, None)
    _name_cells(notebook["cells"])
    if not header.plan:
        # Remove the banner of an earlier plan.
        notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != _BANNER_ID]
    write_header(notebook, header)


def _name_cells(cells: Sequence[dict[str, Any]]) -> None:
    """Give each cell an id that nbformat 4.5 takes; one that is right and the first of its kind stays."""
    taken: set[str] = set()
    unnamed = []
    for number, cell in enumerate(cells):
        cell_id = cell.get("id")
        if isinstance(cell_id, str) and _CELL_ID.fullmatch(cell_id) and cell_id not in taken:
            taken.add(cell_id)
        else:
            unnamed.append((number, cell))
    for number, cell in unnamed:
        cell_id = f"cell-{number}"
        while cell_id in taken:
            cell_id = f"{cell_id}-2"
        cell["id"] = cell_id
        taken.add(cell_id)


def name_version(notebook: dict[str, Any]) -> None:
    """Record papermill's version in the notebook's metadata; finding the version is slow."""
    from importlib.metadata import version

    notebook["metadata"]["papermill"].setdefault("version", version("papermill"))


def _load(request: RunRequest) -> dict[str, Any]:
    """Read a notebook as papermill's own reader would, as plain values."""
    notebook = read_notebook(request.content, request.source)
    metadata = notebook["metadata"]
    if not isinstance(metadata.get("papermill"), dict):
        metadata["papermill"] = {"default_parameters": {}, "parameters": {}, "environment_variables": {}}
    metadata["papermill"] |= {"input_path": str(request.source), "output_path": None}
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("papermill", {})
        if cell["cell_type"] == "code":
            # Of an earlier run, in whatever form.
            cell["outputs"], cell["execution_count"] = [], None
    notebook["cells"] = [cell for cell in notebook["cells"] if _ERROR_MARKER not in cell["metadata"]["tags"]]
    refuse_other_language(metadata)
    refuse_other_cells(notebook["cells"])
    check_named_kernel(metadata)
    return notebook


def _refuse_unreadable(notebook: Mapping[str, Any], request: RunRequest) -> None:
    """Refuse a notebook whose saved run could not be read: a member is not as nbformat or we have it."""
    try:
        read_header(encoded(json.dumps(notebook, ensure_ascii=False)), request.source)
    except InputError as error:
        raise InputError(
            f"the run of {str(request.source)!r} could not be read afterwards: {error.__cause__ or error}",
            hint="open it in JupyterLab and save it",
        ) from error


def _runbook_folder(request: RunRequest, notebook: Mapping[str, Any]) -> str:
    """The folder of the runbook and its files; empty if it is not known.

    For a resumed run it comes from the saved run, which is not in the runbook's folder.
    """
    ours = own_metadata(notebook)
    if "run_id" in ours:
        return str(ours.get("runbook_folder") or "")
    return str(request.source.parent.absolute())


def _set_note(notebook: dict[str, Any], reason: str) -> None:
    """Put the reason into the operation note, where people who run the notebook by hand write it."""
    for cell in notebook["cells"]:
        heading = cell["source"].partition("\n")[0]
        if cell["cell_type"] == "markdown" and heading.lstrip("# ").lower() == "operation note":
            cell["source"] = f"{heading}\n\n{reason}"
            return
    notebook["cells"].insert(0, _markdown(_NOTE_ID, f"## Operation note\n\n{reason}"))


def _add_banner(notebook: dict[str, Any], request: RunRequest) -> None:
    """Mark a plan as such at its top."""
    waits = (
        f" {request.approval['asked_by']} requires another person's approval:"
        f" `ecr-widgets approve {request.run_id}` approves and runs it."
        if request.approval
        else ""
    )
    text = (
        f"> **Plan of {request.runbook}.** Nothing was changed: each record says what exists, and what a run would"
        f" change and ask of whom.{waits}"
    )
    cells = [cell for cell in notebook["cells"] if cell.get("id") != _BANNER_ID]
    notebook["cells"] = [_markdown(_BANNER_ID, text), *cells]


def _markdown(cell_id: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": source}
