"""`ecr-widgets runbooks` and the help of groups."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main, runbooks
from ecr_widgets.runbooks import list_runbooks


@pytest.mark.parametrize(("terminal", "longest"), [(True, 60), (False, None)])
def test_texts_are_wrapped_for_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    terminal: bool,
    longest: int | None,
) -> None:
    """Between words and no wider than it is; in a pipe each parameter stays one line."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr(runbooks.shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    book = next(each for each in list_runbooks() if each.name == "release")
    runbooks.tell_runbook(book, values="each by -p")
    lines = capsys.readouterr().out.splitlines()
    if longest is None:
        assert all(any(p.name in line and p.comment in line for line in lines) for p in book.parameters)
    else:
        assert max(map(len, lines)) <= longest
        assert " ".join(" ".join(lines).split()).count(" ".join(book.purpose.split())) == 1


@pytest.mark.parametrize("group", ["environment", "loadbalancer", "service", "task"])
def test_a_group_lists_its_commands_with_whole_sentences(group: str) -> None:
    """None of them is cut short."""
    shown = CliRunner().invoke(main, [group, "--help"]).output
    assert "..." not in shown.partition("Commands:")[2]
