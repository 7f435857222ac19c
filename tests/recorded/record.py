"""Records the examples that `tests/sandbox/test_recorded.py` compares: each shipped runbook on a sandbox where all stands.

    python -m tests.recorded.record

Outputs of the steps themselves are updated while they run, which nbval does not follow; so each example ends with a cell
that prints all records, and that one is compared.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from ecr_widgets.runbooks import list_runbooks
from ecr_widgets.sandbox import Sandbox
from tests import ours

HERE = Path(__file__).parent
PREFIX = "rec"
"""Names begin with it; one sandbox may hold several sets."""
FIRST = ("release", "promote", "rotate", "rollback")
"""Runbooks that make what the examples then find standing."""
LAST_CELL = (
    "from ecr_widgets.recording.render import to_text\n\n"
    'print(*(to_text(record) for record in kit.recorder.records), sep="\\n")'
)


NOT_RECORDED = {"adopt", "audit", "fleet"}
"""One writes files where it runs, two are about the runs of a folder, which are others each time; they have tests of their own."""


def given(runbook: str, prefix: str) -> dict[str, str]:
    """What a runbook is given; some get a service that moves, so that the others find theirs as it was."""
    other = f"{prefix}other" if runbook in ("promote", "rotate", "rollback") else prefix
    values = {
        "repository": f"{prefix}/app",
        "to_repository": f"{prefix}/live",
        "local_name": f"{prefix}/app",
        "deploy": other,
        "service": other,
        "task": prefix,
        "targets": json.dumps([{"repository": f"{prefix}/app", "service": prefix}]),
        "name": f"{prefix}-fleet",
    }
    (declared,) = [book.parameters for book in list_runbooks() if book.name == runbook]
    names = {each.name for each in declared}
    return {name: value for name, value in values.items() if name in names}


def prepare(environ: dict[str, str], folder: Path, prefix: str) -> None:
    """Make everything that the examples find."""
    for name in FIRST:
        words = [word for pair in given(name, prefix).items() for word in ("-p", *pair)]
        done = ours.call("run", name, "--runs", folder / "runs", *words, environ=environ, cwd=folder)
        assert done.returncode == 0, done.stderr


def example(path: Path, prefix: str) -> nbformat.NotebookNode:
    """The runbook with our names given, and a last cell that prints its records."""
    book = nbformat.read(path, as_version=4)
    values = "\n".join(f"{name} = {value!r}" for name, value in given(path.stem, prefix).items())
    place = next(n for n, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", ()))
    book.cells.insert(
        place + 1, nbformat.v4.new_code_cell(values, id="given", metadata={"tags": ["injected-parameters"]})
    )
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = [*cell.metadata.get("tags", ()), "nbval-ignore-output"]
    book.cells.append(nbformat.v4.new_code_cell(LAST_CELL, id="records"))
    return book


def main() -> None:
    """Run and write them all."""
    with tempfile.TemporaryDirectory(prefix="rec-") as made, Sandbox(Path(made) / "sandbox") as sandbox:
        environ = sandbox.environ(dict(os.environ))
        environ["DOCKER_CONFIG"] = f"{made}/docker"
        prepare(environ, Path(made), PREFIX)
        os.environ |= environ
        for each in list_runbooks():
            if each.name in NOT_RECORDED:
                continue
            book = example(each.path, PREFIX)
            NotebookClient(book, timeout=600, resources={"metadata": {"path": made}}).execute()
            for cell in book.cells[:-1]:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
                cell.metadata.pop("execution", None)
            book.cells[-1].metadata.pop("execution", None)
            nbformat.write(book, HERE / f"{each.name}.ipynb")
            print(each.name, file=sys.stderr)


if __name__ == "__main__":
    main()
