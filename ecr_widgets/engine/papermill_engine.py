"""The engine as papermill sees it, by any of its doors: command, Python API, schedulers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import keyword
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click import ClickException, echo
from nbformat import from_dict

from ecr_widgets.actor import actor
from ecr_widgets.channel import RUNBOOK_FOLDER_VARIABLE, new_run_id
from ecr_widgets.engine.asking import refuse_unapproved, who_asks
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.execution import Execution, Interrupted, conclude_without_kernel
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.kernel_names import refuse_other_kernel
from ecr_widgets.engine.notices import tell_end, telling_refusals
from ecr_widgets.engine.options import ExecutionOptions
from ecr_widgets.engine.papermill_files import output_file, papermill_folder, write_whole
from ecr_widgets.engine.papermill_output import OutputLog, bar_for, both
from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.engine.results import result_of
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.engine.start import kernel_environ
from ecr_widgets.errors import InputError, RunError, UnknownParameter
from ecr_widgets.model.declarations import found_parameters
from ecr_widgets.model.parameters import Parameter, computed_names, default_values, read_parameters
from ecr_widgets.model.record import MARK, RECORD_VERSION, RunState
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.runbooks import asks_for_approval
from ecr_widgets.runbooks.language import refuse_other_language
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_BANNER_ID, _NOTE_ID = "plan-banner", "operation-note-of-run"


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
    runbook_folder: str
    """Where the files beside the runbook are; empty where that is not known."""
    plan: bool = False
    started_at: str | None = None
    """When the run began, where this is not its first attempt."""
    attempts: tuple[Mapping[str, Any], ...] = ()
    """What is left of the attempts before this one."""
    goes_on_from: str | None = None
    """SHA-256 of the saved run that the attempts are from."""
    approval: Mapping[str, Any] | None = None
    """Who asked for an approval, who requested the run and who approved it."""
    reason: str = ""
    """Why the run is made."""
    on_sealed: Callable[[str | None], None] = lambda _: None
    """Told why the run could not be sealed, None where it was."""


class EcrWidgetsEngine:
    """Entry point `ecr_widgets` of group `papermill.engine`.

    Not of papermill's own class: papermill loads this module while it is imported, and so this must not import it.
    """

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Name of the kernel that papermill's caller or the notebook asks for."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Language in which papermill writes parameters: Python, or the notebook is refused."""
        with _refusing(_name_of(nb)):
            refuse_other_language(
                {**nb["metadata"], **({"kernelspec": {"language": language}} if language else {})}
            )
        return "python"

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
        start_timeout: float = 60,
        stdout_file: Any = None,
        stderr_file: Any = None,
        run_request: RunRequest | None = None,
        **more: Any,
    ) -> Any:
        """Run the notebook and give it back with the run's record; see contract sections 4 and 5.

        Raises:
            InputError: A parameter is a secret or looks like one, is not declared, or not of the declared type; the
                notebook is of another language; the kernel is another environment's; the run would be saved in no file; an
                option asks for what this engine does not have. Nothing was written. Papermill's command ends with 2.

            TargetBusy: Another run is being saved in the same file.

            CannotSave: The file cannot be written.

            RunError: No kernel can be started; the run is saved as failed.

        Args:
            progress_bar: Whether, or with which settings for tqdm, a bar is shown.

            log_output: Whether papermill's log gets what the cells print and show.

            execution_timeout: Longest time for one cell, in seconds.

            start_timeout: Longest time for the kernel's start, in seconds.

            stdout_file, stderr_file: Open text files that get what the cells print.

            run_request: What our own command has started already.
        """
        known = SecretRegistry()
        known.register_environment(os.environ)
        runbook = run_request.runbook if run_request else _name_of(nb)
        # Papermill passes no path on with `--no-request-save-on-cell-execute`, and writes the file in the end all the same.
        output_path = output_path or nb["metadata"].get("papermill", {}).get("output_path")
        # Before the first write: what a notebook was given stays in its cells and metadata.
        with _refusing(runbook) if run_request is None else contextlib.nullcontext():
            options = ExecutionOptions.from_papermill(
                execution_timeout=execution_timeout, start_timeout=start_timeout, more=more
            )
            declared = _declared(nb)
            parameters = _parameters(nb, declared, known)
            path = (
                run_request.path
                if run_request
                else _look(nb, kernel_name, output_path, parameters, computed_names(declared))
            )
        log = OutputLog(known, log=log_output, files={"stdout": stdout_file, "stderr": stderr_file})
        _describe(nb, run_request, runbook, parameters)
        interrupted: Interrupted | None = None
        with ExitStack() as stack:
            goes_on_from = run_request.goes_on_from if run_request else None
            saved = stack.enter_context(
                SavedRun(nb, path, redact=known.redact_values, goes_on_from=goes_on_from)
            )
            if path is not None:
                # First, so that the run is sealed however it ends. Papermill saves the notebook once more by itself, so its
                # own door is sealed when the process ends.
                stack.callback(_seal, path, run_request)
            kernel = run_request.kernel if run_request else stack.enter_context(_kernel_for(saved))
            # What the end needs is loaded while the kernel starts.
            import ecr_widgets.audit.seal  # noqa: F401

            watch: Callable[[RunEvent], None]
            if run_request:
                watch = run_request.on_event
            else:
                watch = both(log, stack.enter_context(bar_for(len(nb["cells"]), progress_bar)))
            execution = Execution(
                saved,
                kernel,
                learn_secret=known.register,
                options=options,
                on_event=watch,
            )
            try:
                execution.run()
            except Interrupted as error:
                if run_request:
                    raise
                interrupted = error
        if run_request is None and path is not None:
            tell_end(result_of(nb, path))
        if interrupted is not None:
            # What a shell makes of a process that the signal killed: 130, 143, 129.
            sys.exit(128 + interrupted.number)
        _hand_back(nb, kernel_died=execution.kernel_died, own_door=run_request is None)
        return nb


class Refused(InputError, ClickException):  # type: ignore[misc]  # click calls its message final
    """A refusal as papermill's command ends with it, in one line and with 2; who calls papermill catches an InputError."""

    exit_code = 2

    def __str__(self) -> str:
        # click's own leaves the hint out.
        return Exception.__str__(self)

    def show(self, file: Any = None) -> None:
        """Print it."""
        echo(f"Error: {self}", file=file, err=file is None)


@contextlib.contextmanager
def _refusing(runbook: str) -> Iterator[None]:
    try:
        with telling_refusals(runbook):
            yield
    except InputError as error:
        raise Refused(error.message, hint=error.hint) from error


def _hand_back(nb: Any, *, kernel_died: bool, own_door: bool) -> None:
    """Make the notebook what papermill goes on with, and raise what papermill would not find by itself.

    Args:
        own_door: Whether papermill itself was started, and not our command.
    """
    for cell in nb["cells"]:
        if "outputs" in cell:
            # Papermill reads outputs by attribute, as nbformat's own nodes allow.
            cell["outputs"] = [from_dict(output) for output in cell["outputs"]]
    run = nb["metadata"]["ecr_widgets"]
    if run["state"] == RunState.SUCCEEDED.value or not own_door:
        return
    why = f"run {run['run_id']} {run['state']}: {run['reason']}"
    if kernel_died:
        raise _dead_kernel(why)
    if not _papermill_sees(nb):
        raise RuntimeError(why)


def _dead_kernel(why: str) -> Exception:
    """What papermill's command takes for a dead kernel: it ends with 138 then."""
    from nbclient.exceptions import DeadKernelError

    return DeadKernelError(why)


def _kernel_for(saved: SavedRun) -> Kernel:
    run = saved.notebook["metadata"]["ecr_widgets"]
    environ = kernel_environ(os.environ, runs=None) | {RUNBOOK_FOLDER_VARIABLE: run["runbook_folder"]}
    try:
        return Kernel(run["run_id"], environ=environ, cwd=Path.cwd())
    except RunError as error:
        conclude_without_kernel(saved, str(error))
        if saved.path is not None:
            tell_end(result_of(saved.notebook, saved.path))
        raise


def _seal(path: Path, request: RunRequest | None) -> None:
    # Whoever runs papermill without this engine needs it at no time.
    from ecr_widgets.audit.seal import seal_at_exit, seal_finished_run

    if request is None:
        seal_at_exit(path)
        return
    why_not: str | None = "it was interrupted while others were at work on the seals"
    try:
        why_not = seal_finished_run(path)
    finally:
        request.on_sealed(why_not)


def _look(
    nb: Any,
    kernel_name: str,
    output_path: str | None,
    parameters: Mapping[str, Any],
    computed: Collection[str],
) -> Path | None:
    """Look whether papermill's call can be run, as our own command has done for its own; the file for the run."""
    refuse_other_language(nb["metadata"])
    refuse_other_kernel(kernel_name)
    refuse_other_registries(parameters)
    asks = who_asks(_name_of(nb), parameters, os.environ, required=asks_for_approval(nb), computed=computed)
    refuse_unapproved(asks, None)
    path = output_file(output_path)
    if path is not None:
        write_whole(path)
    return path


def _declared(nb: Any) -> tuple[Parameter, ...]:
    return tuple(
        each
        for cell in nb["cells"]
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", ())
        for each in found_parameters(cell["source"])
    )


def _parameters(nb: Any, declared: Sequence[Parameter], known: SecretRegistry) -> dict[str, Any]:
    """Values of all parameters: those that were given, else what the runbook declares.

    Raises:
        InputError: One of them is or looks like a secret, has a name that is none, is not declared, or is not of the
            declared type.
    """
    given = nb["metadata"].get("papermill", {}).get("parameters") or {}
    refuse_secrets(given, known)
    for name in given:
        # Papermill writes names into a cell as they are.
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UnknownParameter(f"parameter {name!r} refused: it is no name", hint="give a declared one")
    # Where every one has a type it is declared as our runbooks do it, and no other name is taken. Papermill has turned
    # text into numbers where it could.
    typed = {each.name for each in declared if each.annotated}
    ours = bool(declared) and len(typed) == len(declared) and not computed_names(declared)
    read_parameters(
        [each for each in declared if each.annotated],
        values={name: value for name, value in given.items() if ours or name in typed},
        texts={},
    )
    values: dict[str, Any] = json.loads(json.dumps(default_values(declared) | dict(given), default=str))
    refuse_secrets(values, known)
    return values


def _name_of(nb: Any) -> str:
    return Path(str(nb["metadata"].get("papermill", {}).get("input_path") or "notebook")).stem


def _describe(nb: Any, request: RunRequest | None, runbook: str, parameters: Mapping[str, Any]) -> None:
    told = nb["metadata"].get("papermill", {})
    nb["nbformat"], nb["nbformat_minor"] = 4, max(5, nb.get("nbformat_minor", 5))
    for number, cell in enumerate(nb["cells"]):
        cell.setdefault("id", f"cell-{number}")
    _set_banner(nb, request)
    if request is not None and request.reason:
        _set_note(nb, request.reason)
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
        "runbook_folder": request.runbook_folder if request else _folder_of(told.get("input_path")),
        "started_at": (request and request.started_at) or to_rfc3339(datetime.now(UTC)),
        "ended_at": None,
        MARK: True,
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


def _set_note(nb: Any, reason: str) -> None:
    """Put the reason where somebody who runs the notebook by hand writes it."""
    for cell in nb["cells"]:
        heading = cell["source"].partition("\n")[0]
        if cell["cell_type"] == "markdown" and heading.lstrip("# ").lower() == "operation note":
            cell["source"] = f"{heading}\n\n{reason}"
            return
    note = {
        "cell_type": "markdown",
        "id": _NOTE_ID,
        "metadata": {},
        "source": f"## Operation note\n\n{reason}",
    }
    nb["cells"].insert(0, from_dict(note))


def _set_banner(nb: Any, request: RunRequest | None) -> None:
    """Say at the top of a plan that it is one; what goes on from it has the cell no more."""
    cells = [cell for cell in nb["cells"] if cell.get("id") != _BANNER_ID]
    if request is not None and request.plan:
        waits = (
            f" {request.approval['asked_by']} asks for a second person:"
            f" `ecr-widgets approve {request.run_id}` lets it go on."
            if request.approval
            else ""
        )
        text = (
            f"> **Plan of {request.runbook}.** Nothing was changed: each record says what stands, and what a run would"
            f" change and ask of whom.{waits}"
        )
        cells.insert(
            0, from_dict({"cell_type": "markdown", "id": _BANNER_ID, "metadata": {}, "source": text})
        )
    nb["cells"] = cells


def _sha256_of(path: Any) -> str | None:
    try:
        return hashlib.sha256((papermill_folder() / path).read_bytes()).hexdigest()
    except (OSError, TypeError):
        # Papermill also reads from stores that are no files.
        return None


def _folder_of(path: Any) -> str:
    """Folder of the runbook; empty where papermill reads it from a store that is no file."""
    found = papermill_folder() / str(path or "")
    return str(found.parent.absolute()) if found.is_file() else ""


def _papermill_sees(nb: Any) -> bool:
    """Whether papermill will find by itself that a cell failed; it takes an exit with code 0 for none."""
    for cell in nb["cells"]:
        errors = [each for each in cell.get("outputs", ()) if each["output_type"] == "error"]
        exits = [each for each in errors if each["ename"] == "SystemExit" and each["evalue"] in ("", "0")]
        failed = cell["metadata"].get("papermill", {}).get("exception") is True
        if len(errors) > len(exits) or (failed and not exits):
            return True
    return False
