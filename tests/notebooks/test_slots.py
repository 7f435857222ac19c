"""Slots of schedules: each is run once, a failed run is reported, and nothing runs twice at the same time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.engine.slots import hold_slot
from ecr_widgets.saved_runs.summary import SUMMARY_ID
from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook
from tests.people import Two

BIN = Path(sys.executable).parent
COUNT = "open('count', 'a').write('x')"


def run(
    folder: Path, *words: str, code: int = 0, book: str = "book.ipynb", **environ: str
) -> subprocess.CompletedProcess[str]:
    done = forked.run(
        [BIN / "ecr-widgets", "run", book, *words], cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_slot_is_run_once(tmp_path: Path) -> None:
    """A slot that has run already is not run again, and the start says so; another slot is run."""
    write_runbook(tmp_path, [COUNT])
    run(tmp_path, "--slot", "nightly-23")
    again = run(tmp_path, "--slot", "nightly-23")
    assert again.stdout.startswith("this slot has run already, succeeded: ")
    run(tmp_path, "--slot", "nightly-24")
    assert (tmp_path / "count").read_text() == "xx"
    assert sorted(path.name.partition("@")[2] for path in (tmp_path / "runs").glob("*.ipynb")) == [
        "nightly-23.ipynb",
        "nightly-24.ipynb",
    ]


def test_a_slot_that_was_killed_is_resumed(tmp_path: Path) -> None:
    """A slot in progress is busy for another start, and after a kill the same run is completed."""
    write_runbook(tmp_path, [COUNT, "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"])
    first = forked.start(
        [BIN / "ecr-widgets", "run", "book.ipynb", "--slot", "s"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + 60
    while not (tmp_path / "count").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert "being run by another process" in run(tmp_path, "--slot", "s", code=5).stderr
    first.send_signal(signal.SIGKILL)
    first.wait()
    (tmp_path / "go").touch()
    told = json.loads(run(tmp_path, "--slot", "s", "--json").stdout)
    assert told["state"] == "succeeded"
    assert len([*(tmp_path / "runs").glob("*.ipynb")]) == 1
    assert [*(tmp_path / "runs").glob(".*.lock")] == []


def test_a_slot_keeps_its_parameters(tmp_path: Path) -> None:
    """Other parameters for the same slot are refused, and so is an invalid slot name."""
    write_runbook(tmp_path, [])
    run(tmp_path, "--slot", "s", "-p", "tag", "1")
    assert "other parameters" in run(tmp_path, "--slot", "s", "-p", "tag", "2", code=2).stderr
    assert "refused" in run(tmp_path, "--slot", "../s", code=2).stderr


def test_slots_of_different_runbooks_are_apart(tmp_path: Path) -> None:
    """Slots of different runbooks are separate, even if one runbook's name ends like the other's."""
    write_runbook(tmp_path, [COUNT])
    shutil.copyfile(tmp_path / "book.ipynb", tmp_path / "my-book.ipynb")
    run(tmp_path, "--slot", "n1", book="my-book.ipynb")
    assert run(tmp_path, "--slot", "n1").stdout.startswith("succeeded: ")
    assert (tmp_path / "count").read_text() == "xx"


def test_a_slot_that_failed_is_not_gone_on_with_by_other_cells(tmp_path: Path) -> None:
    """If a slot's run failed and the runbook was edited since, starting the slot is refused with what to do."""
    write_runbook(tmp_path, ["1/0"])
    run(tmp_path, "--slot", "s", code=1)
    write_runbook(tmp_path, [COUNT])
    refused = run(tmp_path, "--slot", "s", code=2).stderr
    assert "book was edited since run" in refused
    assert "run --resume" in refused
    assert not (tmp_path / "count").exists()


def saved_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").glob("*.ipynb"))


def test_a_run_that_ended_badly_and_was_never_sealed_is_resumed(tmp_path: Path) -> None:
    """A failed run that was never sealed is resumed for its slot, and no new run is made."""
    write_runbook(tmp_path, [COUNT, "open('go').close()"])
    run(tmp_path, "--slot", "k", code=1)
    (tmp_path / "runs" / "seals.jsonl").unlink()
    (tmp_path / "go").touch()
    run(tmp_path, "--slot", "k")
    assert len(saved_in(tmp_path)) == 1


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_a_run_that_succeeded_and_was_never_sealed_is_believed_in_a_private_folder(
    tmp_path: Path, mode: int
) -> None:
    """An unsealed successful run counts for its slot only in a folder that nobody else may write to."""
    write_runbook(tmp_path, [COUNT])
    run(tmp_path, "--slot", "k")
    (tmp_path / "runs" / "seals.jsonl").unlink()
    (tmp_path / "runs").chmod(mode)
    run(tmp_path, "--slot", "k")
    assert (tmp_path / "count").read_text() == ("x" if mode == 0o755 else "xx")


def test_a_file_that_somebody_left_is_not_taken_for_the_slots_run(tmp_path: Path) -> None:
    """A file that is unsealed, sealed for another slot, unknown or changed is not taken for the slot's run."""
    write_runbook(tmp_path, [COUNT])
    run(tmp_path, "--slot", "n1")
    (first,) = saved_in(tmp_path)
    runs, ran = tmp_path / "runs", 1
    runs.chmod(0o775)  # otherwise only this user could have written it
    other = first.replace("@n1.", "@n2.")
    shutil.copyfile(runs / first, runs / other)
    assert (
        f"{other} does not count as the run of slot n2: it is not sealed"
        in run(tmp_path, "--slot", "n2").stderr
    )
    ran += 1
    assert (tmp_path / "count").read_text() == "x" * ran
    strange = first.replace("@n1.", "@n3.")
    shutil.copyfile(runs / first, runs / strange)
    seal_run(runs, strange, ring=KeyRing(tmp_path / "keys"), now=datetime.now(UTC))
    assert "which is not known here" in run(tmp_path, "--slot", "n3").stderr
    text = (runs / first).read_text()
    (runs / first).write_text(text.replace("count", "other"))
    assert "was changed since it was sealed" in run(tmp_path, "--slot", "n1").stderr
    assert (tmp_path / "count").read_text() == "x" * (ran + 2)


def test_a_run_of_another_runbook_is_not_the_slots(tmp_path: Path) -> None:
    """A run of another runbook is not taken for the slot's, and a runbook named like a slot's run is refused."""
    write_runbook(tmp_path, [COUNT])
    shutil.copyfile(tmp_path / "book.ipynb", tmp_path / "book@n1.ipynb")
    refused = run(tmp_path, book="book@n1.ipynb", code=2).stderr
    assert "runbook 'book@n1' refused" in refused
    shutil.copyfile(tmp_path / "book.ipynb", tmp_path / "else.ipynb")
    run(tmp_path, book="else.ipynb")
    (other,) = saved_in(tmp_path)
    named = other.replace("-else.", "-book@n1.")
    (tmp_path / "runs" / other).rename(tmp_path / "runs" / named)
    seal_run(tmp_path / "runs", named, ring=default_ring(), now=datetime.now(UTC))
    assert "of else" in run(tmp_path, "--slot", "n1").stderr
    assert (tmp_path / "count").read_text() == "xx"


def test_a_killed_run_is_resumed_with_the_runbooks_own_cells(tmp_path: Path) -> None:
    """A killed run is resumed with the cells of its runbook, not of its file, and not if sealed or another user's."""
    write_runbook(tmp_path, [COUNT])
    run(tmp_path, "--slot", "s")
    (saved,) = (tmp_path / "runs").glob("*.ipynb")
    notebook = json.loads(saved.read_text())
    notebook["metadata"]["ecr_widgets"] |= {"state": "running", "ended_at": None}
    notebook["cells"][-1]["source"] = "open('evil', 'w')"
    saved.write_text(json.dumps(notebook))
    assert "was changed since it was sealed" in run(tmp_path, "--slot", "s", code=2).stderr
    (tmp_path / "runs" / "seals.jsonl").unlink()  # as after a kill
    assert run(tmp_path, "--slot", "s").stdout.startswith("succeeded: ")
    assert ((tmp_path / "count").read_text(), (tmp_path / "evil").exists()) == ("xx", False)
    if os.getuid() == 0:
        (tmp_path / "runs" / "seals.jsonl").unlink()
        saved.write_text(json.dumps(notebook))
        os.chown(saved, 61001, 61001)
        assert "is another user's, and unfinished" in run(tmp_path, "--slot", "s").stderr
        assert ((tmp_path / "count").read_text(), (tmp_path / "evil").exists()) == ("xxx", False)


def write_guarded(folder: Path, sources: list[str]) -> None:
    """Write a runbook that requires approval."""
    book = json.loads(write_runbook(folder, sources).read_text())
    book["metadata"]["ecr_widgets"] = {"approval": "required"}
    (folder / "book.ipynb").write_text(json.dumps(book))


NOT_PLANNED = "import os; os.environ.get('ECR_WIDGETS_PLAN') or open('count', 'a').write('x')"


def test_a_slot_that_waits_has_one_plan_and_then_one_run(two: Two) -> None:
    """A slot that waits for approval has one plan, however often it is started, and after approval one run."""
    folder = two.shared
    write_guarded(folder, [NOT_PLANNED])
    slot = ("run", "book.ipynb", "--slot", "s")
    notify = {"ECR_WIDGETS_NOTIFY_COMMAND": "sh -c 'cat > told.json'"}
    told = json.loads(two.alice.ours(*slot, "--json", cwd=folder, code=7, environ=notify).stdout)
    notice = json.loads((folder / "told.json").read_text())
    assert (notice["run_id"], notice["waits_for_approval"]) == (told["run_id"], True)
    (folder / "told.json").unlink()
    again = json.loads(two.alice.ours(*slot, "--json", cwd=folder, code=7, environ=notify).stdout)
    assert again["run_id"] == told["run_id"]
    assert not (folder / "told.json").exists()
    assert two.alice.ours(*slot, cwd=folder, code=7).stdout.startswith("this slot has a plan already, ")
    refused = two.alice.ours("run", "--resume", told["run_id"], cwd=folder, code=2).stderr
    assert f"is a plan; have another person run it: `ecr-widgets approve {told['run_id']}`" in refused
    plan = json.loads((folder / told["notebook"]).read_text())
    assert f"`ecr-widgets approve {told['run_id']}` approves and runs it" in plan["cells"][1]["source"]
    assert f"ecr-widgets approve {told['run_id']}" in plan["cells"][0]["source"]
    assert two.bob.ours("approve", cwd=folder).stdout == (
        f"{told['run_id']}: book, planned by uid {two.alice.uid}; approval required by runbook book\n"
    )
    two.bob.trusts(two.alice, cwd=folder)
    two.bob.ours("approve", told["run_id"], cwd=folder)
    assert "waits" in two.bob.ours("approve", cwd=folder).stdout
    two.alice.trusts(two.bob, cwd=folder)
    done = two.alice.ours(*slot, cwd=folder, environ=notify).stdout
    assert done.startswith("this slot has run already, succeeded: ")
    ran = json.loads((folder / done.split()[-1]).read_text())
    assert [cell["id"] for cell in ran["cells"] if cell["cell_type"] != "code"] == [SUMMARY_ID]
    assert (folder / "count").read_text() == "x"


def test_a_slot_whose_plan_failed_is_planned_anew(tmp_path: Path) -> None:
    """If a slot's plan failed, the next start makes a new plan."""
    write_guarded(tmp_path, ["import os; os.path.exists('mended') or 1/0"])
    first = json.loads(run(tmp_path, "--slot", "s", "--json", code=1).stdout)
    (tmp_path / "mended").touch()
    second = json.loads(run(tmp_path, "--slot", "s", "--json", code=7).stdout)
    assert second["run_id"] != first["run_id"]


def test_an_approved_run_that_fails_is_told(two: Two) -> None:
    """An approved run that fails is reported, and its slot is resumed under the same approval."""
    folder = two.shared
    write_guarded(
        folder, ["import os; os.environ.get('ECR_WIDGETS_PLAN') or os.path.exists('mended') or 1/0"]
    )
    slot = ("run", "book.ipynb", "--slot", "s")
    told = json.loads(two.alice.ours(*slot, "--json", cwd=folder, code=7).stdout)
    notify = {"ECR_WIDGETS_NOTIFY_COMMAND": "sh -c 'cat > told.json'"}
    two.bob.trusts(two.alice, cwd=folder)
    two.bob.ours("approve", told["run_id"], cwd=folder, code=1, environ=notify)
    assert json.loads((folder / "told.json").read_text())["state"] == "failed"
    (folder / "mended").touch()
    two.alice.trusts(two.bob, cwd=folder)
    assert two.alice.ours(*slot, cwd=folder).stdout.startswith("succeeded: ")


def by_engine(folder: Path, book: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it with stock papermill and our engine, as schedulers do."""
    return forked.run(
        [BIN / "papermill", "--engine", "ecr_widgets", book, "saved.ipynb", "--no-progress-bar"],
        cwd=folder,
        env={**os.environ, "ECR_WIDGETS_NOTIFY_COMMAND": "sh -c 'cat > told.json'", **environ},
        capture_output=True,
        text=True,
    )


def test_the_engine_runs_nothing_that_asks_for_an_approval(tmp_path: Path) -> None:
    """Our engine in papermill refuses a run that requires approval, by its runbook or its environment."""
    write_guarded(tmp_path, [COUNT])
    done = by_engine(tmp_path, "book.ipynb")
    assert done.returncode != 0
    assert "runbook book requires an approval" in done.stderr
    assert json.loads((tmp_path / "told.json").read_text())["state"] == "refused"
    write_runbook(tmp_path, [COUNT], parameters="environment: str = 'prod'  # where")
    assert (
        "environment prod requires an approval"
        in by_engine(tmp_path, "book.ipynb", ECR_WIDGETS_APPROVAL="prod").stderr
    )
    assert not (tmp_path / "count").exists()
    assert not (tmp_path / "saved.ipynb").exists()
    assert by_engine(tmp_path, "book.ipynb", ECR_WIDGETS_APPROVAL="live").returncode == 0


def test_a_run_that_another_door_started_is_told_too(tmp_path: Path) -> None:
    """A failed run started by papermill is reported by the engine's notice."""
    write_runbook(tmp_path, ["1/0"])
    assert by_engine(tmp_path, "book.ipynb").returncode != 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["state"], told["reason"]) == ("failed", "ZeroDivisionError: division by zero")
    assert told["notebook"].endswith("saved.ipynb")


def test_a_busy_slot_is_no_alarm(tmp_path: Path) -> None:
    """A start that finds its slot busy sends no notice."""
    write_runbook(tmp_path, [COUNT])
    (tmp_path / "runs").mkdir()
    with hold_slot(tmp_path / "runs", "book", "s"):
        run(tmp_path, "--slot", "s", code=5, ECR_WIDGETS_NOTIFY_COMMAND="sh -c 'cat > told.json'")
    assert not (tmp_path / "told.json").exists()


def test_the_reason_of_a_run_is_its_operation_note(tmp_path: Path) -> None:
    """The given reason becomes the run's operation note, in the existing cell or a new one; a secret in it is refused."""
    book = json.loads(write_runbook(tmp_path, []).read_text())
    for note in ("## Operation note\n\n*Why this run*", "# Title"):
        cell = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": note}
        (tmp_path / "book.ipynb").write_text(json.dumps({**book, "cells": [cell, *book["cells"]]}))
        told = json.loads(run(tmp_path, "--reason", "INC-12: disk full", "--json").stdout)
        saved = json.loads((tmp_path / told["notebook"]).read_text())
        assert saved["cells"][1]["source"] == "## Operation note\n\nINC-12: disk full"
        assert ">INC-12: disk full<" in saved["cells"][0]["source"]
    refused = run(tmp_path, "--reason", "AKIA" + "ABCDEFGHIJKLMNOP", code=2).stderr
    assert "looks like an AWS access key id" in refused


class Hook(BaseHTTPRequestHandler):
    """A webhook that receives notices."""

    taken: list[bytes]
    status = 200

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a webhook, and what it received."""
    taken: list[bytes] = []
    handler = type("OwnHook", (Hook,), {"taken": taken})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/T0KEN-in-the-path", taken
        server.shutdown()


def test_a_run_that_ends_badly_is_told(tmp_path: Path, hook: tuple[str, list[bytes]]) -> None:
    """A failed or refused run is reported to the command and the webhook, a successful one is not, and secrets are masked."""
    address, taken = hook
    secret = "a-canary-that-nobody-may-see-4711"
    notify = {
        "ECR_WIDGETS_NOTIFY_COMMAND": "sh -c 'cat > told.json'",
        "ECR_WIDGETS_NOTIFY_URL": address,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    write_runbook(tmp_path, ["import os; raise ValueError(os.environ['AWS_SECRET_ACCESS_KEY'])"])
    done = run(tmp_path, code=1, **notify)
    told = json.loads((tmp_path / "told.json").read_bytes())
    assert (told["state"], told["reason"], told["runbook"]) == ("failed", "ValueError: ***", "book")
    assert [json.loads(each) for each in taken] == [told]
    assert secret not in done.stdout + done.stderr
    run(tmp_path, "-p", "tgg", "1", code=2, **notify)
    assert json.loads(taken[-1])["state"] == "refused"
    write_runbook(tmp_path, [])
    run(tmp_path, **notify)
    assert len(taken) == 2


def test_a_notice_that_does_not_get_through_changes_nothing(
    tmp_path: Path, hook: tuple[str, list[bytes]]
) -> None:
    """A notice that cannot be delivered does not change the exit code; the message does not show the address."""
    address, _ = hook
    write_runbook(tmp_path, ["1/0"])
    elsewhere = address.replace("127.0.0.1", "example.test")
    done = run(tmp_path, code=1, ECR_WIDGETS_NOTIFY_COMMAND="false", ECR_WIDGETS_NOTIFY_URL=elsewhere)
    assert "'false' ended with exit code 1" in done.stderr
    assert "must begin with https://" in done.stderr
    assert "T0KEN" not in done.stderr
