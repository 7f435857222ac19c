"""Run one notebook with papermill's own engine and with ours, in this process, and compare the results."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import papermill
from click import ClickException
from nbclient.exceptions import DeadKernelError

from ecr_widgets.audit import sealing
from ecr_widgets.saved_runs.summary import is_summary
from tests.notebooks.corpus import DIFFERENT, Book

_STUCK_S, _TRIES = 30, 8
_VOLATILE = (
    (re.compile(r"ipykernel_\d+/\d+\.py"), "ipykernel/cell.py"),
    (re.compile(r"0x[0-9a-f]{6,}"), "0x"),
    (re.compile(r"(IPY_MODEL_)?[0-9a-f]{32}"), "id"),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
)


def run(book: Book, folder: Path, engine: str | None) -> dict[str, Any]:
    """What a run leaves: counts and outputs by cell, the streams' files, captured widget outputs, exit code."""
    folder.mkdir()
    saved, out, err = folder / "out.ipynb", io.StringIO(), io.StringIO()
    code = 0
    try:
        # This process goes on when the run has ended, and its files are gone when it ends.
        with redirect_stderr(io.StringIO()), mock.patch.object(sealing, "seal_at_exit"):
            papermill.execute_notebook(
                book.write(folder), saved, parameters=dict(book.parameters or {}) or None, engine_name=engine,
                kernel_name="python3", progress_bar=False, stdout_file=out, stderr_file=err, cwd=folder, **book.options,
            )  # fmt: skip
    except DeadKernelError:
        code = 138
    except ClickException as error:
        code = error.exit_code
    except SystemExit as error:
        code = int(error.code or 0)
    except Exception:  # noqa: BLE001 -- papermill's command ends with 1
        code = 1
    told: dict[str, Any] = {"exit code": code, "stdout": out.getvalue(), "stderr": err.getvalue()}
    if saved.exists():
        notebook = nbformat.read(saved, as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        told["counts"] = [cell.execution_count for cell in cells]
        told["outputs"] = [_plain(cell.outputs) for cell in cells]
        # Without the summary on top of our runs, which papermill's do not have.
        told["sources"] = [(cell.cell_type, cell.source) for cell in notebook.cells if not is_summary(cell)]
        told["hidden"] = [cell.metadata.get("jupyter") for cell in cells]
        told["widgets"] = _widgets(notebook.metadata)
        told["language"] = notebook.metadata.get("language_info", {}).get("name")
    return {name: _stable(value, str(folder)) for name, value in told.items()}


def different(book: Book, folder: Path, **options: Any) -> dict[str, tuple[Any, Any]]:
    """What papermill's engine and ours leave of the notebook that is not the same.

    Args:
        options: Options for our engine alone.
    """
    one = _by_papermill(book, folder)
    other = run(
        replace(book, options={**book.options, **options}), folder / f"{book.name}-ours", "ecr_widgets"
    )
    return {
        name: (one.get(name), other.get(name))
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    }


def _by_papermill(book: Book, folder: Path) -> dict[str, Any]:
    """Run with papermill's own engine, and retry, as it misses a kernel reply in one of three runs with nested widgets."""
    limited = replace(book, options={"execution_timeout": _STUCK_S, **book.options})
    for attempt in range(_TRIES):
        began_s = time.monotonic()
        told = run(limited, folder / f"{book.name}-papermill-{attempt}", None)
        if time.monotonic() - began_s < _STUCK_S:
            return told
    raise AssertionError(f"papermill did not end {book.name} in {_TRIES} tries of {_STUCK_S} s")


def unexpected(book: Book, folder: Path) -> str:
    """Return differences that are not listed as intended, and listed ones that do not occur; empty if all is well."""
    found = different(book, folder)
    meant, _ = DIFFERENT.get(book.name, ((), ""))
    return "" if set(found) == set(meant) else f"{book.name}: {sorted(meant)} was expected to differ: {found}"


def _plain(outputs: list[Any]) -> list[Any]:
    """Return outputs without what changes from run to run; the messages of a stream are joined, as front ends show them."""
    found: list[Any] = []
    for output in outputs:
        each = _stable(dict(output))
        if found and each["output_type"] == "stream" and found[-1].get("name") == each["name"]:
            found[-1]["text"] += each["text"]
        else:
            found.append(each)
    return found


def _stable(value: Any, folder: str = "/no folder") -> Any:
    if isinstance(value, str):
        value = value.replace(folder, "folder")
        for pattern, instead in _VOLATILE:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, dict):
        return {name: _stable(item, folder) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_stable(item, folder) for item in value]
    return value


def _widgets(metadata: Mapping[str, Any]) -> list[Any]:
    """Return the state of all widgets without their ids, in a fixed order."""
    states = metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    found = [_stable({**state, "state": {**state["state"], "msg_id": ""}}) for state in states.values()]
    for each in found:
        if "outputs" in each["state"]:
            each["state"]["outputs"] = _plain(each["state"]["outputs"])
    return sorted(found, key=repr)
