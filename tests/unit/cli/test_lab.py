"""`ecr-widgets lab`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import lab, main
from ecr_widgets.desk import page


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands that this process would have been replaced by."""
    words: list[Sequence[str]] = []
    monkeypatch.setattr(lab.os, "execv", lambda _, given: words.append(given))
    monkeypatch.setattr(page, "examine", lambda: ())
    monkeypatch.setattr(page, "deploy_targets", lambda _: ())
    for name in ("ECR_WIDGETS_RUNS", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, "set, so that it is put back")
        monkeypatch.delenv(name)
    return words


def test_jupyterlab_opens_on_the_start_page_of_a_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Sequence[str]]
) -> None:
    """JupyterLab opens START.ipynb in `desk` of the current folder, saves runs there, shows no news and gets further options."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["lab", "--no-browser", "--port=1"])
    assert done.exit_code == 0, done.output
    (words,) = started
    desk = tmp_path / "desk"
    assert words[:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    assert {
        f"--ServerApp.root_dir={desk}", "--LabApp.default_url=/lab/tree/START.ipynb", "--no-browser", "--port=1",
    } <= {*words}  # fmt: skip
    assert os.environ["ECR_WIDGETS_RUNS"] == str(desk / "runs")
    assert "no runs yet" in (desk / "START.ipynb").read_text()
    settings = Path(os.environ["JUPYTER_CONFIG_PATH"]) / "labconfig" / "default_setting_overrides.json"
    assert '"fetchNews": "false"' in settings.read_text()


def test_runs_that_are_saved_elsewhere_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Sequence[str]]
) -> None:
    """If ECR_WIDGETS_RUNS is set, it is kept."""
    monkeypatch.setenv("ECR_WIDGETS_RUNS", str(tmp_path / "ours"))
    assert CliRunner().invoke(main, ["lab", str(tmp_path / "mine"), "--port=1"]).exit_code == 0
    assert os.environ["ECR_WIDGETS_RUNS"] == str(tmp_path / "ours")
    assert "--port=1" in started[0]
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in started[0]


def test_without_jupyterlab_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without JupyterLab, the exit code is 2, the error names the extra, and no desk is created."""
    monkeypatch.setattr(lab, "find_spec", lambda _: None)
    done = CliRunner().invoke(main, ["lab", str(tmp_path / "desk")])
    assert (done.exit_code, "ecr-widgets[lab]" in done.stderr) == (2, True)
    assert not (tmp_path / "desk").exists()


def test_a_home_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Sequence[str]]
) -> None:
    """Where Jupyter cannot keep its files, as in a container with the home `/`, nothing starts and no desk is created."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.devnull)
    done = CliRunner().invoke(main, ["lab", str(tmp_path / "desk")])
    assert done.exit_code == 2
    assert done.stderr == (
        "ecr-widgets: JupyterLab cannot keep its files in '/dev/null/.jupyter': Not a directory;"
        " set HOME to a folder that you can write\n"
    )
    assert started == []
    assert not (tmp_path / "desk").exists()
