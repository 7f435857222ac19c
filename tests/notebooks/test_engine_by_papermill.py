"""The engine used through papermill."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.engine.run import resume_run
from ecr_widgets.engine.saved_run import SavedRun
from tests.audit.runs import records_of, statement
from tests.faults import forked
from tests.notebooks.engine_runs import BIN, RECORDING_CELL, states, write_runbook

pytestmark = pytest.mark.usefixtures("forked_kernels")


def test_plain_papermill_with_the_engines_name_gets_the_same_record(tmp_path: Path) -> None:
    """`papermill --engine ecr_widgets` saves the contract's metadata and exits with 0 only for a successful run."""
    book, out = write_runbook(tmp_path, ["print(tag)"]), tmp_path / "out.ipynb"
    command = [BIN / "papermill", "--engine", "ecr_widgets", book, out, "-r", "tag", "1.10"]
    subprocess.run(command, check=True, capture_output=True)
    saved = json.loads(out.read_text())
    nbformat.validate(nbformat.from_dict(saved))
    assert saved["metadata"]["ecr_widgets"]["state"] == "succeeded"
    assert saved["metadata"]["ecr_widgets"]["runbook"] == "book"
    write_runbook(tmp_path, ["import os; os._exit(0)"])
    assert forked.run(command, capture_output=True).returncode == 138  # papermill's dead kernel
    assert json.loads(out.read_text())["metadata"]["ecr_widgets"]["reason"] == "kernel died (exit code 0)"


def test_a_cell_that_prints_without_end_is_stopped_by_its_timeout(tmp_path: Path) -> None:
    """A cell that prints without end is stopped by papermill's execution timeout."""
    write_runbook(tmp_path, ["while True: print('x', flush=True)"])
    assert papermill(tmp_path, "out.ipynb", "--execution-timeout", "1").returncode == 1
    told = json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["ecr_widgets"]
    assert told["reason"] == "timeout: the cell ran longer than 1 s"


def test_papermill_with_another_folder_for_its_cells_saves_where_it_was_told(tmp_path: Path) -> None:
    """With `--cwd`, a relative output path still starts in the folder where papermill was started."""
    (tmp_path / "elsewhere").mkdir()
    write_runbook(tmp_path, ["import os; print(os.getcwd())"])
    assert papermill(tmp_path, "out.ipynb", "--cwd", "elsewhere").returncode == 0
    saved = json.loads((tmp_path / "out.ipynb").read_text())
    assert "".join(saved["cells"][-1]["outputs"][0]["text"]).strip() == str(tmp_path / "elsewhere")
    assert saved["metadata"]["ecr_widgets"]["runbook_folder"] == str(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["gs://bucket/out.ipynb"], 2, "Error: the run cannot be saved in .*: it is not a file"),
        (
            ["out.ipynb", "-k", "no-such-kernel"],
            2,
            "Error: kernel 'no-such-kernel' refused: .*; give -k python3\n",
        ),
        (["out.ipynb", "-l", "R", "-p", "tag", "x"], 2, "Error: the notebook is refused: its cells are R"),
    ],
)
def test_what_the_engine_cannot_do_for_papermill_is_refused(
    tmp_path: Path, words: list[str], code: int, why: str
) -> None:
    """If the engine cannot do what papermill asks for, it refuses and leaves nothing behind."""
    write_runbook(tmp_path, ["pass"])
    done = papermill(tmp_path, *words)
    assert done.returncode == code
    assert re.search(why, done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["book.ipynb"]


def test_a_run_of_papermills_is_taken_up_by_its_id(tmp_path: Path) -> None:
    """A run started by papermill can be resumed by its id, whatever its file is called."""
    write_runbook(tmp_path, ["import os\nassert os.path.exists('mended')"])
    assert papermill(tmp_path, "out.ipynb").returncode == 1
    told = json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["ecr_widgets"]
    (tmp_path / "mended").touch()
    result = resume_run(told["run_id"], runs=tmp_path)
    assert (result.state, result.notebook) == ("succeeded", tmp_path / "out.ipynb")


FULL = """
def full(*_, **__): raise OSError(28, 'No space left on device', 'made-up')
"""
NO_MEMORY = """
start = kernel.subprocess.Popen
def popen(words, **more):
    if any('kernel_launcher' in str(each) for each in words): raise OSError(12, 'Cannot allocate memory')
    return start(words, **more)
kernel.subprocess.Popen = popen
"""


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (f"{FULL}import tempfile; tempfile.mkdtemp = full", "private folder cannot be made: No space left"),
        (f"{FULL}kernel.private_docker_config = full", "private folder cannot be made: No space left"),
        (NO_MEMORY, "process cannot be started in .*: Cannot allocate memory"),
    ],
)
def test_a_run_whose_kernel_cannot_be_started_is_saved_as_failed_sealed_and_told(
    tmp_path: Path, fault: str, why: str
) -> None:
    """If the kernel cannot be started, papermill's run is saved as failed, sealed and reported, and leaves no kernel folder."""
    book, runs, kernels = write_runbook(tmp_path, ["pass"]), tmp_path / "runs", tmp_path / "kernels"
    runs.mkdir()
    kernels.mkdir()
    code = (
        f"import sys, papermill\nfrom ecr_widgets.engine import kernel\n{fault}\n"
        "papermill.execute_notebook(*sys.argv[1:], engine_name='ecr_widgets', progress_bar=False)"
    )
    own = {"ECR_WIDGETS_NOTIFY_COMMAND": f"tee {tmp_path / 'told'}", "TMPDIR": str(kernels)}
    words = [sys.executable, "-c", code, book, runs / "out.ipynb"]
    done = forked.run(words, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(why, done.stderr)
    saved = json.loads((runs / "out.ipynb").read_text())
    run = saved["metadata"]["ecr_widgets"]
    assert run["state"] == "failed"
    assert re.search(why, run["reason"])
    assert set(states(saved)) == {"not-run"}
    assert json.loads((tmp_path / "told").read_text())["state"] == "failed"
    _, seal = (runs / "seals.jsonl").read_text().splitlines()
    assert statement(seal.encode())["predicate"]["run"]["state"] == "failed"
    assert not list(kernels.iterdir())


def test_a_run_into_a_file_that_another_is_saved_in_is_busy(tmp_path: Path) -> None:
    """A run into a file that another run is saving is refused as busy."""
    write_runbook(tmp_path, ["pass"])
    out = tmp_path / "out.ipynb"
    with SavedRun({"cells": [], "metadata": {}}, out, redact=dict):
        done = papermill(tmp_path, out)
    assert done.returncode == 1
    assert f"TargetBusy: another run is being saved in '{out}'" in done.stderr


def papermill(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run papermill with our engine on the runbook in the folder, started there."""
    words = ("--engine", "ecr_widgets", "--no-progress-bar", "book.ipynb", *words)
    return forked.run([BIN / "papermill", *words], cwd=folder, capture_output=True, text=True)


def test_a_step_that_ends_late_after_its_time_is_up_says_so(tmp_path: Path) -> None:
    """A step interrupted by the timeout has a few seconds to record that its outcome is unknown."""
    act = (
        "import time\nfrom ecr_widgets.errors import OutcomeUnknown\n"
        "def act(progress):\n"
        "    try: time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        time.sleep(1.5)\n"
        "        raise OutcomeUnknown('the reply never came')\n"
        "_ = recorder.perform('create_deploy', {}, act)"
    )
    write_runbook(tmp_path, [RECORDING_CELL, act])
    done = papermill(tmp_path, "out.ipynb", "--execution-timeout", "2")
    assert done.returncode == 1
    saved = json.loads((tmp_path / "out.ipynb").read_text())
    (record,) = records_of(saved)
    assert (record.state, saved["metadata"]["ecr_widgets"]["state"]) == ("unknown", "unknown")


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"}},
        {"kernelspec": {"name": "python3", "display_name": "x"}, "language_info": {"name": "R"}},
    ],
)
def test_a_notebook_of_another_language_is_refused_by_every_door(
    tmp_path: Path, metadata: dict[str, object]
) -> None:
    """A notebook of another language is refused by papermill and by our command, and nothing is run or written."""
    book = write_runbook(tmp_path, ["open('ran', 'w')"])
    raw = json.loads(book.read_text())
    book.write_text(json.dumps(raw | {"metadata": metadata}))
    doors = (
        [BIN / "papermill", "--engine", "ecr_widgets", book, "out.ipynb"],
        [BIN / "ecr-widgets", "run", book, "--runs", "."],
    )
    for words in doors:
        done = forked.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, "the notebook is refused" in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["book.ipynb"]


def test_a_run_is_saved_while_it_goes_on_also_without_papermills_saves(tmp_path: Path) -> None:
    """Without papermill's own saves, the engine still saves the run while it is running."""
    write_runbook(
        tmp_path, ["import json; print(json.load(open('out.ipynb'))['metadata']['ecr_widgets']['state'])"]
    )
    done = papermill(tmp_path, "out.ipynb", "--no-request-save-on-cell-execute", "--log-output")
    assert done.returncode == 0, done.stderr
    assert "running" in done.stderr


def test_a_cell_that_its_tag_leaves_out_is_no_gap_in_the_evidence(tmp_path: Path) -> None:
    """A cell skipped by its tag is marked as not run and does not make the run unproven; one that ran is judged."""
    book = write_runbook(
        tmp_path, ["from ecr_widgets import connect\nkit = connect()", "kit.push_image('x')"]
    )
    raw = json.loads(book.read_text())
    raw["cells"][-1]["metadata"] = {"tags": ["skip-execution"]}
    book.write_text(json.dumps(raw))
    assert papermill(tmp_path, "out.ipynb").returncode == 0
    saved = json.loads((tmp_path / "out.ipynb").read_text())
    left_out = saved["cells"][-1]
    assert left_out["metadata"]["ecr_widgets"] == {"state": "not-run"}
    assert judge(read_content((tmp_path / "out.ipynb").read_bytes(), "out.ipynb")).reasons == (
        "no step left a record",
    )
    # A cell that ran, or claims that it did, is judged whatever its tags.
    left_out["execution_count"] = 1
    (tmp_path / "out.ipynb").write_text(json.dumps(saved))
    assert any(
        "push_image" in each
        for each in judge(read_content((tmp_path / "out.ipynb").read_bytes(), "out.ipynb")).reasons
    )
