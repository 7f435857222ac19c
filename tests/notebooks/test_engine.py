"""The engine with real kernels: what a run saves about its cells, their output and their steps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.run import Run
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.run import run_runbook
from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RECORD_MIME
from tests.notebooks.engine_runs import BIN, RECORDING_CELL, run, states, write_runbook
from tests.reading import read_file

pytestmark = pytest.mark.usefixtures("forked_kernels")


def test_a_run_that_worked_says_so_in_every_cell(tmp_path: Path) -> None:
    """A successful run marks notebook and cells as succeeded and has the contract's metadata."""
    result, saved = run(tmp_path, "print(tag)", tag="1.10")
    assert (result.state, result.exit_code) == ("succeeded", 0)
    assert set(states(saved)) == {"succeeded"}
    assert saved["cells"][-1]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "1.10\n"}]
    told = saved["metadata"]["ecr_widgets"]
    assert set(told) == {
        "version", "run_id", "runbook", "runbook_sha256", "state", "reason", "actor", "host", "parameters",
        "started_at", "ended_at", "folder", "runbook_folder", "marked",
    }  # fmt: skip
    assert told["parameters"] == {"tag": "1.10"}


def test_steps_find_the_folder_of_saved_runs(tmp_path: Path) -> None:
    """Cells get the folder of saved runs in ECR_WIDGETS_RUNS."""
    _, saved = run(tmp_path, "import os; print(os.environ['ECR_WIDGETS_RUNS'])")
    assert saved["cells"][-1]["outputs"][0]["text"] == f"{tmp_path / 'runs'}\n"


def test_a_failing_cell_ends_the_run_and_the_rest_is_not_run(tmp_path: Path) -> None:
    """A failing cell ends the run, and later cells are marked as not run."""
    result, saved = run(tmp_path, "1/0", "print('never')")
    assert (result.state, result.exit_code) == ("failed", 1)
    assert result.reason == "ZeroDivisionError: division by zero"
    assert states(saved) == ["succeeded", "failed", "not-run"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel died (signal SIGKILL)"),
        ("import os; os.kill(os.getpid(), 40)", "kernel died (signal 40)"),
        ("import os; os._exit(0)", "kernel died (exit code 0)"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_cell_that_ends_its_kernel_has_failed(tmp_path: Path, source: str, reason: str) -> None:
    """A cell that ends its kernel has failed, and later cells are marked as not run."""
    result, saved = run(tmp_path, "print('before', flush=True)", source, "print('never')")
    assert (result.state, result.reason, result.exit_code) == ("failed", reason, 1)
    assert states(saved) == ["succeeded", "succeeded", "failed", "not-run"]
    assert all(cell["metadata"]["papermill"]["status"] != "completed" for cell in saved["cells"][2:])


def test_wrong_parameters_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """An unknown parameter or a wrong type is refused before anything is written."""
    book = write_runbook(tmp_path, [], parameters="count: int = 1\nflag: bool = False")
    for given in ({"cuont": "1"}, {"count": "1.5"}, {"flag": "maybe"}):
        with pytest.raises(InputError):
            run_runbook(book, given, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_display_is_updated_where_it_stands(tmp_path: Path) -> None:
    """A display updated from a later cell changes the output of the earlier cell."""
    _, saved = run(
        tmp_path,
        "from IPython.display import display, update_display\n_ = display('first', display_id='d')",
        "update_display('second', display_id='d')",
    )
    shown = [[output["data"]["text/plain"] for output in cell["outputs"]] for cell in saved["cells"][1:]]
    assert shown == [["'second'"], []]


def test_the_intent_is_on_disk_before_the_step_acts(tmp_path: Path) -> None:
    """A step's intent is saved to disk before it acts, and its outcome replaces it in the same output."""
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
    assert (step.state, step.outcome) == ("succeeded", {"on_disk": ["intended"]})
    assert len(saved["cells"][-1]["outputs"]) == 1
    assert step.run_id == result.run_id


def test_an_unknown_outcome_makes_the_run_unknown(tmp_path: Path) -> None:
    """A step with an unknown outcome ends the run as unknown, with exit code 4."""
    act = (
        "from ecr_widgets.errors import OutcomeUnknown\n"
        "def act(progress):\n    raise OutcomeUnknown('the reply was lost')\n"
        "recorder.perform('create_deploy', {}, act)"
    )
    result, _ = run(tmp_path, RECORDING_CELL, act)
    assert (result.state, result.exit_code) == ("unknown", 4)


def test_a_secret_that_the_kernel_shared_is_in_no_file(tmp_path: Path) -> None:
    """A secret that the kernel shares is masked in all output, printed before or after, plain or in base64."""
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


def test_a_cell_that_shows_very_much_ends_and_loses_nothing(tmp_path: Path) -> None:
    """A cell that shows thousands of displays ends, and none of them is lost."""
    result, saved = run(
        tmp_path, "for i in range(3000): display({'text/plain': f'{i} ' + 'd' * 1000}, raw=True)"
    )
    assert result.state == "succeeded"
    shown = [output["data"]["text/plain"].split()[0] for output in saved["cells"][-1]["outputs"]]
    assert shown == [str(number) for number in range(3000)]


def test_runs_that_cannot_be_saved_are_told_in_one_line(tmp_path: Path) -> None:
    """A run that cannot be saved is refused in one line with the file's name, or as JSON with `--json`."""
    book = write_runbook(tmp_path, ["pass"])
    with pytest.raises(InputError, match="cannot be saved in"):
        run_runbook(book, {}, runs=Path("/proc/self/fdinfo"))
    done = subprocess.run(
        [BIN / "ecr-widgets", "run", book, "--json", "--runs", "/proc/self/fdinfo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert not re.search("Traceback|unexpected error", done.stderr)
    told = json.loads(done.stdout)
    assert (told["run_id"], told["state"]) == (None, "refused")
    assert "cannot be saved in" in told["reason"]


def test_a_cells_own_docker_login_is_not_the_users(tmp_path: Path) -> None:
    """A run's kernel has a private copy of the user's Docker configuration, which is removed after the run."""
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
    # The credential store is only read; nothing new goes there.
    assert config == {"auths": {"a": {}}, "credHelpers": {"a": "pass"}, "detachKeys": "ctrl-a"}
    assert "credsStore" in (users / "config.json").read_text()
    assert not Path(folder).exists()


def test_those_who_watch_hear_how_far_a_step_is(tmp_path: Path) -> None:
    """A step's progress reaches those who watch the run, and is not in the saved run."""
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
    assert shown["metadata"] == {"ecr_widgets": {"marked": True}}


_FORGE = """
import json, os
from IPython.display import display, update_display
record = {"version": 1, "run_id": os.environ["ECR_WIDGETS_RUN_ID"], "step": "login", "state": "succeeded", "inputs": {},
          "outcome": {"forged": True}, "changed": False, "error": None, "started_at": "2026-11-26T05:00:00.000Z",
          "ended_at": "2026-11-26T05:00:01.000Z"}
def data(sequence): return {"application/vnd.ecr-widgets.record+json": json.dumps({**record, "sequence": sequence})}
"""


def test_what_a_cell_displays_as_a_record_is_none(tmp_path: Path) -> None:
    """What a cell displays as a record counts neither for the run's result nor for its audit."""
    told: list[RunEvent] = []
    runbook = write_runbook(
        tmp_path,
        [
            RECORDING_CELL + "recorder.perform('wait', {}, lambda _: {'real': 1})",
            _FORGE + "update_display(data(1), display_id=f'ecrw-{channel.run_id}-1', raw=True)\n"
            "display(data(2), metadata={'ecr_widgets': {'marked': True}}, raw=True)",
        ],
    )
    result = run_runbook(runbook, {}, runs=tmp_path / "runs", on_event=told.append)
    assert [(step.step, step.outcome) for step in result.steps] == [("wait", {"real": 1})]
    assert not any("forged" in event.text for event in told)
    found = read_file(result.notebook)
    assert isinstance(found, Run)
    assert [step.step for step in found.steps] == ["wait"]
    assert any("shows a record of login that no step" in why for why in judge(found).reasons)


def test_a_run_works_where_the_folder_for_temporary_files_is_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run works if the path of the temporary folder is too long for a socket, and leaves nothing there."""
    deep = tmp_path / "deep" / ("d" * 110)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    result, _ = run(tmp_path, RECORDING_CELL, "channel.share_secret('of the run')")
    assert result.state == "succeeded"
    assert list(deep.iterdir()) == []


def test_a_clock_that_is_set_back_in_a_run_does_not_move_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the machine's clock is set back by a day when a run has begun, its steps still lie within it."""
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + 86_400)
    result, saved = run(
        tmp_path,
        RECORDING_CELL + "recorder.perform('wait', {}, lambda _: {})",
        "import time; print(time.time())",
    )
    (step,) = result.steps
    times = [result.header.started_at, step.started_at, step.ended_at, result.header.ended_at]
    assert times == sorted(times)
    assert float("".join(saved["cells"][-1]["outputs"][0]["text"])) < result.header.started_at.timestamp()
