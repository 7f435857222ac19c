"""Errors on a terminal and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.cli.wrapping import wrapped
from tests.on_a_terminal import on_a_terminal

_COMMAND = ["-c", "from ecr_widgets.cli import main; main()"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_an_error_is_broken_between_words(columns: int, tmp_path: Path) -> None:
    """On a terminal, an error is wrapped between words to the width, and a command in backticks stays on one line."""
    shown = on_a_terminal(
        [*_COMMAND, "service", "list"],
        columns=columns,
        environ={"LAYER0_API_ENDPOINT": "", "LAYER0_AUTH_TOKEN": "", "HOME": str(tmp_path)},
    )
    assert shown.exit_code == 2
    lines = shown.raw.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= columns
    said = "LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are not set; take both from"
    assert " ".join(" ".join(lines).split()).startswith(f"ecr-widgets: {said} `l0-setup endpoint`")
    assert any("`l0-setup endpoint`" in line for line in lines)


def test_elsewhere_an_error_is_one_line(tmp_path: Path) -> None:
    """An error written to a file stays on one line."""
    with (tmp_path / "log").open("w") as file:
        assert wrapped("word " * 100, file) == "word " * 100
