"""The schedulers' files as they are documented, on the sandbox: only folders are other ones."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.faults import forked
from tests.sandbox.cells import run_cells
from tests.sandbox.conftest import BIN, SHIPPED, facts, succeeded

DOCS = Path(__file__).parents[2] / "docs" / "schedulers"


@pytest.fixture
def srv(sandbox_environ: dict[str, str], tmp_path: Path) -> Path:
    """What the files call /srv: runbooks, runs, and an environment with the command; the image stands."""
    for name in ("runs", "ecr-widgets"):
        (tmp_path / name).mkdir()
    shutil.copytree(SHIPPED, tmp_path / "runbooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (tmp_path / "ecr-widgets" / "bin").symlink_to(BIN)
    given = {"repository": "xfra-wait", "local_name": "cron/wait"}
    succeeded(run_cells("push", sandbox_environ, tmp_path, **given))
    return tmp_path


def mark_own(srv: Path) -> None:
    """Make the copied runbook tell from the shipped one."""
    book = srv / "runbooks" / "rotate.ipynb"
    book.write_text(book.read_text().replace("# Rotate", "# Our own rotate", 1))


def saved_runs(srv: Path) -> list[Path]:
    return sorted((srv / "runs").glob("*.ipynb"))


def test_two_starts_of_the_crontab_line_make_one_run(srv: Path, sandbox_environ: dict[str, str]) -> None:
    """As cron does it: /bin/sh, its own few variables, `%` unescaped; the second finds the slot taken or done."""
    text = (DOCS / "crontab").read_text().replace("/srv", str(srv)).replace("/etc", str(srv))
    lines = text.splitlines()
    own = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    (job,) = [line for line in lines if re.match(r"[0-9*]", line)]
    command = job.split(maxsplit=5)[5].replace("\\%", "%")
    few = {
        name: sandbox_environ[name]
        for name in sandbox_environ
        if name.startswith(("AWS_", "LAYER0_", "DOCKER_", "XDG_"))
    }
    # cron sets none of these by itself.
    (srv / "ecr-widgets" / "environment").write_text(
        "".join(f"{name}={shlex.quote(value)}\n" for name, value in few.items())
    )
    environ = {"HOME": str(srv), **own, "ECR_WIDGETS_NOTIFY_COMMAND": ""}
    mark_own(srv)
    started = [
        subprocess.Popen(
            ["/bin/sh", "-c", command], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [each.communicate()[0].decode() + str(each.returncode) for each in started]
    assert sorted(each.returncode for each in started) in ([0, 0], [0, 5]), told
    third = subprocess.run(
        ["/bin/sh", "-c", command], env=environ, capture_output=True, text=True, check=True
    )
    assert third.stdout.startswith("this slot has run already, succeeded: ")
    (only,) = saved_runs(srv)
    assert "# Our own rotate" in only.read_text()
    assert re.search(r"-rotate@nightly-\d{4}-\d\d-\d\d\.ipynb$", only.name)


def test_the_systemd_units_are_good_and_start_the_run(srv: Path, sandbox_environ: dict[str, str]) -> None:
    """By systemd's own judgement where it is installed; the service's command runs the slot."""
    units = srv / "units"
    units.mkdir()
    for unit in DOCS.glob("ecr-widgets-rotate.*"):
        (units / unit.name).write_text(
            unit.read_text().replace("/srv", str(srv)).replace("User=operations\n", "")
        )
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *units.iterdir()],
            capture_output=True,
            text=True,
            check=False,
        )
        ours = [line for line in done.stderr.splitlines() if "ecr-widgets" in line]
        assert ours == []
    text = (units / "ecr-widgets-rotate.service").read_text()
    (start,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", text, re.MULTILINE)
    command = start.replace("$$", "$").replace("%%", "%")
    environ = {**sandbox_environ, "ECR_WIDGETS_RUNS": str(srv / "runs")}
    mark_own(srv)
    subprocess.run(
        ["/bin/sh", "-c", command], env=environ, cwd=srv / "runbooks", capture_output=True, check=True
    )
    (only,) = saved_runs(srv)
    assert "# Our own rotate" in only.read_text()


AIRFLOW = '''
"""What the documented DAG uses of Airflow: the operator calls papermill just so."""
import sys, types, papermill

class DAG:
    def __init__(self, **_): pass
    def __enter__(self): return self
    def __exit__(self, *_): return None

class PapermillOperator:
    def __init__(self, *, task_id, input_nb, output_nb, parameters):
        papermill.execute_notebook(
            input_nb,
            output_nb.replace("{{ ts_nodash }}", "20261123T030000").replace("{{ ti.try_number }}", sys.argv[2]),
            parameters=parameters,
            progress_bar=False, report_mode=True, kernel_name=None, language=None, engine_name=None,
        )

for name in ("airflow", "airflow.sdk", "airflow.providers", "airflow.providers.papermill", "airflow.providers.papermill.operators",
             "airflow.providers.papermill.operators.papermill"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["airflow.sdk"].DAG = DAG
sys.modules["airflow.providers.papermill.operators.papermill"].PapermillOperator = PapermillOperator
exec(open(sys.argv[1]).read())
'''


def test_the_airflow_dag_runs_by_our_engine(srv: Path, sandbox_environ: dict[str, str]) -> None:
    """The operator's own call of papermill, which names no engine, leaves our record; a retry leaves one of its own."""
    (srv / "dag.py").write_text((DOCS / "airflow_dag.py").read_text().replace("/srv", str(srv)))
    mended = (srv / "runbooks" / "rotate.ipynb").read_text()
    broken = mended.replace("kit.check_target(", "kit.no_such_step(")
    states = []
    for number, text in (("1", broken), ("2", mended)):
        (srv / "runbooks" / "rotate.ipynb").write_text(text)
        forked.run(
            [sys.executable, "-c", AIRFLOW, srv / "dag.py", number],
            env=sandbox_environ,
            cwd=srv / "runbooks",
            capture_output=True,
        )
    for saved in saved_runs(srv):
        told = json.loads(saved.read_text())["metadata"]["ecr_widgets"]
        states.append((told["state"], told["runbook"]))
    assert states == [("failed", "rotate"), ("succeeded", "rotate")]


def run_as_jupyter_scheduler(srv: Path, environ: dict[str, str], pasted: str) -> nbformat.NotebookNode:
    """Parameters as code in a cell behind the declared ones, then nbconvert's executor: what jupyter-scheduler does."""
    book = nbformat.read(srv / "runbooks" / "login.ipynb", as_version=4)
    place = next(n for n, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", ()))
    book.cells.insert(
        place + 1, nbformat.v4.new_code_cell(pasted, metadata={"tags": ["injected-parameters"]})
    )
    nbformat.write(book, srv / "job.ipynb")
    forked.run(
        [
            *(sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--allow-errors"),
            *("--output", srv / "done.ipynb", srv / "job.ipynb"),
        ],
        env=environ,
        capture_output=True,
        check=True,
    )
    return nbformat.read(srv / "done.ipynb", as_version=4)


def test_what_jupyter_scheduler_pastes_is_checked(srv: Path, sandbox_environ: dict[str, str]) -> None:
    """A value of the declared type runs and leaves its records; another stops before the first step."""
    done = run_as_jupyter_scheduler(srv, sandbox_environ, "reason = '1.10'")
    assert [fact[0] for fact in facts(done)] == ["check_target", "login"]
    done = run_as_jupyter_scheduler(srv, sandbox_environ, "reason = 1.10")
    assert facts(done) == []
    errors = [o for cell in done.cells for o in cell.get("outputs", ()) if o.output_type == "error"]
    assert errors[0].ename == "UnknownParameter"
    assert "parameter 'reason' refused: 1.1 is not of type str" in errors[0].evalue
