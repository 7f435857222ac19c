"""What the pages show is run: their blocks of shell and Python, one after the other, as a reader would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ecr_widgets.sandbox import Sandbox
from tests.documents import PAGES, blocks, reader_folder
from tests.faults import forked
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


CLIENT = """#!{python} -ISE
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect({place!r})
socket.send_fds(line, [json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()], range(3))
sys.exit(int(line.recv(8)))
"""
"""What `ecr-widgets` is for the reader: it has the command forked, which is a fifth of its start."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for PATH with `ecr-widgets` in it, forked with the caller's words, folder, environment and streams."""
    folder = tmp_path_factory.mktemp("bin")
    place = str(folder / "line")
    program = folder / "ecr-widgets"
    program.write_text(CLIENT.format(python=sys.executable, place=place))
    program.chmod(0o755)

    def answer(line: socket.socket) -> None:
        with line:
            request, handles, _, _ = socket.recv_fds(line, 1 << 17, 3)
            words, cwd, environ = json.loads(request)
            streams = dict(zip(("stdin", "stdout", "stderr"), handles, strict=True))
            # By its path: this folder is the first on the caller's PATH, and it would ask for itself without end.
            process = forked.start([BIN / "ecr-widgets", *words], cwd=cwd, env=environ, **streams)
            for handle in handles:
                os.close(handle)
            line.send(str(process.wait()).encode())

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],)).start()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(place)
        listener.listen()
        serving = threading.Thread(target=serve)
        serving.start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


@pytest.fixture(scope="module")
def reader(
    sandbox: Sandbox, command: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A folder with an application and the run that pushed its image, and the environment of who works there."""
    folder = tmp_path_factory.mktemp("reader")
    reader_folder(folder)
    environ = sandbox.environ(
        {
            "PATH": f"{command}:{BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "DATABASE_PASSWORD": "correct-horse-battery-staple",
        }
    )
    image = "-p repository myteam/myproject -p tag 2026.11 -p local_name myteam/myproject"
    push = f"ecr-widgets run push -p context app -p dockerfile Dockerfile {image}"
    as_reader(folder, environ, [("sh", push)])
    return folder, environ


def as_reader(folder: Path, environ: dict[str, str], parts: list[tuple[str, str]]) -> None:
    done = forked.run(
        [sys.executable, "-c", READER],
        given=json.dumps(parts),
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, reader: tuple[Path, dict[str, str]]) -> None:
    """Each block that is not marked as not run ends well, in the order of the page."""
    parts = [(each.language, each.text) for each in blocks(page) if each.language and not each.not_run]
    as_reader(*reader, parts)
