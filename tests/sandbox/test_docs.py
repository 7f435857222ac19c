"""What the pages show is run: their blocks of shell and Python, one after the other, as a reader would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets.sandbox import Sandbox
from tests.documents import PAGES, blocks, reader_folder
from tests.sandbox.conftest import BIN

RUN = [page for page in PAGES if any(block.language and not block.not_run for block in blocks(page))]

READER = """
import json, subprocess, sys
names = {}
for language, text in json.load(sys.stdin):
    print("run:", text, sep="\\n", flush=True)
    if language == "python":
        exec(compile(text, "a page", "exec"), names)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True)
"""
"""One process for a page, since a notebook's names live on from cell to cell."""


@pytest.fixture(scope="module")
def reader(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with an application and the run that pushed its image, and the environment of who works there."""
    folder = tmp_path_factory.mktemp("reader")
    reader_folder(folder)
    environ = sandbox.environ(
        {
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "DATABASE_PASSWORD": "correct-horse-battery-staple",
        }
    )
    image = "-p repository myteam/myproject -p tag 2026.11 -p local_name myteam/myproject"
    push = f"ecr-widgets run push -p context app -p dockerfile Dockerfile {image}"
    as_reader(folder, environ, [("sh", push)])
    return folder, environ


def as_reader(folder: Path, environ: dict[str, str], parts: list[tuple[str, str]]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps(parts),
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, reader: tuple[Path, dict[str, str]]) -> None:
    """Each block that is not marked as not run ends well, in the order of the page."""
    parts = [(each.language, each.text) for each in blocks(page) if each.language and not each.not_run]
    as_reader(*reader, parts)
