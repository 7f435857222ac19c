"""The engine as papermill's plug-in, whether papermill is called as a command, by its Python API or by a scheduler."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from click import ClickException, echo
from nbformat import NotebookNode, from_dict

from ecr_widgets.channel import RUNBOOK_FOLDER_VARIABLE, new_run_id
from ecr_widgets.engine.approval_rules import refuse_unapproved, who_asks
from ecr_widgets.engine.attach_at_end import AttachAtEnd
from ecr_widgets.engine.execution import Execution, conclude_without_kernel
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.kernel_check import refuse_other_kernel
from ecr_widgets.engine.notebook import describe, new_header
from ecr_widgets.engine.notices import tell_end, telling_refusals
from ecr_widgets.engine.options import ExecutionOptions
from ecr_widgets.engine.papermill_files import output_place, papermill_folder, write_whole
from ecr_widgets.engine.papermill_output import OutputLog, bar_for, both
from ecr_widgets.engine.parameters import checked_values, declared_in
from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.engine.request import kernel_environ, policy_environ
from ecr_widgets.engine.results import read_result
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.engine.stop_signals import Interrupted
from ecr_widgets.errors import InputError, RunError, SettingsError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.parameters import computed_names
from ecr_widgets.model.record import RunState
from ecr_widgets.model.user_folders import check_home
from ecr_widgets.runbooks import asks_for_approval
from ecr_widgets.runbooks.language import refuse_other_cells, refuse_other_language
from ecr_widgets.saved_runs.writing import header_of
from ecr_widgets.secrets.redaction import SecretRegistry


class EcrWidgetsEngine:
    """Entry point `ecr_widgets` of group `papermill.engine`.

    It is not a subclass of papermill's engine: papermill loads this module during its own import, so this must not import it.
    """

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Name of the kernel that papermill's caller or the notebook requests."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Language in which papermill writes parameters: Python; notebooks in other languages are refused."""
        if not isinstance(theirs := nb["metadata"].get("papermill", {}), Mapping):
            # Papermill itself would stop there with a TypeError.
            raise Refused(
                f"the notebook is refused: papermill in its metadata is {theirs!r}, and not an object",
                hint="remove it",
            )
        with _refusing(_name_of(nb)):
            refuse_other_language(
                {**nb["metadata"], **({"kernelspec": {"language": language}} if language else {})}
            )
            # Before papermill adds a cell with parameters: people count without it.
            refuse_other_cells(nb["cells"])
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
        **more: Any,
    ) -> Any:
        """Run the notebook and return it with the run's record; see contract sections 4 and 5.

        Raises:
            InputError: A parameter is a secret or looks like one, is not declared, or is not of the declared type; the
                notebook is in another language; the kernel is from another environment; the run would be saved in neither a
                file nor a bucket, or cannot be saved; an option is not supported by this engine. Nothing was started.
                Papermill's command exits with 2.

            TargetBusy: Another run is being saved in the same file.

            CannotSave: The file can no longer be written.

            RunError: No kernel can be started; the run is saved as failed.

        Args:
            progress_bar: Whether a bar is shown, or settings for tqdm.

            log_output: Whether what the cells print and show goes to papermill's log.

            execution_timeout: Longest time for one cell, in seconds.

            start_timeout: Longest time for the kernel's start, in seconds.

            stdout_file, stderr_file: Open text files that get what the cells print.
        """
        known = SecretRegistry(os.environ)
        # With `--no-request-save-on-cell-execute` papermill passes no path, but still writes the file in the end.
        output_path = output_path or nb["metadata"].get("papermill", {}).get("output_path")
        # Checked before the first write: parameters stay in the notebook's cells and metadata.
        with _refusing(_name_of(nb)):
            options = ExecutionOptions.from_papermill(
                execution_timeout=execution_timeout, start_timeout=start_timeout, more=more
            )
            declared = declared_in(nb)
            given = nb["metadata"].get("papermill", {}).get("parameters") or {}
            parameters = checked_values(declared, given, known)
            path = _look(nb, kernel_name, output_path, parameters, computed_names(declared))
        log = OutputLog(known, log=log_output, files={"stdout": stdout_file, "stderr": stderr_file})
        _describe(nb, parameters)
        interrupted: Interrupted | None = None
        with ExitStack() as stack:
            with _refusing(_name_of(nb)):
                saved = stack.enter_context(SavedRun(nb, path, redact=known.redact_values))
            if path is not None:
                # First, so that the run is sealed however it ends.
                stack.callback(_seal_at_exit, path, AttachAtEnd(os.environ, known))
            kernel = stack.enter_context(_kernel_for(saved))
            # What the end needs is loaded while the kernel starts.
            import ecr_widgets.audit.sealing  # noqa: F401

            execution = Execution(
                saved,
                kernel,
                learn_secret=known.register,
                options=options,
                on_event=both(log, stack.enter_context(bar_for(len(nb["cells"]), progress_bar))),
            )
            with _refusing(_name_of(nb)):
                execution.begin()
            try:
                execution.run()
            except Interrupted as error:
                interrupted = error
        if path is not None:
            tell_end(read_result(path))
        if interrupted is not None:
            # The exit code that a shell gives for a process killed by that signal: 130, 143, 129.
            sys.exit(128 + interrupted.number)
        _hand_back(nb, kernel_died=execution.kernel_died)
        return nb


class Refused(InputError, ClickException):  # type: ignore[misc]  # click calls its message final
    """A refusal: papermill's command prints it in one line and exits with 2; Python callers catch it as an InputError."""

    exit_code = 2

    def __str__(self) -> str:
        # click's own version leaves out the hint.
        return Exception.__str__(self)

    def show(self, file: Any = None) -> None:
        """Print the error."""
        echo(f"Error: {self}", file=file, err=file is None)


@contextlib.contextmanager
def _refusing(runbook: str) -> Iterator[None]:
    try:
        with telling_refusals(runbook):
            yield
    except (InputError, SettingsError) as error:
        raise Refused(error.message, hint=error.hint) from error


def _hand_back(nb: Any, *, kernel_died: bool) -> None:
    """Convert the notebook for papermill, and raise failures that papermill would not notice by itself."""
    # Papermill reads cells and outputs by attribute, which nbformat's own nodes support.
    nb["cells"] = [cell if isinstance(cell, NotebookNode) else from_dict(cell) for cell in nb["cells"]]
    for cell in nb["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [from_dict(output) for output in cell["outputs"]]
    header = header_of(nb)
    if header.state is RunState.SUCCEEDED:
        return
    why = f"run {header.run_id} {header.state}: {header.reason}"
    if kernel_died:
        raise _dead_kernel(why)
    if not _papermill_sees(nb):
        raise RuntimeError(why)


def _dead_kernel(why: str) -> Exception:
    """Papermill's error for a dead kernel, with which its command exits with 138."""
    from nbclient.exceptions import DeadKernelError

    return DeadKernelError(why)


def _kernel_for(saved: SavedRun) -> Kernel:
    header = header_of(saved.notebook)
    environ = kernel_environ(os.environ, runs=None)
    environ[RUNBOOK_FOLDER_VARIABLE] = header.runbook_folder or ""
    try:
        return Kernel(header.run_id, environ=environ, cwd=Path.cwd())
    except RunError as error:
        conclude_without_kernel(saved, str(error))
        if saved.path is not None:
            tell_end(read_result(saved.path))
        raise


def _seal_at_exit(path: Place, attaching: AttachAtEnd) -> None:
    """Seal the run when the process ends, because papermill itself saves the notebook once more."""
    # Imported here, since papermill without this engine never needs it.
    from ecr_widgets.audit.sealing import seal_at_exit

    def attach(path: Place) -> str | None:
        why_not = attaching.attach(path)
        return f"the run is sealed but not attached: {why_not}" if why_not else None

    seal_at_exit(path, attach)


def _look(
    nb: Any,
    kernel_name: str,
    output_path: str | None,
    parameters: Mapping[str, Any],
    computed: Collection[str],
) -> Place | None:
    """Check papermill's call as our own command checks its calls; return where the run is saved, None if nowhere."""
    check_home()
    refuse_other_language(nb["metadata"])
    refuse_other_cells(nb["cells"])
    refuse_other_kernel(kernel_name)
    refuse_other_registries(parameters)
    asks = who_asks(_name_of(nb), parameters, os.environ, required=asks_for_approval(nb), computed=computed)
    refuse_unapproved(asks, None)
    policy_environ(os.environ)
    path = output_place(output_path)
    if path is not None:
        write_whole(path)
    return path


def _name_of(nb: Any) -> str:
    return Path(str(nb["metadata"].get("papermill", {}).get("input_path") or "notebook")).stem


def _describe(nb: Any, parameters: Mapping[str, Any]) -> None:
    path = nb["metadata"].get("papermill", {}).get("input_path")
    header = new_header(
        new_run_id(),
        _name_of(nb),
        _sha256_of(path),
        parameters,
        folder=str(Path.cwd()),
        runbook_folder=_folder_of(path),
    )
    describe(nb, header)


def _sha256_of(path: Any) -> str | None:
    try:
        return hashlib.sha256((papermill_folder() / path).read_bytes()).hexdigest()
    except (OSError, TypeError):
        # Papermill also reads from stores that are not files.
        return None


def _folder_of(path: Any) -> str:
    """Folder of the runbook; empty if papermill reads it from a store that is not a file."""
    notebook = papermill_folder() / str(path or "")
    return str(notebook.parent.absolute()) if notebook.is_file() else ""


def _papermill_sees(nb: Any) -> bool:
    """Whether papermill itself will notice that a cell failed; it does not count an exit with code 0 as a failure."""
    for cell in nb["cells"]:
        errors = [each for each in cell.get("outputs", ()) if each["output_type"] == "error"]
        exits = [each for each in errors if each["ename"] == "SystemExit" and each["evalue"] in ("", "0")]
        failed = cell["metadata"].get("papermill", {}).get("exception") is True
        if len(errors) > len(exits) or (failed and not exits):
            return True
    return False
