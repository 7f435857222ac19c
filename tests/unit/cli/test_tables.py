"""Tables on a terminal and in a pipe."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.on_a_terminal import on_a_terminal

SCRIPT = textwrap.dedent(
    """
    import sys
    from ecr_widgets.cli.tables import Column, print_table

    rows = [("team/api", "a" * 40 + "\\x1b[31m", 7), ("team/web-with-a-long-name", "short", 1234567)]
    name = Column("NAME", lambda row: row[0], least=8, colour=lambda row: "green")
    print_table(
        rows,
        (name, Column("TEXT", lambda row: row[1]), Column("BYTES", lambda row: row[2])),
        (
            name,
            Column("TEXT", lambda row: row[1], least=5, optional=True),
            Column("SIZE", lambda row: f"{row[2]} B", is_number=True),
        ),
        wide="--wide" in sys.argv,
    )
    """
)


def piped(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_pipe_gets_whole_values_in_plain_columns() -> None:
    """A pipe gets whole values without colour, aligned with their headers, and control characters escaped."""
    header, *lines = piped()
    assert [lines[1].index(each) for each in ("team", "short", "1234567")] == [
        header.index(each) for each in ("NAME", "TEXT", "BYTES")
    ]
    assert "a" * 40 + r"\u001b[31m" in lines[0]
    assert piped("--wide") == [header, *lines]


@pytest.mark.parametrize("columns", [20, 60, 80, 100, 200])
def test_a_line_fits_the_terminal(columns: int) -> None:
    """A table fits any terminal: long values are cut with an ellipsis, and in a narrow one the optional column is dropped."""
    shown = on_a_terminal(["-c", SCRIPT], columns=columns, stdout=True)
    assert shown.exit_code == 0
    assert len(shown.screen) == 3
    assert all(line.endswith(("B", "SIZE")) for line in shown.screen)
    assert ("TEXT" in shown.screen[0]) == (columns > 20)
    assert ("…" in "".join(shown.screen)) == (columns < 100)
    assert "\x1b[32m" in shown.raw
    assert "\x1b[31m" not in shown.raw


def test_wide_shows_whole_values_on_a_terminal_too() -> None:
    """With --wide a terminal shows the same table as a pipe."""
    shown = on_a_terminal(["-c", SCRIPT, "--wide"], columns=200, stdout=True)
    assert shown.screen == piped()


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_left_out_where_nobody_wants_them(environ: dict[str, str]) -> None:
    """With NO_COLOR or TERM=dumb a table has no control characters."""
    assert "\x1b" not in on_a_terminal(["-c", SCRIPT], stdout=True, environ=environ).raw


def test_letters_of_two_columns_count_as_two() -> None:
    """Double-width characters count as two columns, so that the table stays aligned."""
    script = SCRIPT.replace('"short"', '"値値"')
    lines = on_a_terminal(["-c", script], columns=80, stdout=True).screen
    assert len(lines[2]) == len(lines[0]) - 2


def test_a_table_without_rows_says_so() -> None:
    """A table without rows is `none` on a terminal and only its header in a pipe."""
    script = SCRIPT.replace("    rows,", "    [],")
    assert on_a_terminal(["-c", script], columns=80, stdout=True).screen == ["none"]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["NAME", "TEXT", "BYTES"]
