"""The form of a runbook has the same rules as the command line and starts the same runs."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest

from ecr_widgets import runbook_form
from ecr_widgets.errors import InputError
from ecr_widgets.runbook_form import RunbookForm, about, open_form
from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook

PARAMETERS = """from typing import Literal

tag: str = "1.10"  # tag to push under
count: int = 1  # copies, 0 or more
mode: Literal["stop", "rollback"] = "stop"  # what then
flag: bool = False  # whether
env_vars: dict[str, dict[str, str]] = {}  # by container
"""


@pytest.fixture
def form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunbookForm:
    """A form that is not drawn anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunbookForm, "_redraw", lambda _: None)
    monkeypatch.setattr(runbook_form, "subprocess", SimpleNamespace(Popen=forked.start))
    source = "print([tag, count, mode, flag, env_vars])"
    return open_form(write_runbook(tmp_path, [source], parameters=PARAMETERS), runs=tmp_path / "runs")


def fields(controls: Any) -> dict[str, tuple[Any, ipywidgets.HTML]]:
    """Return each parameter's widget and the text beside it."""
    *lines, _ = (each for each in controls.children if isinstance(each, ipywidgets.Box))
    return {line.children[0].description: (line.children[0], line.children[1]) for line in lines}


def buttons_of(controls: Any) -> list[ipywidgets.Button]:
    """Plan and run."""
    return list(controls.children[-1].children[0].children[:2])


def test_each_value_is_checked_while_it_is_typed(form: RunbookForm) -> None:
    """Each value is checked while it is typed: the reason is shown beside it, and the buttons are off until all are good."""
    controls = form.controls()
    buttons = buttons_of(controls)
    found = fields(controls)
    assert [*found] == ["tag", "count", "mode", "flag", "env_vars", "reason"]
    assert [*found["mode"][0].options] == ["stop", "rollback"]
    assert not any(each.disabled for each in buttons)
    for name, typed, why in (
        ("count", "-1", "-1 is not 0 or more"),
        ("count", "1_0", "not of type int"),
        ("env_vars", '{"web": {"DB_PASSWORD": "hunter22hunter22"}}', "looks like a password"),
        ("reason", "AKIA" + "IOSFODNN7EXAMPLE", "refused"),
    ):
        widget, label = found[name]
        good, widget.value = widget.value, typed
        assert why in label.value
        assert "hunter22" not in label.value + form.to_html()
        assert all(each.disabled for each in buttons)
        widget.value = good
        assert "✗" not in label.value
    assert not any(each.disabled for each in buttons)


def test_a_run_by_form_is_one_like_any_other(form: RunbookForm, tmp_path: Path) -> None:
    """A run started by the form gets the typed values and its own notebook; so does a plan, and a bad value is refused."""
    found = fields(form.controls())
    found["tag"][0].value, found["count"][0].value = "7e12345", "3"
    found["mode"][0].value, found["flag"][0].value = "rollback", True
    told = form.run()
    assert told["state"] == "succeeded"
    saved = json.loads(Path(told["notebook"]).read_text())
    assert saved["cells"][-1]["outputs"][0]["text"] == "['7e12345', 3, 'rollback', True, {}]\n"
    assert form.saved == Path(told["notebook"])
    assert form.run(plan=True)["notebook"].endswith(".plan.ipynb")
    form.texts["count"] = "many"
    with pytest.raises(InputError, match="'count' refused"):
        form.run()


def test_a_secret_that_was_typed_is_on_no_command_line(
    form: RunbookForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in a value or reason is refused before a run is started from code."""
    monkeypatch.setattr(runbook_form.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    form.reason = "AKIA" + "IOSFODNN7EXAMPLE"
    with pytest.raises(InputError, match="reason"):
        form.run()
    form.reason, form.texts["tag"] = "", "AKIA" + "IOSFODNN7EXAMPLE"
    with pytest.raises(InputError, match="tag"):
        form.run()


def test_the_reason_and_the_command_are_those_of_the_run(form: RunbookForm) -> None:
    """The reason becomes the run's operation note, and the shown command line does the same in a terminal."""
    controls = form.controls()
    found = fields(controls)
    found["tag"][0].value, found["reason"][0].value = "2 0", "OPS-9"
    shown = controls.children[-1].children[1].value
    command = unescape(re.search('text="([^"]*)"', shown)[1])
    assert unescape(re.search("<code[^>]*>([^<]*)</code>", shown)[1]) == command
    assert command.endswith("--reason OPS-9 -p tag '2 0'")
    assert "## Operation note\n\nOPS-9" in {
        cell["source"] for cell in json.loads(Path(form.run()["notebook"]).read_text())["cells"]
    }


def test_what_a_parameter_is_about_decides_its_group() -> None:
    """Each parameter is in one of the groups What, Where and How."""
    assert [about(name) for name in ("tag", "environment", "on_failure")] == ["What", "Where", "How"]


def test_a_run_that_is_cancelled_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled run is saved as interrupted."""
    monkeypatch.setattr(RunbookForm, "_redraw", lambda _: None)
    made = open_form(write_runbook(tmp_path, ["import time\ntime.sleep(300)"]), runs=tmp_path / "runs")

    def cancel_once_saved() -> None:
        while made.saved is None:
            time.sleep(0.05)
        made.cancel()

    Thread(target=cancel_once_saved, daemon=True).start()
    assert made.run()["state"] == "interrupted"


def test_its_picture_needs_no_kernel_and_no_trust(form: RunbookForm) -> None:
    """The form's HTML shows typed values as text and the parameters' comments."""
    form.texts["tag"] = "<script>alert(1)</script>"
    assert "<script" not in form.to_html()
    assert "copies, 0 or more" in form.to_html()
