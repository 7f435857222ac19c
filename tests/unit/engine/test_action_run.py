"""Actions in a panel as saved runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.engine.action_run import ActionRuns, notebook_of
from ecr_widgets.engine.results import open_run
from ecr_widgets.errors import InputError, OutcomeUnknown, RunError, StepCancelled
from ecr_widgets.model.script import Script
from ecr_widgets.recording import notebook
from ecr_widgets.recording.notebook import Places
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.reading import read_file

SECRET = "swordfish-of-the-sea"
TAG = Script("panel-tag", "Give a tag", 'tag: str = ""  # it', ("kit.tag_image(tag)",), {"tag": "stable"})


class Kit:
    """A kit whose only step records its input and does what the test says."""

    def __init__(self, recorder: Recorder, act: Any) -> None:
        self._recorder, self._act = recorder, act

    def tag_image(self, tag: str) -> None:
        self._recorder.perform("tag_image", {"tag": tag}, self._act)


@pytest.fixture(autouse=True)
def _no_front_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "update_display", lambda *_, **__: None)


@pytest.fixture
def actions(tmp_path: Path) -> ActionRuns:
    known = SecretRegistry()
    known.register(SECRET)
    return ActionRuns(tmp_path / "runs", {}, known)


def do(
    actions: ActionRuns,
    act: Any = lambda _: None,
    *,
    reason: str = "",
    before: Callable[[Path], object] = lambda _: None,
) -> Path:
    """Run the script as a panel does."""
    places = Places(["place-1", "place-2"])
    with actions.begin(TAG, reason) as run:
        places.line = run
        before(run.path)
        kit = Kit(Recorder(run.run_id, SystemClock(), places), act)
        with run.cell(0):
            exec(TAG.cells[0], {"kit": kit, **TAG.values})
    assert run.unsealed == ""
    return run.path


def saved(actions: ActionRuns, error: Exception) -> Path:
    """The saved run of an action that ends with an error."""

    def act(_: object) -> None:
        raise error

    with pytest.raises(type(error)):
        do(actions, act)
    (path,) = actions._runs.glob("*.ipynb")
    return path


def test_an_action_is_a_run_like_any_other(actions: ActionRuns) -> None:
    """An action is saved as a run with its name, cells, values and sealed file, and its reason as the operation note."""
    path = do(actions, reason="OPS-1: as agreed")
    run = open_run(path)
    assert path.name == f"{run.header.run_id}-panel-tag.ipynb"
    assert (run.header.runbook, run.header.parameters) == ("panel-tag", {"tag": "stable"})
    assert run.header.actor
    assert [(each.step, each.state.value, each.sequence) for each in run.records] == [
        ("tag_image", "succeeded", 1)
    ]
    cells = json.loads(run.content)["cells"]
    assert "kit.tag_image(tag)" in [cell["source"] for cell in cells]
    assert cells[-1]["source"] == "## Operation note\n\nOPS-1: as agreed"
    assert run.header.run_id in (path.parent / "seals.jsonl").read_text()


def test_the_intent_is_on_disk_before_the_step_acts(actions: ActionRuns) -> None:
    """While a step runs, its file shows a running run with the intended step."""
    seen = []

    def act(_: object) -> None:
        (path,) = actions._runs.glob("*.ipynb")
        seen.append((judge(read_file(path)).verdict, open_run(path).records[0].state.value))

    do(actions, act)
    assert seen == [(Verdict.RUNNING, "intended")]


def test_a_step_is_not_begun_that_cannot_be_saved(actions: ActionRuns) -> None:
    """If the run cannot be saved, the step is not started and the error says so."""
    done: list[object] = []
    with pytest.raises(RunError, match="cannot be saved"):
        do(actions, done.append, before=replace_by_folder)
    assert done == []


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (InputError("no such tag"), "failed", "InputError: no such tag"),
        (OutcomeUnknown("the reply was lost"), "unknown", "OutcomeUnknown: the reply was lost"),
        (ZeroDivisionError(f"by {SECRET}"), "failed", "ZeroDivisionError: by ***"),
    ],
)
def test_how_an_action_ended_badly_is_saved(
    actions: ActionRuns, error: Exception, state: str, reason: str
) -> None:
    """A failed or unknown outcome is saved with its reason, without secrets, and sealed."""
    path = saved(actions, error)
    run = open_run(path)
    assert (run.header.state.value, run.header.reason) == (state, reason)
    assert SECRET not in path.read_text()
    assert (path.parent / "seals.jsonl").exists()


def test_an_action_that_was_cancelled_between_two_steps_is_interrupted(actions: ActionRuns) -> None:
    """An action that was cancelled between steps is saved as interrupted."""
    with pytest.raises(StepCancelled), actions.begin(TAG, "") as run, run.cell(0):
        raise StepCancelled("later was cancelled")
    assert open_run(run.path).header.state.value == "interrupted"


def test_a_reason_that_looks_like_a_secret_is_refused(
    actions: ActionRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason that contains a secret is refused; nothing is written, and no process gets it as an argument."""
    with pytest.raises(InputError, match="reason"), actions.begin(TAG, SECRET):
        pytest.fail("begun")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(InputError, match="reason"):
        actions.plan(TAG, SECRET)
    assert not actions._runs.exists()


def test_what_needs_an_approval_is_not_begun(tmp_path: Path) -> None:
    """An action that needs an approval says what asks for it and does not start without one."""
    actions = ActionRuns(tmp_path / "runs", {"ECR_WIDGETS_APPROVAL": "prod"}, SecretRegistry())
    script = Script("panel-x", "X", 'environment: str = ""  # it', ("kit.x()",), {"environment": "prod"})
    assert actions.asked_by(script) == "environment prod"
    assert actions.asked_by(script.using(environment="other")) is None
    with pytest.raises(InputError, match="requires an approval"), actions.begin(script, "why"):
        pytest.fail("begun")
    assert not (tmp_path / "runs").exists()


def test_a_script_is_the_same_runbook_whatever_its_values() -> None:
    """A script's notebook is the same for all values, so that runs of one action have the same runbook digest."""
    assert notebook_of(TAG) == notebook_of(TAG.using(tag="other"))
