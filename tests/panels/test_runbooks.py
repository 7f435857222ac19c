"""Shipped runbooks in JupyterLab, all cells run in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from playwright.sync_api import expect

from ecr_widgets.runbooks import find_runbook
from tests.faults import forked
from tests.panels.conftest import BIN, Lab
from tests.recorded.record import example, given, prepare
from tests.sandbox.conftest import facts

IN_THE_LAB = ("release", "clean_up")
"""One that deploys and one that deletes; nbval runs the cells of all runbooks in a kernel of their own."""


def test_a_runbook_run_in_the_lab_leaves_the_records_of_the_command(
    lab: Lab, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Step by step the same inputs, states and outcomes, whoever ran the cells."""
    prepare(sandbox_environ, tmp_path, "lab")
    for book in map(find_runbook, IN_THE_LAB):
        words = [word for pair in given(book.name, "lab").items() for word in ("-p", *pair)]
        done = forked.run(
            [BIN / "ecr-widgets", "run", book.name, "--json", "--runs", tmp_path / "runs", *words],
            env=sandbox_environ,
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        by_command = facts(json.loads(Path(json.loads(done.stdout)["notebook"]).read_text()))
        notebook = example(book.path, "lab")
        del notebook.cells[-1]
        name = f"{book.name}.ipynb"
        nbformat.write(notebook, lab.folder / name)
        page = lab.open(name)
        lab.run_all(page)
        last = page.locator(".jp-CodeCell .jp-InputPrompt").last
        expect(last).to_have_text(re.compile(r"\[\d+\]:"), timeout=90_000)
        # The step's display is brought up to date after its cell ended; the saved file must have it.
        saved = lab.save(page, lab.folder / name, f"{by_command[-1][0]} succeeded")
        assert facts(saved) == by_command, book.name
    assert lab.complaints == []
