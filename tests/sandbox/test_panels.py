"""Panels in a scheduled run: a picture, few calls, no dead controls."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults import forked
from tests.faults.books import write_book
from tests.sandbox.conftest import BIN


def test_a_panel_in_a_run_is_a_picture_without_controls(
    sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Under our engine and under stock papermill: the panel's three forms and no widget."""
    cells = (
        "from ecr_widgets import connect\nkit = connect()\nkit.create_repository('panels/run')",
        "kit.repositories('panels/run')",
        "kit.images('panels/run')",
        "kit.images('panels/nobody')",
        "kit.deploys('demo', 'panels-nobody')",
    )
    book = write_book(tmp_path, cells)
    for engine in (["--engine", "ecr_widgets"], []):
        out = tmp_path / "out.ipynb"
        forked.run(
            [BIN / "papermill", book, out, *engine],
            env=sandbox_environ,
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        saved = json.loads(out.read_text())
        assert "jupyter.widget" not in out.read_text()
        pictures = [cell["outputs"] for cell in saved["cells"] if "outputs" in cell][1:]
        assert [len(outputs) for outputs in pictures] == [1, 1, 1, 1]
        told = [json.loads("".join(o[0]["data"]["application/vnd.ecr-widgets.panel+json"])) for o in pictures]
        assert [row[0] for row in told[0]["rows"]] == ["panels/run"]
        assert (told[1]["rows"], told[1]["problem"]) == ([], "")
        assert "does not exist" in told[2]["problem"]
        assert "does not exist yet" in told[3]["note"]
