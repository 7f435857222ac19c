"""`ecr-widgets runbooks` and the help of groups."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main, runbooks
from ecr_widgets.runbooks import list_runbooks
from tests.on_a_terminal import on_a_terminal


@pytest.mark.parametrize(("terminal", "longest"), [(True, 60), (False, None)])
def test_texts_are_wrapped_for_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    terminal: bool,
    longest: int | None,
) -> None:
    """A runbook's description is wrapped to a terminal's width; in a pipe each parameter is one line."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "60")
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
    """The help of a command group shows each command's summary in full."""
    shown = CliRunner().invoke(main, [group, "--help"]).output
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_help_on_a_runbook_breaks_between_words(columns: int) -> None:
    """A runbook's help is wrapped to any terminal width, with each parameter's default and the options of `run`."""
    words = ["-c", "from ecr_widgets.cli import main; main(['run', 'release', '--help'])"]
    lines = on_a_terminal(words, columns=columns, stdout=True).screen
    flat = " ".join(" ".join(lines).split())
    book = next(each for each in list_runbooks() if each.name == "release")
    assert all(f"{each.comment} [{each.type} = " in flat for each in book.parameters)
    assert "--resume RUN_ID" in flat
    assert max(map(len, lines)) <= columns


def test_the_list_has_a_line_for_each_runbook() -> None:
    """`runbooks` prints one line per runbook; --parameters and `show` add the parameters."""
    invoke = CliRunner().invoke
    books = list_runbooks()
    header, *lines = invoke(main, ["runbooks"]).output.splitlines()
    assert header.split() == ["RUNBOOK", "DOES", "PARAMETERS"]
    assert [line.split()[0] for line in lines] == [book.name for book in books]
    assert all(book.title in line for book, line in zip(books, lines, strict=True))
    whole = invoke(main, ["runbooks", "--parameters"]).output
    shown = invoke(main, ["runbooks", "show", "scale"]).output
    assert "count: int" in whole
    assert "count: int" in shown
    assert "repository" not in shown


def test_commands_are_in_groups_with_examples() -> None:
    """The main help lists each command once, in groups, and its examples name existing commands."""
    shown = CliRunner().invoke(main, ["--help"]).output
    titles = ("Day to day:", "Layer0 / ECS:", "Evidence:", "Set up:", "Examples:")
    places = [shown.index(f"\n{title}") for title in titles]
    assert places == sorted(places)
    names = main.list_commands(click.Context(main))
    assert all(shown.count(f"\n  {name} ") == 1 for name in names)
    modules = {path.stem for path in Path(runbooks.__file__).parent.glob("*.py")}
    assert set(names) <= modules
    for line in re.findall(r"^  ecr-widgets (\w+)", shown, re.MULTILINE):
        assert line in names


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["rn"], "'run'"),
        (["service", "lst"], "'list'"),
        (["run", "relase"], "'release'"),
        (["audit", "sow"], "'show'"),
    ],
)
def test_a_mistyped_name_is_answered_by_the_nearest(words: list[str], near: str) -> None:
    """A mistyped command, subcommand or runbook exits with code 2 and suggests the nearest name."""
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert f"did you mean {near}" in done.stderr
