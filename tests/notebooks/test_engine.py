"""The papermill engine with real kernels, real signals and real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.results import RunResult
from ecr_widgets.engine.run import resume_run, run_runbook
from ecr_widgets.engine.saved_run import CannotSave, SavedRun
from ecr_widgets.errors import InputError, TargetBusy
from ecr_widgets.model.record import RECORD_MIME

BIN = Path(sys.executable).parent
RECORDING_CELL = """
from ecr_widgets.channel import open_channel
from ecr_widgets.recording.notebook import NotebookSink
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.adapters.clock import SystemClock
import os
channel = open_channel(os.environ)
recorder = Recorder(channel.run_id, SystemClock(), NotebookSink(channel))
"""


def write_runbook(folder: Path, sources: Sequence[str], parameters: str = "tag: str = 'x'  # why") -> Path:
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "book.ipynb"
    nbformat.write(notebook, path)
    return path


def run(folder: Path, *sources: str, **given: str) -> tuple[RunResult, dict[str, Any]]:
    result = run_runbook(write_runbook(folder, sources), given, runs=folder / "runs")
    saved = json.loads(result.notebook.read_text())
    nbformat.validate(nbformat.from_dict(saved))
    assert {path.name for path in (folder / "runs").iterdir()} == {result.notebook.name, "seals.jsonl"}
    return result, saved


def states(saved: dict[str, Any]) -> list[str]:
    return [
        cell["metadata"]["ecr_widgets"]["state"] for cell in saved["cells"] if cell["cell_type"] == "code"
    ]


def test_a_run_that_worked_says_so_in_every_cell(tmp_path: Path) -> None:
    """Notebook and cells say succeeded, and the contract's metadata is there."""
    result, saved = run(tmp_path, "print(tag)", tag="1.10")
    assert (result.state, result.exit_code) == ("succeeded", 0)
    assert set(states(saved)) == {"succeeded"}
    assert saved["cells"][-1]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "1.10\n"}]
    told = saved["metadata"]["ecr_widgets"]
    assert set(told) == {
        "version", "run_id", "runbook", "runbook_sha256", "state", "reason", "actor", "host", "parameters",
        "started_at", "ended_at", "folder", "runbook_folder",
    }  # fmt: skip
    assert told["parameters"] == {"tag": "1.10"}


def test_steps_find_the_folder_of_saved_runs(tmp_path: Path) -> None:
    """A rollback looks there for what was verified, wherever `--runs` put it."""
    _, saved = run(tmp_path, "import os; print(os.environ['ECR_WIDGETS_RUNS'])")
    assert saved["cells"][-1]["outputs"][0]["text"] == f"{tmp_path / 'runs'}\n"


def test_a_failing_cell_ends_the_run_and_the_rest_is_not_run(tmp_path: Path) -> None:
    """Only what ran is called anything else than not-run."""
    result, saved = run(tmp_path, "1/0", "print('never')")
    assert (result.state, result.exit_code) == ("failed", 1)
    assert result.reason == "ZeroDivisionError: division by zero"
    assert states(saved) == ["succeeded", "failed", "not-run"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel died (signal SIGKILL)"),
        ("import os; os._exit(0)", "kernel died (exit code 0)"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_cell_that_ends_its_kernel_has_failed(tmp_path: Path, source: str, reason: str) -> None:
    """Dead kernels and early exits are never a success, and no cell after them is called run."""
    result, saved = run(tmp_path, "print('before', flush=True)", source, "print('never')")
    assert (result.state, result.reason, result.exit_code) == ("failed", reason, 1)
    assert states(saved) == ["succeeded", "succeeded", "failed", "not-run"]
    assert all(cell["metadata"]["papermill"]["status"] != "completed" for cell in saved["cells"][2:])


def test_wrong_parameters_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """An unknown name or a wrong type starts no kernel and leaves no file."""
    book = write_runbook(tmp_path, [], parameters="count: int = 1\nflag: bool = False")
    for given in ({"cuont": "1"}, {"count": "1.5"}, {"flag": "maybe"}):
        with pytest.raises(InputError):
            run_runbook(book, given, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["012345678901", "1.10", "7e12345", 'a"b{c}', "it's", "__import__('os')"])
def test_text_reaches_the_cell_as_typed(tmp_path: Path, text: str) -> None:
    """A string parameter is never read as a number, a template or code."""
    _, saved = run(tmp_path, "print(tag, end='')", tag=text)
    assert saved["cells"][-1]["outputs"][0]["text"] == text


def test_a_display_is_updated_where_it_stands(tmp_path: Path) -> None:
    """An update from a later cell changes the earlier cell's output and adds none."""
    _, saved = run(
        tmp_path,
        "from IPython.display import display, update_display\n_ = display('first', display_id='d')",
        "update_display('second', display_id='d')",
    )
    shown = [[output["data"]["text/plain"] for output in cell["outputs"]] for cell in saved["cells"][1:]]
    assert shown == [["'second'"], []]


def test_the_intent_is_on_disk_before_the_step_acts(tmp_path: Path) -> None:
    """Inside a step the saved file already holds its intent; afterwards one output holds the outcome."""
    act = (
        "import glob, json, os\n"
        "def act(progress):\n"
        f"    saved = json.load(open(glob.glob({str(tmp_path / 'runs')!r} + '/*.ipynb')[0]))\n"
        f"    found = [o['data'].get({RECORD_MIME!r}) for c in saved['cells'] for o in c.get('outputs', [])"
        " if 'data' in o]\n"
        "    return {'on_disk': [json.loads(f)['state'] for f in found], 'changed': True}\n"
        "_ = recorder.perform('create_deploy', {}, act)"
    )
    result, saved = run(tmp_path, RECORDING_CELL, act)
    (step,) = result.steps
    assert (step["state"], step["outcome"]) == ("succeeded", {"on_disk": ["intended"]})
    assert len(saved["cells"][-1]["outputs"]) == 1
    assert step["run_id"] == result.run_id


def test_an_unknown_outcome_makes_the_run_unknown(tmp_path: Path) -> None:
    """A lost reply ends the run with exit code 4."""
    act = (
        "from ecr_widgets.errors import OutcomeUnknown\n"
        "def act(progress):\n    raise OutcomeUnknown('the reply was lost')\n"
        "recorder.perform('create_deploy', {}, act)"
    )
    result, _ = run(tmp_path, RECORDING_CELL, act)
    assert (result.state, result.exit_code) == ("unknown", 4)


def test_a_secret_that_the_kernel_shared_is_in_no_file(tmp_path: Path) -> None:
    """What was printed before and after it became known is masked, in any encoding."""
    secret = "canary+/=123456789012345678901234567890"
    source = (
        f"import base64\nsecret = ''.join({list(secret)!r})\n"
        "print(secret)\nchannel.share_secret(secret)\n"
        "print(base64.b64encode(('AWS:' + secret).encode()).decode())"
    )
    result, saved = run(tmp_path, RECORDING_CELL, source)
    assert result.state == "succeeded"
    printed = saved["cells"][-1]["outputs"][0]["text"]
    assert secret not in printed
    assert printed.count("***") == 2


CHILDREN = (
    "import subprocess\n"
    "child = subprocess.Popen(['sleep', '300'])\n"
    "apart = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
    "orphan = subprocess.run(['sh', '-c', 'setsid sleep 300 & echo left'], stdout=subprocess.DEVNULL)\n"
)
WAITING = CHILDREN + "import time\nprint('waiting', flush=True)\ntime.sleep(300)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_the_run_and_keeps_what_was_printed(tmp_path: Path, number: int) -> None:
    """The saved run says interrupted, the exit code is 3 and nothing is left running."""
    process, saved_at = start(tmp_path)
    process.send_signal(number)
    process.communicate(timeout=30)
    saved = json.loads(saved_at.read_text())
    assert process.returncode == 3
    assert saved["metadata"]["ecr_widgets"]["state"] == "interrupted"
    assert states(saved) == ["succeeded", "interrupted", "not-run"]
    assert saved["cells"][1]["outputs"][0]["text"] == "waiting\n"
    assert not children(saved_at)


def test_nothing_that_a_cell_started_outlives_a_run_that_ended(tmp_path: Path) -> None:
    """Not even in a session of its own, or with its parent gone; the run itself has succeeded."""
    result = run_runbook(
        write_runbook(tmp_path, [CHILDREN]),
        {},
        runs=tmp_path / "runs",
        environ=os.environ | {"MARK": str(tmp_path)},
    )
    assert result.state == "succeeded"
    assert not children(result.notebook)


def test_what_a_cell_started_ends_with_a_run_whose_guard_was_killed(tmp_path: Path) -> None:
    """Nobody is left then that it would come to, so it is known by its environment."""
    result = run_runbook(
        write_runbook(tmp_path, [CHILDREN, "import os; os.kill(os.getppid(), 9); input()"]),
        {},
        runs=tmp_path / "runs",
        environ=os.environ | {"MARK": str(tmp_path)},
    )
    assert (result.state, result.reason) == ("failed", "kernel died (signal SIGKILL)")
    assert not children(result.notebook)


def test_a_signal_that_was_ignored_from_the_start_stays_so(tmp_path: Path) -> None:
    """Under `nohup` a run goes on when its terminal is closed."""
    process, _ = start(tmp_path, "import os; from pathlib import Path", WAITING_ONCE, before=["nohup"])
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go on").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_killed_run_leaves_a_true_file_and_no_orphan(tmp_path: Path) -> None:
    """After SIGKILL the file parses, says running with nobody holding it, and kernel and the cell's own child are gone within seconds."""
    # Short, since it holds a socket, whose path may have 108 bytes.
    kernels = Path(tempfile.mkdtemp(prefix="k-"))
    process, saved_at = start(tmp_path, TMPDIR=str(kernels))
    assert list(kernels.glob("ecrw-*"))
    process.kill()
    process.communicate(timeout=30)
    saved = json.loads(saved_at.read_text())
    assert saved["metadata"]["ecr_widgets"]["state"] == "running"
    deadline = time.monotonic() + 10
    while children(saved_at) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not children(saved_at)
    assert not list(kernels.iterdir())
    kernels.rmdir()


def test_a_killed_run_is_taken_up_where_it_stands(tmp_path: Path) -> None:
    """The same run id, parameters and file; what was done is found; the earlier attempt's records are kept."""
    process, saved_at = start(tmp_path, RECORDING_CELL + CREATE_ONCE, WAITING_ONCE)
    run_id = json.loads(saved_at.read_text())["metadata"]["ecr_widgets"]["run_id"]
    with pytest.raises(TargetBusy, match="still going on"):
        resume_run(run_id, runs=saved_at.parent)
    process.kill()
    process.communicate(timeout=30)
    (tmp_path / "go on").touch()
    result = resume_run(run_id, runs=saved_at.parent, environ=os.environ | {"MARK": str(tmp_path)})
    assert (result.state, result.run_id, result.notebook) == ("succeeded", run_id, saved_at)
    assert [step["changed"] for step in result.steps] == [False]
    told = json.loads(saved_at.read_text())["metadata"]["ecr_widgets"]
    (attempt,) = told["attempts"]
    assert (attempt["state"], [record["changed"] for record in attempt["records"]]) == ("interrupted", [True])
    assert told["parameters"] == {"tag": "x"}
    assert {path.name for path in saved_at.parent.iterdir()} == {saved_at.name, "seals.jsonl"}
    with pytest.raises(InputError, match="has succeeded"):
        resume_run(run_id, runs=saved_at.parent)


@pytest.mark.parametrize("run_id", ["", "20260101T000000Z-aaaaaa", "../x", "2026"])
def test_a_run_that_is_not_there_cannot_be_taken_up(tmp_path: Path, run_id: str) -> None:
    """Neither by a part of an id."""
    (tmp_path / "20260101T000000Z-bbbbbb-release.ipynb").write_text("{}")
    with pytest.raises(InputError, match="no run"):
        resume_run(run_id, runs=tmp_path)


CREATE_ONCE = """
from dataclasses import dataclass
from pathlib import Path
@dataclass
class Made:
    changed: bool
def make(_):
    path = Path(os.environ["MARK"], "made")
    made = not path.exists()
    path.touch()
    return Made(made)
recorder.perform("create_deploy", {}, make)
"""
WAITING_ONCE = """
import time
print("waiting", flush=True)
while not Path(os.environ["MARK"], "go on").exists():
    time.sleep(0.05)
"""


def start(
    folder: Path, *sources: str, before: Sequence[str] = (), **environ: str
) -> tuple[subprocess.Popen[bytes], Path]:
    """A run of our command that waits in one of its cells, and its saved file once that says so."""
    book = write_runbook(folder, sources or [WAITING, "print('never')"])
    runs = folder / "runs"
    process = subprocess.Popen(
        [*before, BIN / "ecr-widgets", "run", book, "--runs", runs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MARK": str(folder), **environ},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in runs.glob("*.ipynb") if runs.exists() else ():
            if "waiting\\n" in path.read_text():
                return process, path
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def children(saved_at: Path) -> list[str]:
    """Processes other than the test's own that carry the folder's mark in their environment."""
    found = []
    mark = f"MARK={saved_at.parent.parent}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            command = (environ.parent / "cmdline").read_bytes()
            if mark in environ.read_bytes() and command:
                found.append(environ.parent.name)
        except OSError:
            continue
    return found


def test_a_cell_that_shows_very_much_ends_and_loses_nothing(tmp_path: Path) -> None:
    """Neither a display of thousands nor the word that the cell is done is dropped on the way to the engine."""
    result, saved = run(
        tmp_path, "for i in range(3000): display({'text/plain': f'{i} ' + 'd' * 1000}, raw=True)"
    )
    assert result.state == "succeeded"
    shown = [output["data"]["text/plain"].split()[0] for output in saved["cells"][-1]["outputs"]]
    assert shown == [str(number) for number in range(3000)]


def papermill(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Papermill with our engine on the runbook in the folder, started there."""
    return subprocess.run(
        [BIN / "papermill", "--engine", "ecr_widgets", "--no-progress-bar", "book.ipynb", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_cell_that_prints_without_end_is_stopped_by_its_timeout(tmp_path: Path) -> None:
    """The limit holds while there is always output to take."""
    write_runbook(tmp_path, ["while True: print('x', flush=True)"])
    assert papermill(tmp_path, "out.ipynb", "--execution-timeout", "1").returncode == 1
    told = json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["ecr_widgets"]
    assert told["reason"] == "timeout: the cell ran longer than 1 s"


def test_papermill_with_another_folder_for_its_cells_saves_where_it_was_told(tmp_path: Path) -> None:
    """A relative output path begins where papermill was started, and so does the runbook's own."""
    (tmp_path / "elsewhere").mkdir()
    write_runbook(tmp_path, ["import os; print(os.getcwd())"])
    assert papermill(tmp_path, "out.ipynb", "--cwd", "elsewhere").returncode == 0
    saved = json.loads((tmp_path / "out.ipynb").read_text())
    assert "".join(saved["cells"][-1]["outputs"][0]["text"]).strip() == str(tmp_path / "elsewhere")
    assert saved["metadata"]["ecr_widgets"]["runbook_folder"] == str(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["s3://bucket/out.ipynb"], "it is no file"),
        (["out.ipynb", "-k", "no-such-kernel"], "NoSuchKernel"),
    ],
)
def test_what_the_engine_cannot_do_for_papermill_is_refused(
    tmp_path: Path, words: list[str], why: str
) -> None:
    """Another store or kernel than asked for is never taken instead, and nothing is left behind."""
    write_runbook(tmp_path, ["pass"])
    done = papermill(tmp_path, *words)
    assert done.returncode == 1
    assert why in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["book.ipynb"]


def test_a_run_of_papermills_is_taken_up_by_its_id(tmp_path: Path) -> None:
    """Its file may have any name: what it says counts."""
    write_runbook(tmp_path, ["import os\nassert os.path.exists('mended')"])
    assert papermill(tmp_path, "out.ipynb").returncode == 1
    told = json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["ecr_widgets"]
    (tmp_path / "mended").touch()
    result = resume_run(told["run_id"], runs=tmp_path)
    assert (result.state, result.notebook) == ("succeeded", tmp_path / "out.ipynb")


def test_a_run_whose_kernel_cannot_be_started_is_saved_as_failed_sealed_and_told(tmp_path: Path) -> None:
    """By papermill's door too: what had begun is never left as running, or without a seal."""
    book, runs = write_runbook(tmp_path, ["pass"]), tmp_path / "runs"
    runs.mkdir()
    code = (
        "import sys, tempfile, papermill\n"
        "def full(**_): raise OSError(28, 'No space left on device', 'made-up')\n"
        "from ecr_widgets.engine import kernel\n"
        "kernel.tempfile.mkdtemp = full\n"
        "papermill.execute_notebook(*sys.argv[1:], engine_name='ecr_widgets', progress_bar=False)"
    )
    environ = os.environ | {"ECR_WIDGETS_NOTIFY_COMMAND": f"tee {tmp_path / 'told'}"}
    done = subprocess.run(
        [sys.executable, "-c", code, book, runs / "out.ipynb"],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "private folder cannot be made: No space left on device" in done.stderr
    saved = json.loads((runs / "out.ipynb").read_text())
    run = saved["metadata"]["ecr_widgets"]
    assert run["state"] == "failed"
    assert "No space left" in run["reason"]
    assert {cell["metadata"]["ecr_widgets"]["state"] for cell in saved["cells"]} == {"not-run"}
    assert json.loads((tmp_path / "told").read_text())["state"] == "failed"
    (seal,) = (runs / "seals.jsonl").read_text().splitlines()
    assert json.loads(seal)["seal"]["state"] == "failed"


def test_a_run_into_a_file_that_another_is_saved_in_is_busy(tmp_path: Path) -> None:
    """It says so in one of our errors."""
    write_runbook(tmp_path, ["pass"])
    out = tmp_path / "out.ipynb"
    with SavedRun({"cells": [], "metadata": {}}, out, redact=dict):
        done = papermill(tmp_path, out)
    assert done.returncode == 1
    assert f"TargetBusy: another run is being saved in '{out}'" in done.stderr


def test_runs_that_cannot_be_saved_are_told_in_one_line(tmp_path: Path) -> None:
    """With the file's name, and with a document for `--json`."""
    book = write_runbook(tmp_path, ["pass"])
    with pytest.raises(CannotSave, match="cannot be saved in"):
        run_runbook(book, {}, runs=Path("/proc/self/fdinfo"))
    done = subprocess.run(
        [BIN / "ecr-widgets", "run", book, "--json", "--runs", "/proc/self/fdinfo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert (told["run_id"], told["state"]) == (None, "failed")
    assert "cannot be saved in" in told["reason"]


def test_a_cells_own_docker_login_is_not_the_users(tmp_path: Path) -> None:
    """The kernel has a private configuration that begins as the user's, and that is gone after the run."""
    users = tmp_path / "docker"
    users.mkdir()
    (users / "config.json").write_text('{"auths": {"a": {}}, "credsStore": "pass", "detachKeys": "ctrl-a"}')
    (users / "contexts").mkdir()
    source = (
        "import json, os\nfrom pathlib import Path\nfolder = Path(os.environ['DOCKER_CONFIG'])\n"
        "print(json.dumps([str(folder), oct(folder.stat().st_mode), os.listdir(folder / 'contexts'),"
        " json.loads((folder / 'config.json').read_text())]))\n"
        "(folder / 'config.json').write_text('changed')"
    )
    result = run_runbook(
        write_runbook(tmp_path, [source]),
        {},
        runs=tmp_path / "runs",
        environ=os.environ | {"DOCKER_CONFIG": str(users)},
    )
    cells = json.loads(result.notebook.read_text())["cells"]
    folder, mode, contexts, config = json.loads(cells[-1]["outputs"][0]["text"])
    assert (mode, contexts) == ("0o40700", [])
    # The store is asked for what it holds, and is not where anything new goes.
    assert config == {"auths": {"a": {}}, "credHelpers": {"a": "pass"}, "detachKeys": "ctrl-a"}
    assert "credsStore" in (users / "config.json").read_text()
    assert not Path(folder).exists()


def test_plain_papermill_with_the_engines_name_gets_the_same_record(tmp_path: Path) -> None:
    """`papermill --engine ecr_widgets` saves the contract's metadata and exits 0 for a good run, not for a bad one."""
    book, out = write_runbook(tmp_path, ["print(tag)"]), tmp_path / "out.ipynb"
    command = [BIN / "papermill", "--engine", "ecr_widgets", book, out, "-r", "tag", "1.10"]
    subprocess.run(command, check=True, capture_output=True)
    saved = json.loads(out.read_text())
    nbformat.validate(nbformat.from_dict(saved))
    assert saved["metadata"]["ecr_widgets"]["state"] == "succeeded"
    assert saved["metadata"]["ecr_widgets"]["runbook"] == "book"
    write_runbook(tmp_path, ["import os; os._exit(0)"])
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    assert json.loads(out.read_text())["metadata"]["ecr_widgets"]["reason"] == "kernel died (exit code 0)"


def test_those_who_watch_hear_how_far_a_step_is(tmp_path: Path) -> None:
    """Progress reaches the watcher while the step works, and the saved run keeps the outcome only."""
    source = RECORDING_CELL + (
        "import time\n"
        "from ecr_widgets.ports import Progress\n"
        "def act(progress):\n"
        "    time.sleep(0.3); progress(Progress('layer', 'pushing', 5_000_000, 10_000_000, 'bytes'))\n"
        "recorder.perform('push_image', {}, act)\n"
    )
    told: list[RunEvent] = []
    result = run_runbook(write_runbook(tmp_path, [source]), {}, runs=tmp_path / "runs", on_event=told.append)
    assert "layer: pushing 5.0 MB of 10.0 MB" in [event.progress for event in told]
    cells = json.loads(result.notebook.read_text())["cells"]
    (shown,) = [output for output in cells[-1]["outputs"] if "data" in output]
    assert "pushing" not in shown["data"]["text/html"]
    assert shown["metadata"] == {}
