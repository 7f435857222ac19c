"""Fleets of real runs: success, kills and interrupts, on threads of the fleet's kernel and on a Dask cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.sealed import look_at_seal
from ecr_widgets.model.fleet import TargetRun
from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook
from tests.people import Two, User
from tests.reading import read_file

BIN = Path(sys.executable).parent
COUNT = 4
"""Targets of a fleet."""
FAILS_UNLESS_OK = """
import os
from pathlib import Path
began = Path("planned" if "ECR_WIDGETS_PLAN" in os.environ else "began")
began.mkdir(exist_ok=True)
with (began / str(n)).open("a") as file:
    file.write("x")
if n in bad and not Path("ok").exists():
    raise ValueError(f"{n} is bad")
"""
WAITS = """
import time
while (n in waits or -1 in waits) and not Path("go").exists():
    time.sleep(0.05)
with (began / f"{n}.done").open("a") as file:
    file.write("x")
"""
PARAMETERS = (
    "n: int = 0  # number\nbad: list[int] = []  # which fail\nwaits: list[int] = []  # which wait, -1 for all"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_runbook(tmp_path, [FAILS_UNLESS_OK, WAITS], PARAMETERS)
    (tmp_path / "targets.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(1, COUNT + 1)))
    return tmp_path


def each_once() -> dict[str, int]:
    return {str(n): 1 for n in range(1, COUNT + 1)}


def words_of(*words: str) -> list[str]:
    return [str(BIN / "ecr-widgets"), "fleet", "book.ipynb", "--targets", "targets.csv", *words]


def run(folder: Path, *words: str, code: int = 0, **environ: str) -> dict[str, Any]:
    return command(folder, *words_of(*words, "--json"), code=code, **environ)


def command(
    folder: Path, *words: str, code: int = 0, given: str | None = None, **environ: str
) -> dict[str, Any]:
    done = forked.run(
        words, cwd=folder, env={**os.environ, **environ}, given=given, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def resume(folder: Path, run_id: str, *, code: int = 0) -> dict[str, Any]:
    return command(folder, str(BIN / "ecr-widgets"), "run", "--resume", run_id, "--json", code=code)


def began(folder: Path) -> dict[str, int]:
    """Return how often the run of each target started."""
    paths = (folder / "began").glob("*")
    return {path.name: len(path.read_text()) for path in paths if not path.name.endswith(".done")}


def done(folder: Path) -> dict[str, int]:
    """Return how often each target was completed."""
    return {path.stem: len(path.read_text()) for path in (folder / "began").glob("*.done")}


def records(told: dict[str, Any]) -> list[dict[str, Any]]:
    saved = json.loads(Path(told["notebook"]).read_text())
    outputs = [output for cell in saved["cells"] for output in cell.get("outputs", ())]
    mime = "application/vnd.ecr-widgets.record+json"
    return [json.loads(each["data"][mime]) for each in outputs if mime in each.get("data", {})]


def until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_fleet_runs_each_target_once_as_a_run_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet runs each target once, as a saved, sealed and proven run of its own, and its own notebook stays small."""
    monkeypatch.chdir(folder)
    told = run(folder, "--waves", "1,2", "--slot", "books")
    assert began(folder) == done(folder) == each_once()
    slots = sorted(path.stem.partition("@")[2] for path in (folder / "runs").glob("*-book@*.ipynb"))
    assert slots == [f"books:{n}" for n in range(1, COUNT + 1)]
    assert [each["step"] for each in records(told)] == ["plan_fleet", *["run_wave"] * 3, "fleet_result"]
    for path in (folder / "runs").glob("*.ipynb"):
        assert "-fleet@" not in path.name or judge(read_file(path)).verdict is Verdict.PROVEN
        assert path.stat().st_size < 40_000
    again = run(folder, "--waves", "1,2", "--slot", "books")
    assert (again["ran_before"], began(folder)["1"]) == (True, 1)


def test_a_bad_canary_stops_the_fleet_and_resume_runs_what_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing canary stops the fleet before other targets start; a resume then completes each target once."""
    monkeypatch.chdir(folder)
    told = run(folder, "-p", "bad", "[1]", code=1)
    assert began(folder) == {"1": 1}
    error = records(told)[-1]["error"]
    assert error["targets"]["failed"] == 1
    assert error["reasons"][0].startswith("1 failed: ValueError: 1 is bad (run ")
    (folder / "ok").touch()
    again = resume(folder, told["run_id"])
    assert done(folder) == each_once()
    assert began(folder)["1"] == 2
    assert again["run_id"] == told["run_id"]
    assert len([*(folder / "runs").glob("*.ipynb")]) == COUNT + 1


def test_one_flaky_target_is_all_that_a_resumed_fleet_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet with one allowed failure fails at its end, and a resume runs only that target."""
    monkeypatch.chdir(folder)
    told = run(folder, "-p", "bad", "[4]", "--stop-after", "1", code=1)
    assert began(folder) == each_once()
    assert "of 4 targets 3 succeeded, 1 failed" in told["reason"]
    (folder / "ok").touch()
    waves = [
        each["outcome"] for each in records(resume(folder, told["run_id"])) if each["step"] == "run_wave"
    ]
    assert began(folder) == each_once() | {"4": 2}
    assert [each["ran_before"] for each in waves] == [1, 2]


def start(folder: Path, *words: str, by: Any = forked.start) -> subprocess.Popen[bytes]:
    """Start a fleet; `by=subprocess.Popen` if a test looks at its processes."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started: subprocess.Popen[bytes] = by(words_of(*words), cwd=folder, **quiet)
    return started


def fleet_id(folder: Path) -> str:
    (saved,) = (folder / "runs").glob("*-fleet.ipynb")
    return saved.name.removesuffix("-fleet.ipynb")


def test_a_fleet_that_is_killed_leaves_nobody_and_is_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed fleet leaves no process; a resume continues its running targets in their slots, each completed once."""
    monkeypatch.chdir(folder)
    fleet = start(folder, "--waves", "2", "-p", "waits", "[3, 4]", by=subprocess.Popen)
    until(lambda: {"3", "4"} <= set(began(folder)))
    below = psutil.Process(fleet.pid).children(recursive=True)
    assert len(below) > 4
    fleet.kill()
    fleet.wait()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))
    (folder / "go").touch()
    resume(folder, fleet_id(folder))
    assert done(folder) == each_once()
    assert began(folder) == each_once() | {"3": 2, "4": 2}
    assert len([*(folder / "runs").glob("*.ipynb")]) == COUNT + 1


def test_a_fleet_that_is_interrupted_lets_its_runs_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted fleet saves its targets' runs as interrupted and records how many there were; it can be resumed."""
    monkeypatch.chdir(folder)
    fleet = start(folder, "--waves", "1,3", "-p", "waits", "[2, 3, 4]")
    until(lambda: {"2", "3", "4"} <= set(began(folder)))
    fleet.send_signal(signal.SIGTERM)
    assert fleet.wait(timeout=60) == 3
    saved = [json.loads(path.read_text()) for path in (folder / "runs").glob("*-book@*.ipynb")]
    states = [each["metadata"]["ecr_widgets"]["state"] for each in saved]
    assert sorted(states) == ["interrupted"] * 3 + ["succeeded"]
    for path in (folder / "runs").glob("*.ipynb"):
        assert look_at_seal(path.parent, path.name, path.read_bytes(), ring=default_ring()).why_not == ""
    told = {"notebook": str(next((folder / "runs").glob("*-fleet.ipynb")))}
    assert records(told)[-1]["error"]["targets"]["failed"] == 3
    (folder / "go").touch()
    resume(folder, fleet_id(folder))
    assert done(folder) == each_once()


def test_an_unknown_outcome_stops_the_fleet_with_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target with an unknown outcome ends the fleet as unknown, with exit code 4."""
    monkeypatch.chdir(tmp_path)
    step = """
from ecr_widgets import connect
from ecr_widgets.errors import OutcomeUnknown
def lose(_): raise OutcomeUnknown("the reply was lost")
if n == 2: connect().recorder.perform("push_image", {}, lose)
"""
    write_runbook(tmp_path, [step], PARAMETERS)
    (tmp_path / "targets.csv").write_text("n\n1\n2\n3\n")
    told = run(tmp_path, "--waves", "2", "--stop-after", "9", code=4)
    assert told["state"] == "unknown"
    assert "nobody knows what came of 1 target" in told["reason"]


def test_a_busy_target_is_waited_for_until_the_wave_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target whose slot is busy is tried again at the end of the wave."""
    monkeypatch.chdir(folder)
    other = forked.start(
        [BIN / "ecr-widgets", "run", "book.ipynb", "-p", "n", "1", "-p", "waits", "[1]", "--slot", "books:1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: "1" in began(folder))
    fleet = start(folder, "--waves", "4", "--slot", "books", "-p", "waits", "[1, 4]")
    until(lambda: set(done(folder)) >= {"2", "3"})
    (folder / "go").touch()
    # The slot's run began with other parameters than the fleet has for it, so the second try is refused with a reason.
    assert (other.wait(timeout=60), fleet.wait(timeout=60)) == (0, 1)
    told = {"notebook": str(next((folder / "runs").glob("*-fleet@books.ipynb")))}
    error = records(told)[-1]["error"]
    assert "began with other parameters" in error["reasons"][0]
    assert done(folder) == each_once()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("n\n1\n1\n", "targets.csv, line 3: the same target as in line 2"),
        ("m\n1\n", "targets.csv, line 2: the runbook declares no parameter 'm'"),
        ("n\none\n", "targets.csv, line 2: parameter 'n' refused"),
    ],
)
def test_a_wrong_list_is_refused_before_anything_starts(folder: Path, text: str, why: str) -> None:
    """An invalid list of targets is refused with its line and exit code 2, and no run starts."""
    (folder / "targets.csv").write_text(text)
    told = run(folder, code=2)
    assert (told["state"], why in told["reason"]) == ("refused", True)
    assert not (folder / "runs").exists()


def test_targets_come_over_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets can be read from standard input, and are saved as the run's parameter."""
    monkeypatch.chdir(folder)
    words = [str(BIN / "ecr-widgets"), "fleet", "book.ipynb", "--targets", "-", "--json"]
    told = command(folder, *words, given="n\n3\n")
    saved = json.loads(Path(told["notebook"]).read_text())["metadata"]["ecr_widgets"]
    assert saved["parameters"]["targets"] == '[{"n": 3}]'
    assert done(folder) == {"3": 1}


def test_a_targets_run_gets_no_more_than_any_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target's run has the same environment as any run, and no parameters are on its command line."""
    monkeypatch.chdir(folder)
    look = """
import os, psutil
from pathlib import Path
here = psutil.Process()
lines = [" ".join(each.cmdline()) for each in [here, *here.parents()]]
Path(f"words-{n}").write_text("\\n".join(lines))
Path(f"names-{n}").write_text("\\n".join(sorted(os.environ)))
"""
    write_runbook(folder, [look], PARAMETERS)
    environ = os.environ | {"ECR_WIDGETS_NOTIFY_URL": "http://127.0.0.1:1"}
    words = [BIN / "ecr-widgets", "run", "book.ipynb", "-p", "n", "9"]
    subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
    (folder / "targets.csv").write_text("n\n123456\n")
    subprocess.run(words_of(), cwd=folder, env=environ, check=True, capture_output=True)
    assert (folder / "names-123456").read_text() == (folder / "names-9").read_text()
    assert "123456" not in (folder / "words-123456").read_text().replace(":123456", "")


def test_a_plan_names_the_waves_for_other_engines_and_the_gate_judges_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet's plan lists the commands of each wave for other schedulers, and the gate opens as each wave has ended well."""
    monkeypatch.chdir(folder)
    told = run(
        folder, "--waves", "1,2", "--slot", "books", "--stop-after", "1", "-p", "bad", "[2, 3]", "--plan"
    )
    assert not (folder / "began").exists()
    (folder / "fleet.json").write_text(json.dumps(told))
    waves = told["fleet"]["waves"]
    assert [[each["target"] for each in wave["targets"]] for wave in waves] == [
        ["1"],
        ["2", "3"],
        ["4"],
    ]

    def gate(wave: int, code: int) -> dict[str, Any]:
        return command(
            folder, str(BIN / "ecr-widgets"), "fleet", "gate", "fleet.json", str(wave), "--json", code=code
        )

    def start_wave(wave: int) -> None:
        for target in waves[wave - 1]["targets"]:
            forked.run([BIN / target["command"][0], *target["command"][1:]], cwd=folder, capture_output=True)

    assert gate(1, 1)["not_ended"] == 1
    start_wave(1)
    assert gate(1, 0) == {
        "wave": 1,
        "open": True,
        "succeeded": 1,
        "failed": 0,
        "unknown": 0,
        "waiting": 0,
        "not_ended": 0,
    }
    start_wave(2)
    assert gate(2, 1)["failed"] == 2
    (folder / "ok").touch()
    start_wave(2)
    assert gate(2, 0)["succeeded"] == 3
    told = command(folder, str(BIN / "ecr-widgets"), "fleet", "gate", "fleet.json", "9", "--json", code=2)
    assert "has no wave 9" in told["error"]["message"]


def test_a_fleet_that_ran_is_not_taken_for_one_with_more_targets(folder: Path) -> None:
    """A fleet's name is run once; given again with a target more in its file, it is refused, because that one would not run."""
    assert run(folder, "--slot", "books")["state"] == "succeeded"
    assert run(folder, "--slot", "books")["ran_before"]
    with (folder / "targets.csv").open("a") as file:
        file.write(f"{COUNT + 1}\n")
    told = run(folder, "--slot", "books", code=2)
    assert f"with other targets: {COUNT} then, {COUNT + 1} now" in told["reason"]
    assert began(folder) == each_once()


def test_the_gate_takes_no_run_of_an_earlier_fleet_with_that_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot whose run began with other parameters, for an earlier fleet of the same name, opens no gate."""
    monkeypatch.chdir(folder)
    earlier = run(folder, "--slot", "books", "--waves", "4", "-p", "bad", "[9]")
    assert earlier["state"] == "succeeded"
    told = run(folder, "--slot", "books", "--waves", "4", "-p", "bad", "[8]", "--plan")
    (folder / "fleet.json").write_text(json.dumps(told))
    gate = (str(BIN / "ecr-widgets"), "fleet", "gate", "fleet.json", "1", "--json")
    assert "began with other parameters" in command(folder, *gate, code=2)["error"]["message"]
    told = run(folder, "--slot", "books", "--waves", "4", "-p", "bad", "[9]", "--plan")
    (folder / "fleet.json").write_text(json.dumps(told))
    assert command(folder, *gate)["succeeded"] == COUNT


Cluster = tuple[str, list[subprocess.Popen[bytes]]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers on loopback, each in its own process, as people start them."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environ = {
        **os.environ,
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    quiet: dict[str, Any] = {
        "cwd": folder,
        "env": environ,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    host = ("--host", "127.0.0.1", "--no-dashboard")
    scheduler = subprocess.Popen(
        [BIN / "dask", "scheduler", *host, "--port", "0", "--scheduler-file", file], **quiet
    )
    started = [scheduler]
    try:
        until(file.exists)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            words = [BIN / "dask", "worker", address, *host, "--no-nanny", "--nthreads", "2"]
            started.append(subprocess.Popen(words, **quiet))
        yield address, started[1:]
    finally:
        for each in reversed(started):
            each.kill()
            each.wait()


def test_a_fleet_runs_on_the_workers_of_a_dask_cluster(
    folder: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Dask cluster each target runs once, below a worker's process, and Dask does not retry it."""
    monkeypatch.chdir(folder)
    parents = "import psutil\nPath('began', f'{n}.by').write_text(' '.join(str(each.pid) for each in psutil.Process().parents()))"
    write_runbook(folder, [FAILS_UNLESS_OK, WAITS, parents], PARAMETERS)
    address, workers = cluster
    told = run(folder, "--scheduler", address, "-p", "bad", "[3]", "--stop-after", "1", code=1)
    assert began(folder) | {"3": 1} == {
        **each_once(),
        **{f"{n}.by": began(folder)[f"{n}.by"] for n in (1, 2, 4)},
    }
    pids = {str(each.pid) for each in workers}
    for n in (1, 2, 4):
        assert pids & set((folder / "began" / f"{n}.by").read_text().split())
    (folder / "ok").touch()
    resume(folder, told["run_id"])
    assert done(folder) == each_once()


def test_a_worker_that_is_killed_costs_no_second_change(
    folder: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a Dask worker is killed, its target is resumed in its slot elsewhere, and each target is completed once."""
    monkeypatch.chdir(folder)
    address, workers = cluster
    fleet = start(folder, "--scheduler", address, "--waves", "4", "--at-once", "3", "-p", "waits", "[-1]")
    until(lambda: len(began(folder)) >= 3)
    below = psutil.Process(workers[0].pid).children(recursive=True)
    assert below
    workers[0].kill()
    workers[0].wait()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))
    (folder / "go").touch()
    assert fleet.wait(timeout=120) == 0
    assert done(folder) == each_once()
    assert len([*(folder / "runs").glob("*.ipynb")]) == COUNT + 1


def test_a_scheduler_that_does_not_answer_fails_the_wave_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """If the Dask scheduler does not answer, the wave fails with its address and no target starts."""
    monkeypatch.chdir(folder)
    hook = tmp_path_factory.mktemp("hook")
    (hook / "sitecustomize.py").write_text(
        "from ecr_widgets.fleets import executors\nexecutors._ANSWER_S = 1\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hook), prepend=os.pathsep)
    told = run(folder, "--scheduler", "tcp://127.0.0.1:1", code=1)
    assert "the scheduler at tcp://127.0.0.1:1 does not answer" in told["reason"]
    assert not (folder / "began").exists()


def test_a_run_outlives_nobody_who_started_it(folder: Path) -> None:
    """If the process that starts a target's run is killed, the run is saved as interrupted and no process is left."""
    (folder / "runs").mkdir()
    run_of = TargetRun("1", "book.ipynb", {"n": 1, "waits": [1]}, "f:1", str(folder / "runs"), str(folder))
    code = f"from ecr_widgets.fleets.start import start; from ecr_widgets.model.fleet import TargetRun; start({run_of!r})"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=folder)
    until(lambda: "1" in began(folder))
    below = psutil.Process(starter.pid).children(recursive=True)
    starter.kill()
    starter.wait()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))
    (saved,) = (folder / "runs").glob("*.ipynb")
    assert json.loads(saved.read_text())["metadata"]["ecr_widgets"]["state"] == "interrupted"


def by(user: User, *words: str, cwd: Path, code: int = 0) -> str:
    """Run a command as another user, guarded as well, and return what it printed."""
    environ = user.environ | {"ECR_WIDGETS_APPROVAL": "prod"}
    done_ = user.ours(*words, "--runs", cwd / "runs", cwd=cwd, code=code, environ=environ)
    return str(done_.stdout + done_.stderr)


@pytest.fixture
def guarded(two: Two) -> Path:
    """A folder of two users, with a fleet that needs approval."""
    folder = two.shared
    parameters = f'{PARAMETERS}\nenvironment: str = "test"  # where'
    write_runbook(folder, [FAILS_UNLESS_OK, WAITS], parameters)
    lines = [f"{n},{'prod' if n > 2 else 'test'}" for n in range(1, 5)]
    (folder / "targets.csv").write_text("\n".join(["n,environment", *lines]))
    (folder / "runs").mkdir()
    (folder / "runs").chmod(0o2775)
    return folder


def trust_this_user(user: User, folder: Path) -> None:
    """Another user takes in the key of the one who runs the tests."""
    export = [BIN / "ecr-widgets", "audit", "key", "export"]
    done = forked.run(export, capture_output=True, text=True, check=True)
    user.trusts_keys(done.stdout, cwd=folder)


def test_one_approval_is_for_the_whole_fleet(guarded: Path, two: Two) -> None:
    """One approval covers each target of the fleet's plan, and no other run can use it."""
    plan = run(guarded, "--waves", "1,2", "--slot", "books", code=7, ECR_WIDGETS_APPROVAL="prod")
    assert plan["waits_for_approval"] is True
    assert not (guarded / "began").exists()
    trust_this_user(two.bob, guarded)
    told = json.loads(by(two.bob, "approve", plan["run_id"], "--json", cwd=guarded))
    assert told["state"] == "succeeded", told["reason"]
    assert done(guarded) == {str(n): 1 for n in range(1, 5)}
    approvals = {
        path.stem.rpartition(":")[2]: json.loads(path.read_text())["metadata"]["ecr_widgets"].get("approval")
        for path in (guarded / "runs").glob("*-book@books:*.ipynb")
    }
    assert {name: bool(each) for name, each in approvals.items()} == {
        "1": False,
        "2": False,
        "3": True,
        "4": True,
    }
    assert approvals["3"]["approved_by"] == f"uid {two.bob.uid}"
    assert approvals["3"]["fleet"] == told["run_id"]
    late = ("run", "book.ipynb", "-p", "n", "3", "-p", "environment", "prod", "--slot", "books:9", "--json")
    by(two.bob, *late, "--of-fleet", told["run_id"], cwd=guarded, code=7)


def test_an_approval_is_of_the_targets_that_were_planned(guarded: Path, two: Two) -> None:
    """After the target list or the runbook changed, the fleet's plan can no longer be approved."""
    plan = run(guarded, code=7, ECR_WIDGETS_APPROVAL="prod")
    trust_this_user(two.bob, guarded)
    kept = (guarded / "targets.csv").read_text()
    (guarded / "targets.csv").write_text(kept.replace("4,prod", "5,prod"))
    told = by(two.bob, "approve", plan["run_id"], cwd=guarded, code=2)
    assert "no longer fits what exists: step plan_fleet" in told
    (guarded / "targets.csv").write_text(kept)
    book = guarded / "book.ipynb"
    book.write_text(book.read_text().replace("is bad", "is worse"))
    told = by(two.bob, "approve", plan["run_id"], cwd=guarded, code=2)
    assert "no longer fits what exists: step plan_fleet" in told
    assert not (guarded / "began").exists()


def test_a_run_beside_the_fleet_does_not_have_its_approval(guarded: Path, two: Two) -> None:
    """While an approved fleet is running, a run with other parameters than a target's still needs its own approval."""
    plan = run(
        guarded,
        "--slot",
        "books",
        "--at-once",
        "1",
        "-p",
        "waits",
        "[3]",
        code=7,
        ECR_WIDGETS_APPROVAL="prod",
    )
    trust_this_user(two.bob, guarded)
    words = ("approve", plan["run_id"], "--runs", guarded / "runs")
    fleet = two.bob.start(*words, cwd=guarded, environ={"ECR_WIDGETS_APPROVAL": "prod"})
    until(lambda: "3" in began(guarded))
    (saved,) = (guarded / "runs").glob("*-fleet@books.ipynb")
    fleet_run = saved.name.partition("-fleet@")[0]
    for slot, n in (("books:9", "9"), ("books:4", "9"), ("other:4", "4")):
        words_ = (
            "run",
            "book.ipynb",
            "-p",
            "n",
            n,
            "-p",
            "environment",
            "prod",
            "-p",
            "waits",
            "[3]",
            "--slot",
            slot,
        )
        by(two.bob, *words_, "--of-fleet", fleet_run, cwd=guarded, code=7)
    (guarded / "go").touch()
    # By now the last target's slot waits for an approval of its own.
    assert fleet.wait(timeout=120) == 1
    assert done(guarded) == {"1": 1, "2": 1, "3": 1}
