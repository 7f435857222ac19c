"""Notebooks that others wrote are recognized as foreign."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ecr_widgets.audit.index import Index
from tests.audit.foreign import main, notebooks_below, try_all
from tests.audit.runs import save

_NO_RECORD = "no record of this kit is in it"


def _installed() -> list[Path]:
    """Notebooks, some of them executed, that come with the installed tools."""
    found: list[Path] = []
    for package in ("papermill", "scrapbook"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        found += notebooks_below(Path(spec.origin).parent)
    return found


def test_notebooks_that_come_with_other_tools_are_foreign() -> None:
    """All notebooks shipped with papermill and scrapbook, also failed, unfinished and old ones, are foreign."""
    paths = _installed()
    tally = try_all(paths)
    assert tally.files >= 25
    assert tally.executed >= 10
    assert len(tally.formats) > 1
    assert not tally.crashes
    assert tally.kinds == {"foreign": tally.files}, tally.unreadable


def _code(source: Any = "1 + 1", **members: Any) -> dict[str, Any]:
    outputs = [
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "2"}}
    ]
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": source,
        "outputs": outputs,
    } | members


def _book(*cells: dict[str, Any], minor: int = 4, **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells)}


_OLD_CELL = {"cell_type": "code", "language": "python", "collapsed": False, "input": ["1 + 1"], "prompt_number": 1,
             "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["2"]}], "metadata": {}}  # fmt: skip
_TIMES = {
    "start_time": "2021-03-01T10:00:00.000001",
    "end_time": "2021-03-01T10:00:02.5",
    "duration": 2.499999,
}
_PAPERMILL = {"version": "2.3.3", "parameters": {"region": "eu-west-1", "n": 1.5}, "input_path": "in.ipynb",
              "output_path": "s3://bucket/out.ipynb", "exception": None, "environment_variables": {}} | _TIMES  # fmt: skip
SHAPES: dict[str, Any] = {
    "nbformat 2": {"nbformat": 2, "metadata": {"name": "old"}, "worksheets": [{"cells": [_OLD_CELL]}]},
    "nbformat 3": {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "", "signature": "sha256:0"},
                   "worksheets": [{"cells": [_OLD_CELL], "metadata": {}}]},
    "nbformat 3 without worksheets": {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []},
    "nbformat 3 with cells where 4 has them": {"nbformat": 3, "metadata": {}, "cells": [_OLD_CELL]},
    "nbformat 5, of the future": _book(_code()) | {"nbformat": 5, "nbformat_minor": 0},
    "jupyter": _book(_code(id="a1"), {"cell_type": "raw", "id": "r", "metadata": {}, "source": ""},
                     minor=5, kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"}),
    "jupyter with attachments and widget state": _book(
        {"cell_type": "markdown", "metadata": {}, "source": "![x](attachment:x.png)",
         "attachments": {"x.png": {"image/png": "AAAA"}}},
        widgets={"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": {}}},
    ),
    "jupyter, plotly's figure as an object": _book(_code(outputs=[
        {"output_type": "display_data", "metadata": {},
         "data": {"application/vnd.plotly.v1+json": {"data": [{"x": [1, None, 1e400]}], "layout": {}}}}])),
    "jupyter, failed": _book(_code(outputs=[
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["\x1b[0;31mE\x1b[0m"]}])),
    "jupyter, cell without outputs or count": _book({"cell_type": "code", "metadata": {}, "source": "x"}),
    "half of a character": _book(_code("\ud83d")),
    "R": _book(_code(["library(x)\n", "x"]), kernelspec={"name": "ir", "display_name": "R", "language": "R"}),
    "Colab": _book(
        _code(metadata={"id": "nP2_ab", "colab": {"base_uri": "https://localhost:8080/", "height": 34},
                        "executionInfo": {"status": "ok", "elapsed": 12, "user": {"displayName": "N"}},
                        "outputId": "0f"}),
        minor=0, colab={"name": "x.ipynb", "provenance": [], "collapsed_sections": []}, accelerator="GPU"),
    "VS Code": _book(_code(metadata={"vscode": {"languageId": "python"}}),
                     minor=2, orig_nbformat=4, vscode={"interpreter": {"hash": "0" * 64}}),
    "VS Code, blank": _book(minor=2, orig_nbformat=4, language_info={"name": "python"}),
    "Databricks": _book(
        _code(metadata={"application/vnd.databricks.v1+cell": {
            "title": "", "showTitle": False, "inputWidgets": {}, "nuid": "1", "cellMetadata": {"byteLimit": 2048000}}},
            execution_count=0, outputs=[{"output_type": "display_data", "metadata": {
                "application/vnd.databricks.v1+output": {"datasetInfos": [], "type": "ansi", "data": "2"}},
                "data": {"text/plain": ["2"]}}]),
        minor=0, **{"application/vnd.databricks.v1+notebook": {"notebookName": "x", "dashboards": [], "widgets": {}}}),
    "SageMaker": _book(_code(metadata={"tags": []}), minor=4, availableInstances=[{"name": "ml.t3.medium"}],
                       instance_type="ml.t3.medium"),
    "Kaggle": _book(_code(metadata={"_uuid": "0", "_cell_guid": "0", "execution": {"iopub.status.busy": "t"}}),
                    minor=4, kaggle={"accelerator": "none", "dataSources": []}),
    "Deepnote": _book(_code(metadata={"cell_id": "0", "deepnote_cell_type": "code"}), minor=2, deepnote={}),
    "Zeppelin, exported": _book(_code(metadata={"autoscroll": "auto"}), minor=0, kernelspec={"name": "spark2", "display_name": "Spark 2"}),
    "Polyglot": _book(_code(metadata={"dotnet_interactive": {"language": "csharp"}}), minor=2),
    "papermill": _book(_code(metadata={"papermill": _TIMES | {"status": "completed", "exception": False},
                                       "tags": ["injected-parameters"]}), papermill=_PAPERMILL),
    "papermill, failed": _book(
        _code(metadata={"papermill": _TIMES | {"status": "failed", "exception": True}}),
        papermill=_PAPERMILL | {"exception": True}),
    "papermill, still running": _book(
        _code(metadata={"papermill": {"status": "pending"}}, outputs=[], execution_count=None),
        papermill=_PAPERMILL | {"end_time": None, "duration": None}),
    "papermill, before 1.0": _book(_code(), papermill={"metrics": {}, "environment_variables": {}, "parameters": None}),
    "scrapbook": _book(_code(outputs=[{"output_type": "display_data", "metadata": {"scrapbook": {"name": "n"}}, "data": {
        "application/scrapbook.scrap.json+json": {"name": "n", "data": 1, "encoder": "json", "version": 1}}}])),
    "calls our steps, never run": _book(_code("kit.login()\nkit.push_image('x')", outputs=[], execution_count=None)),
}  # fmt: skip

_REFUSED = {"nbformat 3 with cells where 4 has them", "jupyter, cell without outputs or count"}
"""Shapes that nbformat itself refuses."""


@pytest.mark.parametrize("shape", SHAPES)
def test_notebooks_as_other_tools_write_them_are_foreign(shape: str, tmp_path: Path) -> None:
    """A notebook with another tool's members and habits is foreign, neither a run nor unreadable."""
    (tmp_path / "x.ipynb").write_text(json.dumps(SHAPES[shape], indent=1))
    tally = try_all(notebooks_below(tmp_path))
    assert tally.kinds == {"foreign": 1}, tally


def test_the_shapes_are_what_nbformat_takes_for_notebooks() -> None:
    """nbformat accepts the shapes used here, except those listed as refused."""
    assert SHAPES.keys() >= _REFUSED
    for shape, notebook in SHAPES.items():
        if notebook["nbformat"] == 4 and shape not in _REFUSED:
            nbformat.validate(nbformat.from_dict(json.loads(json.dumps(notebook))))
            assert notebook["cells"] or "blank" in shape


def test_foreign_notebooks_stand_beside_runs_in_the_index(tmp_path: Path) -> None:
    """A folder of foreign notebooks and one run is listed whole, and the run is recognized."""
    for number, path in enumerate(_installed()):
        (tmp_path / f"{number}.ipynb").write_bytes(path.read_bytes())
    save(tmp_path, "proven")
    with Index(tmp_path, None) as index:
        index.update()
        verdicts = [row.verdict for row in index.rows()]
    assert verdicts[0] == "proven"
    assert set(verdicts[1:]) == {"foreign"}
    assert len(verdicts) > 25


def test_the_script_tells_what_was_misnamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The script names a run among notebooks said to be foreign, and exits with 1."""
    (tmp_path / "a.ipynb").write_text(json.dumps(SHAPES["Colab"]))
    assert main([str(tmp_path)]) == 0
    run = save(tmp_path, "proven")
    assert main([str(tmp_path)]) == 1
    assert f"taken for a run: {run}" in capsys.readouterr().out
