"""The documents as the tests read them: pages, their blocks of code, and the commands in these."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_COMMAND_ENDS = frozenset("|;&<>()")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str
    not_run: str
    """Why no test runs it, from the comment above it; empty where one does."""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    return [
        Block(page, found["language"], found["text"], found["why"] or "")
        for found in _BLOCK.finditer(page.read_text())
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each simple command of a shell block, also of those inside `$(…)`."""
    text = block.text.replace("\\\n", " ")
    for line in [*text.splitlines(), *re.findall(r"\$\(([^)]*)\)", text)]:
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="".join(_COMMAND_ENDS))
        lexer.whitespace_split = True
        for word in lexer:
            if word and _COMMAND_ENDS.issuperset(word):
                yield words
                words = []
            else:
                words.append(word)
        yield words


def inline(page: Path) -> list[str]:
    """What stands between backticks in the text of a page, outside its blocks."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page.read_text()))


def reader_folder(folder: Path) -> None:
    """What the pages assume that a reader has: an application with its Dockerfile and Dockerrun."""
    shipped = ROOT / "notebooks" / "wait"
    app = folder / "app"
    app.mkdir()
    shutil.copyfile(shipped / "Dockerfile.wait", app / "Dockerfile")
    (app / "Dockerrun.aws.json").write_text(
        (shipped / "timeout.dockerrun.aws.json").read_text().replace('"timeout"', '"app"')
    )
