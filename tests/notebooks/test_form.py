"""The form of a runbook: the same rules and the same runs as the command line's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.runbook_form import RunbookForm, open_form
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
    """A form whose picture is drawn nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunbookForm, "_redraw", lambda _: None)
    source = "print([tag, count, mode, flag, env_vars])"
    return open_form(write_runbook(tmp_path, [source], parameters=PARAMETERS), runs=tmp_path / "runs")


def fields(controls: Any) -> dict[str, tuple[Any, ipywidgets.Label]]:
    """Each parameter's widget, and the label below it."""
    *boxes, _ = controls.children
    return {box.children[0].description: (box.children[0], box.children[1]) for box in boxes}


def test_each_value_is_checked_while_it_is_typed(form: RunbookForm) -> None:
    """By the cell's own rules: the reason is told below the field, and nothing can be pressed until all are good."""
    controls = form.controls()
    buttons = controls.children[-1].children
    found = fields(controls)
    assert [*found] == ["tag", "count", "mode", "flag", "env_vars"]
    assert [*found["mode"][0].options] == ["stop", "rollback"]
    assert not any(each.disabled for each in buttons)
    for name, typed, why in (
        ("count", "-1", "-1 is not 0 or more"),
        ("count", "1_0", "not of type int"),
        ("env_vars", '{"web": {"DB_PASSWORD": "hunter22hunter22"}}', "looks like a password"),
    ):
        widget, label = found[name]
        good, widget.value = widget.value, typed
        assert why in label.value
        assert "hunter22" not in label.value + form.to_html()
        assert all(each.disabled for each in buttons)
        widget.value = good
        assert label.value == ""
    assert not any(each.disabled for each in buttons)


def test_a_run_by_form_is_one_like_any_other(form: RunbookForm, tmp_path: Path) -> None:
    """With the values as typed, saved in its own notebook; a plan is one too, and a bad value is refused."""
    found = fields(form.controls())
    found["tag"][0].value, found["count"][0].value = "7e12345", "3"
    found["mode"][0].value, found["flag"][0].value = "rollback", True
    told = form.run()
    assert told["state"] == "succeeded"
    saved = json.loads(Path(told["notebook"]).read_text())
    assert saved["cells"][-1]["outputs"][0]["text"] == "['7e12345', 3, 'rollback', True, {}]\n"
    assert form.run(plan=True)["notebook"].endswith(".plan.ipynb")
    form.texts["count"] = "many"
    with pytest.raises(InputError, match="'count' refused"):
        form.run()


def test_its_picture_needs_no_kernel_and_no_trust(form: RunbookForm) -> None:
    """What was typed is shown as text, whatever it holds."""
    form.texts["tag"] = "<script>alert(1)</script>"
    assert "<script" not in form.to_html()
    assert "copies, 0 or more" in form.to_html()
