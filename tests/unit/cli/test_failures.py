"""What commands print when they fail: one line for people, one document for programs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = {"run_id", "runbook", "state", "reason", "notebook", "started_at", "ended_at", "duration_s", "steps"}


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "list", "--runs", "nowhere"],
        ["audit", "list", "--state", "bogus"],
        ["audit", "show", "nobody"],
        ["approve", "nobody"],
        ["rollback", "demo"],
        ["service", "scale", "demo", "web", "abc"],
        ["service", "deploy", "demo", "web", "web", "--timeout", "-1"],
        ["task", "run", "demo", "web", "web", "--timeout", "nan"],
        ["deploy", "demo", "web", "app:1", "Dockerrun.aws.json", "--timeout", "0"],
        ["images"],
        ["nothing"],
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_a_failure_is_one_document_where_one_was_asked_for(words: list[str]) -> None:
    """With --json a failure is one document with its message and exit code, the same code as without."""
    done = CliRunner().invoke(main, [*words, "--json"])
    plain = CliRunner().invoke(main, words)
    told = json.loads(done.stdout)
    assert told["error"]["message"]
    assert told["error"]["exit_code"] == done.exit_code == plain.exit_code != 0
    assert done.stderr
    assert plain.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ["nobody"],
        ["release", "--wait", "-5"],
        ["release", "--wait", "nan"],
        ["release", "--bogus"],
        ["release", "--runs", "/dev/null"],
        ["release", "--runs", "/proc/self/fdinfo"],
        ["release", "--runs", "/proc/self/fdinfo", "--slot", "nightly"],
        ["release", "--resume", "x"],
        ["release", "-f", "."],
        ["release", "--slot", "AKIAABCDEFGHIJKLMNOP"],
    ],
)
def test_a_run_that_is_refused_is_told_as_a_run(words: list[str], elsewhere: Path) -> None:
    """With --json a refused run is a run document in state `refused`, saves nothing and shows no secret."""
    done = CliRunner().invoke(main, ["run", *words, "--json"])
    assert list(elsewhere.iterdir()) == []
    told = json.loads(done.stdout)
    assert told.keys() == RUN
    assert (told["state"], done.exit_code) == ("refused", 2)
    assert "AKIA" not in done.output


def test_a_file_in_the_current_folder_is_named_with_its_folder(elsewhere: Path) -> None:
    """A name without a folder is a shipped runbook's; for a file of that name here, the hint says what to give."""
    (elsewhere / "mine.ipynb").touch()
    done = CliRunner().invoke(main, ["run", "mine"])
    assert done.exit_code == 2
    assert "to run the file, give ./mine.ipynb" in done.stderr


def test_a_run_of_a_user_without_a_home_is_refused(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would need a home folder, so the run is refused before it begins, and saves nothing."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    done = CliRunner().invoke(main, ["run", "login", "--json"])
    assert (json.loads(done.stdout)["state"], done.exit_code) == ("refused", 2)
    assert "set HOME" in done.stderr
    assert list(elsewhere.iterdir()) == []


def test_a_run_whose_kernel_cannot_be_started_is_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for the kernel's private folder nothing is started, so nothing is saved and the exit code is 2."""

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkdtemp", full)
    done = CliRunner().invoke(main, ["run", "login", "--json"])
    assert (json.loads(done.stdout)["state"], done.exit_code) == ("refused", 2)
    assert "private folder cannot be made: No space left on device; " in done.stderr
    assert list(elsewhere.iterdir()) == []


def test_a_run_that_is_interrupted_before_it_began_is_told_as_a_run(tmp_path: Path) -> None:
    """With --json a run that is interrupted before it started is a run document in state `interrupted`, with exit code 3."""
    slow = (
        "import sys, time, ecr_widgets.engine.run as run\n"
        "def begin(*_, **__): print('begun', file=sys.stderr, flush=True); time.sleep(60)\n"
        "run.run_runbook = begin\n"
        "from ecr_widgets.cli import main\n"
        "main(['run', 'release', '--json'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    told = json.loads(out)
    assert (process.returncode, told["state"], told["runbook"]) == (3, "interrupted", "release")


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "."])
@pytest.mark.parametrize("context", ["nowhere", ".", "x" * 5_000])
@pytest.mark.usefixtures("elsewhere")
def test_a_build_that_misses_its_files_is_refused(context: str, dockerfile: str) -> None:
    """Without a build context or a Dockerfile nothing is started, so the exit code is that of a refusal."""
    done = CliRunner().invoke(main, ["build", context, "app", "-f", dockerfile])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(
        ("ecr-widgets: the build context", "ecr-widgets: no Dockerfile")
    )


def test_an_error_that_nobody_foresaw_is_one_line_without_secrets(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the place in the source, for a report; a program gets a document."""
    monkeypatch.setenv("LAYER0_AUTH_TOKEN", "bGF5ZXIwOnRva2VuLXRva2Vu")
    monkeypatch.setattr(
        "ecr_widgets.audit.index.index_file",
        lambda _: int(f"no number: {os.environ['LAYER0_AUTH_TOKEN']}"),
    )
    done = CliRunner().invoke(main, ["audit", "list", "--runs", str(elsewhere), "--json"])
    assert done.exit_code == 1
    assert done.stderr.startswith("ecr-widgets: unexpected error: ValueError: ")
    assert "(test_failures.py:" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["error"]["message"] in done.stderr
    assert "bGF5ZXIw" not in done.output


def test_the_way_to_an_error_that_nobody_foresaw_shows_no_values(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ECR_WIDGETS_TRACEBACK, stderr has the places in the source that led to it and to what is behind it, and no message."""

    def fail(_: object) -> None:
        try:
            int("profile secret")
        except ValueError as error:
            raise KeyError("another secret") from error

    monkeypatch.setattr("ecr_widgets.audit.index.index_file", fail)
    words = ["audit", "list", "--runs", str(elsewhere), "--json"]
    assert "those that ECR_WIDGETS_TRACEBACK=1 adds" in CliRunner().invoke(main, words).stderr
    monkeypatch.setenv("ECR_WIDGETS_TRACEBACK", "1")
    done = CliRunner().invoke(main, words)
    *way, last = done.stderr.splitlines()
    assert [line for line in way if line.endswith(" at")] == ["ValueError at", "KeyError at"]
    assert any(re.fullmatch(r"  ecr_widgets/audit/index\.py:\d+ in open_index", line) for line in way)
    assert way[-1].startswith("  unit/cli/test_failures.py:")
    assert "secret" not in "".join(way)
    assert last.startswith("ecr-widgets: unexpected error: KeyError")
    assert json.loads(done.stdout)["error"]["exit_code"] == 1


@pytest.mark.parametrize("words", [["audit", "list"], ["run", "login"], ["build", ".", "app"]])
def test_a_current_folder_that_is_gone_is_named(words: list[str], tmp_path: Path) -> None:
    """It was removed below the shell, and no path can be found from there."""
    (tmp_path / "gone").mkdir()
    with contextlib.chdir(tmp_path):
        os.chdir("gone")
        (tmp_path / "gone").rmdir()
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert done.stderr.endswith("the current folder does not exist any more; change to another one\n")


def test_too_few_open_files_are_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a limit of the process, and no fault of ours."""

    def full(_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("ecr_widgets.audit.index.index_file", full)
    done = CliRunner().invoke(main, ["audit", "list", "--runs", str(elsewhere)])
    assert done.exit_code == 1
    assert "files at a time; raise it: `ulimit -n 1024`" in done.stderr


def test_a_loop_of_links_is_no_folder_of_runs(elsewhere: Path) -> None:
    """Python 3.11 has an error of its own for it, which is no OSError."""
    (elsewhere / "loop").symlink_to("loop")
    done = CliRunner().invoke(main, ["audit", "list", "--runs", "loop"])
    assert done.exit_code == 2
    assert "runs cannot be read in 'loop'" in done.stderr
