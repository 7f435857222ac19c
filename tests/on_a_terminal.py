"""Programs on a pseudo terminal, and what stands on its screen when they have ended."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_LINES = 200
_PARTS = re.compile(r"(\x1b\[[?\d;]*[A-Za-z]|[\x00-\x1f]|)([^\x00-\x1f]*)")
_COLOUR_OR_CURSOR = re.compile(r"\x1b\[(?:[\d;]*m|\?25[lh])")


class Shown(NamedTuple):
    """What a terminal got."""

    raw: str
    """All of it, control characters included."""
    screen: list[str]
    """The lines that are on the screen at the end, without the empty ones after the last."""
    exit_code: int


def on_a_terminal(
    words: Sequence[str], *, columns: int = 100, environ: Mapping[str, str] = {}, stdout: bool = False
) -> Shown:
    """Run Python with these words; its stderr, and stdout where that is asked for, is a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs if stdout else subprocess.DEVNULL,
        stderr=theirs,
        env={**inherited, "TERM": "xterm-256color", **environ},
    )
    os.close(theirs)
    raw = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not more:
            break
        raw += more
    os.close(ours)
    written = raw.decode()
    return Shown(written, screen_of(written, columns), process.wait())


def screen_of(written: str, columns: int) -> list[str]:
    """What a terminal of that width shows of it, without the empty lines after the last.

    It knows what our bars write, and fails on anything else rather than to guess.
    """
    lines, row, column = [""], 0, 0
    for control, text in _PARTS.findall(written):
        move = re.fullmatch(r"\x1b\[(\d*)([A-Za-z])", control)
        if move and move[2] == "A":
            row = max(0, row - int(move[1] or 1))
        elif move and move[2] == "K":
            assert move[1] == "2", control
            lines[row] = ""
        elif control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        else:
            assert control == "" or _COLOUR_OR_CURSOR.fullmatch(control), repr(control)
        for letter in text:
            if column == columns:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            line = lines[row].ljust(column)
            lines[row], column = line[:column] + letter + line[column + 1 :], column + 1
        lines += [""] * (row + 1 - len(lines))
    return "\n".join(line.rstrip() for line in lines).rstrip().split("\n")
