"""Part B on disk: folders that cannot be written, seals that are cut off, slots that are started twice, other hosts."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.locks import FileLocks, Holder
from ecr_widgets.audit.chain import links_of
from ecr_widgets.audit.findings import Finding
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.sealing import seal_missing, seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.errors import TargetBusy
from ecr_widgets.kit import Kit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.settings import Layer0Settings
from tests.audit.runs import generate
from tests.fakes import World
from tests.fakes.connections import FakeConnections
from tests.faults import forked
from tests.faults.books import BIN, RECORDER, Ran, ours, write_book
from tests.faults.plan import Attempt, CannotRunHere, row
from tests.sandbox.layer0.served import serve
from tests.sandbox.workloads.fake_containers import FakeContainers

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@contextmanager
def _disk(at: Attempt, options: str) -> Iterator[Path]:
    folder = at.folder / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        raise CannotRunHere("a file system of its own needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


AT_THE_END = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read("book.ipynb", 4)
try: NotebookClient(book).execute()
finally: nbformat.write(book, sys.argv[1])
"""


def _saved_at_the_end(folder: Path, *sources: str) -> Ran:
    """What tools do that run a whole notebook and then save it."""
    write_book(folder, sources)
    out = folder / "out.ipynb"
    done = forked.run(
        [sys.executable, "-c", AT_THE_END, out], cwd=folder, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr, out)


def _unwritable(at: Attempt, run: Callable[..., Ran]) -> None:
    kind = ("read-only from the start", "read-only in mid-run", "no file more")[at.seed % 3]
    if run is not ours:
        kind = "read-only in mid-run"
    mark = at.folder / "changed"
    act = (
        f"from pathlib import Path\ndef act(_): Path({str(mark)!r}).touch()\n"
        "recorder.perform('create_deploy', {}, act)"
        if run is ours
        else f"open({str(mark)!r}, 'w').close()"
    )
    spoil = {
        "read-only from the start": "pass",
        "read-only in mid-run": "import subprocess; subprocess.run(['mount', '-o', 'remount,ro', '.'], check=True)",
        "no file more": "import itertools\ntry:\n    for n in itertools.count(): open(f'filler{n}', 'x').close()\n"
        "except OSError: pass",
    }[kind]
    with _disk(at, "size=8m,nr_inodes=64") as disk:
        if kind == "read-only from the start":
            write_book(disk, ["pass"])
            book = at.folder / "book.ipynb"
            book.write_bytes((disk / "book.ipynb").read_bytes())
            if at.rng.random() < 0.5:
                (disk / "runs").mkdir()
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            done = forked.run(
                [BIN / "ecr-widgets", "run", book, "--runs", disk / "runs"],
                capture_output=True,
                text=True,
                check=False,
            )
            ran = Ran(done.returncode, done.stdout, done.stderr, disk / "out.ipynb")
            assert not re.search("Traceback|unexpected error", ran.stderr), ran.stderr[-300:]
        else:
            ran = run(disk, RECORDER if run is ours else "pass", spoil, act)
        assert not mark.exists(), f"{kind}: something was changed that is not recorded"
        assert ran.exit_code != 0, f"{kind}: called a success"
        assert str(disk) in ran.stderr + ran.stdout, f"{kind}: no path in {ran.stderr[-300:]}"
        if ran.path.exists():
            json.loads(ran.path.read_text())


@row(
    23,
    "a runs folder that is read-only, becomes so in mid-run, or takes no file more (EIO is not tried)",
    tries=40,
    quick=2,
    control=lambda at: _unwritable(at, _saved_at_the_end),
)
def unwritable(at: Attempt) -> None:
    """Nothing is changed that cannot be recorded, and the message names the place."""
    _unwritable(at, ours)


SEALING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
runs, names, at = Path(sys.argv[1]), sys.argv[6:], int(sys.argv[3])
from ecr_widgets.audit import chain, sealing
from ecr_widgets.audit.keys import KeyRing
ring, count = KeyRing(Path(sys.argv[2])), 0

def watched(real, *, torn=False):
    def call(*args):
        global count
        count += 1
        if count == at:
            if torn: real(args[0], bytes(args[1])[: len(args[1]) * int(sys.argv[4]) // 100])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)
    return call

class Watched:
    def __getattr__(self, name):
        real = getattr(os, name)
        if name in ("open", "ftruncate", "lseek", "fsync", "close", "pread"): return watched(real)
        return watched(real, torn=True) if name == "write" else real

chain.os = Watched()
if sys.argv[5] == "many":
    sealing.seal_missing(runs, names, ring=ring, now=datetime.now(UTC))
else:
    sealing.seal_run(runs, names[0], ring=ring, now=datetime.now(UTC))
"""
NAIVE = """
import json, os, sys
from pathlib import Path
line = json.dumps({"seal": {"path": sys.argv[2]}, "signature": ""}).encode() + b"\\n"
with open(Path(sys.argv[1]) / "seals.jsonl", "ab", buffering=0) as file:
    file.write(line[: len(line) // 2])
    os.kill(os.getpid(), 9)
"""


def _cut_off(at: Attempt, script: str) -> None:
    runs, ring = at.folder / "runs", KeyRing(at.folder / "keys")
    # Every second try is of `audit seal`, which writes many seals at once.
    count, how = ((3, "one"), (9, "many"))[at.seed % 2]
    generate(runs, count, seed=at.seed, size_bytes=5000)
    names = sorted(path.name for path in runs.glob("*.ipynb"))
    seal_run(runs, names[0], ring=ring, now=NOW)
    for _ in range(at.rng.randrange(1, 3)):
        where = [str(at.rng.randrange(1, 10)), str(at.rng.randrange(100))]
        words = [sys.executable, "-c", script, str(runs), str(at.folder / "keys"), *where, how, *names[1:]]
        forked.run(words)
        found = verify(runs, names, ring=ring)
        told = {each.path: each.finding for each in found.files}
        # Of a run whose seal was cut off either all is there or nothing; the one before is good in any case.
        assert told[names[0]] is Finding.INTACT, found
        assert set(told.values()) <= {Finding.INTACT, Finding.UNSEALED}, found
        assert not found.chain or "not written to its end" in str(found.chain), found.chain
    seal_missing(runs, names, ring=ring, now=datetime.now(UTC))
    assert seal_missing(runs, names, ring=ring, now=datetime.now(UTC)) == []
    found = verify(runs, names, ring=ring)
    assert found.ok, found
    seals = [link.seal for link in links_of(runs)]
    assert [seal and seal.n for seal in seals] == [*range(1, count + 1)], seals
    assert sorted(seal.path for seal in seals if seal) == names


def _cut_off_naive(at: Attempt) -> None:
    """What a plain line appended to a file leaves: the next one is glued to it."""
    runs = at.folder / "runs"
    runs.mkdir()
    for name in ("a", "b"):
        forked.run([sys.executable, "-c", NAIVE, str(runs), name])
    links = links_of(runs)
    assert all(link.seal is not None for link in links), links


@row(
    26,
    "SIGKILL at any call of the seal of a run, and of eight at once",
    tries=200,
    quick=6,
    control=_cut_off_naive,
)
def cut_off(at: Attempt) -> None:
    """The seal is whole or none, sealing again makes up for it once, and the chain never forks."""
    _cut_off(at, SEALING)


def _twice(at: Attempt, *, slotted: bool) -> None:
    book = write_book(
        at.folder, ["import time; open('count', 'a').write('x'); time.sleep(0.3)"], parameters=""
    )
    # A missed tick is a slot of its own; the hour that a change of the clock repeats has two names in UTC, one locally.
    slots = (["2026-10-25T00:30Z", "2026-10-25T01:30Z"], ["2026-10-25T02:30"], ["03:00"])[at.seed % 3]

    def start(slot: str) -> subprocess.Popen[bytes]:
        words = [BIN / "ecr-widgets", "run", book, "--runs", "runs", *(["--slot", slot] if slotted else [])]
        return forked.start(words, cwd=at.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for slot in slots:
        codes = sorted(each.wait() for each in [start(slot) for _ in range(3 - at.seed % 2)])
        assert codes[0] == 0, codes
        assert set(codes) <= {0, 5}, codes
    assert start(slots[0]).wait() == 0
    assert (at.folder / "count").read_text() == "x" * len(slots), "a slot was run twice, or not at all"
    assert len([*(at.folder / "runs").glob("*.ipynb")]) == len(slots)


@row(
    50,
    "one slot of a schedule started two and three times at once and again later; repeated hours",
    tries=200,
    quick=1,
    control=lambda at: _twice(at, slotted=False),
)
def twice(at: Attempt) -> None:
    """One run for each slot; what comes too late is busy, or is told that it ran."""
    _twice(at, slotted=True)


class Host(FakeConnections):
    """Another host: locks of its own, the same Layer0."""

    def __init__(self, name: str, folder: Path, api: Layer0Api) -> None:
        super().__init__(World())
        self.clock = SystemClock()  # type: ignore[assignment]
        self.layer0 = api  # type: ignore[assignment]
        self.locks = FileLocks(  # type: ignore[assignment]
            folder / name, Holder(f"run-{name}", name, os.getpid()), SystemClock()
        )


def _elsewhere(at: Attempt, *, looks: bool) -> None:
    with serve(FakeContainers()) as served:
        api = Layer0Api(Layer0Settings(served.url, served.token))
        here, there = (
            Kit(to, Recorder(f"run-{name}", to.clock, QuietSink()), files=())
            for name in ("here", "there")
            for to in (Host(name, at.folder, api),)
        )
        ids = [
            api.create_deploy(
                "d",
                json.dumps({"containerDefinitions": [{"name": "a", "image": str(n), "memory": 10}]}).encode(),
            ).deploy_id
            for n in range(3)
        ]
        standing = at.rng.random() < 0.5 or not looks
        if standing:
            there.deploy_service("demo", "web", ids[0])
        if looks:
            here.check_target(environment="demo", service="web")
        there.deploy_service("demo", "web", ids[1])
        try:
            here.deploy_service("demo", "web", ids[2])
        except TargetBusy as error:
            assert "somebody else" in str(error), error
        environment = api.find_environment("demo")
        assert environment is not None
        found = api.find_service(environment.environment_id, "web")
        assert found is not None
        assert found.primary is not None
        assert found.primary.deploy_id == ids[1], f"{found.primary.deploy_id} was put over {ids[1]}"


@row(
    49,
    "another host, whose locks nobody here sees, changes the service in mid-run",
    tries=50,
    quick=3,
    control=lambda at: _elsewhere(at, looks=False),
)
def elsewhere(at: Attempt) -> None:
    """What stands is looked at before the change; the run that is behind changes nothing."""
    _elsewhere(at, looks=True)
