"""Sealing runs that were not sealed, many at a time."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecr_widgets.audit import chain, sealing
from ecr_widgets.audit.chain import links_of
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.sealing import seal_finished_run, seal_missing, seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.errors import RecordError
from ecr_widgets.locks import take
from tests.audit.runs import generate, recorded, save
from tests.people import Two

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _runs(tmp_path: Path, count: int) -> tuple[Path, list[str], KeyRing]:
    generate(tmp_path / "runs", count, size_bytes=2000)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    return tmp_path / "runs", names, KeyRing(tmp_path / "keys")


def _watched(monkeypatch: pytest.MonkeyPatch, **calls: Any) -> None:
    monkeypatch.setattr(chain, "os", SimpleNamespace(**(vars(os) | calls)))


def test_many_seals_wait_for_the_disk_once_in_a_hundred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 runs are sealed in the given order in one chain, with three syncs to disk."""
    runs, names, ring = _runs(tmp_path, 250)
    synchronized = []
    monkeypatch.setattr(chain, "to_disk", lambda handle: synchronized.append(os.fsync(handle)))
    assert seal_missing(runs, names, ring=ring, now=NOW) == names
    assert len(synchronized) == 3
    seals = [link.seal for link in links_of(runs)]
    assert [(each.n, each.path) for each in seals if each] == list(enumerate(names, start=1))
    assert verify(runs, names, ring=ring).ok


@pytest.mark.parametrize("name", ["out", "out.json", ".out.ipynb"])
def test_a_file_that_no_list_shows_is_not_sealed(tmp_path: Path, name: str) -> None:
    """A run whose name lists leave out gets no seal, which `verify` would call one of a missing file; the reason is told."""
    save(tmp_path, "deployed", name)
    assert "does not end in .ipynb" in str(seal_finished_run(tmp_path / name))
    assert links_of(tmp_path) == []


def test_a_file_that_cannot_be_used_is_named_in_words(tmp_path: Path) -> None:
    """If a file of the seal cannot be read or written, the reason names it, without a number of the system."""
    why = seal_finished_run(tmp_path / "gone.ipynb")
    assert why == f"'{tmp_path / 'gone.ipynb'}': No such file or directory"


def test_what_another_process_seals_meanwhile_is_not_sealed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that another process seals in the meantime is not sealed twice, and the chain stays in order."""
    runs, names, ring = _runs(tmp_path, 4)
    seal_run(runs, names[0], ring=ring, now=NOW)
    prepare = sealing._draft

    def slow(folder: Path, name: str, **more: Any) -> Any:
        if name == names[3]:
            for other in (names[1], names[3]):
                monkeypatch.setattr(sealing, "_draft", prepare)
                seal_run(runs, other, ring=ring, now=NOW)
        return prepare(folder, name, **more)

    monkeypatch.setattr(sealing, "_draft", slow)
    assert seal_missing(runs, names, ring=ring, now=NOW) == [names[2]]
    sealed = [link.seal.path for link in links_of(runs) if link.seal]
    assert sealed == [names[0], names[1], names[3], names[2]]
    assert verify(runs, names, ring=ring).ok


@pytest.mark.parametrize("percent", [0, 10, 50, 90, 99])
def test_a_batch_cut_off_anywhere_leaves_whole_seals_and_no_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, percent: int
) -> None:
    """After a full disk cut a batch off anywhere, sealing again continues after the last whole seal."""
    runs, names, ring = _runs(tmp_path, 20)
    seal_run(runs, names[0], ring=ring, now=NOW)

    def torn(handle: int, content: bytes) -> int:
        os.write(handle, content[: len(content) * percent // 100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        _watched(patched, write=torn)
        with pytest.raises(RecordError, match="cannot be written: No space left"):
            seal_missing(runs, names, ring=ring, now=NOW)
    whole = [link.seal for link in links_of(runs) if link.seal]
    assert len(whole) in range(1 + 18 * percent // 100, 3 + 19 * percent // 100)
    found = verify(runs, names, ring=ring)
    assert all("not written to its end" in why for why in found.chain), found.chain
    assert seal_missing(runs, names, ring=ring, now=NOW) == names[len(whole) :]
    assert [link.seal and link.seal.n for link in links_of(runs)] == list(range(1, 21))
    assert verify(runs, names, ring=ring).ok


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """Links, folders, broken, foreign and missing files are skipped, and the run is sealed."""
    runs, names, ring = _runs(tmp_path, 1)
    (runs / "link.ipynb").symlink_to(runs / names[0])
    (runs / "folder.ipynb").mkdir()
    (runs / "broken.ipynb").write_text("{")
    (runs / "foreign.ipynb").write_text('{"cells":[],"metadata":{},"nbformat":4}')
    names = ["broken.ipynb", "folder.ipynb", "foreign.ipynb", "link.ipynb", "none.ipynb", *names]
    assert seal_missing(runs, names, ring=ring, now=NOW) == names[-1:]


def _of_long_actor(runs: Path, name: str) -> str:
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"] |= {"actor": "a" * 2_000_000, "run_id": "20261201T000000Z-aaaaaa"}
    return save(runs, "proven", name, notebook).name


def test_a_run_with_a_bloated_seal_gets_none_and_stops_no_other(tmp_path: Path) -> None:
    """A run whose seal would exceed 1 MB is not sealed, and its neighbours are."""
    runs, names, ring = _runs(tmp_path, 2)
    names.insert(1, _of_long_actor(runs, "long.ipynb"))
    with pytest.raises(RecordError, match="its seal would be larger than 1 MB"):
        seal_run(runs, "long.ipynb", ring=ring, now=NOW)
    assert seal_missing(runs, names, ring=ring, now=NOW) == [names[0], names[2]]


def test_a_long_seal_in_a_chain_costs_no_other_seal_whole_or_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal over today's limit from an earlier release is followed by the next; if it is torn, only it is removed."""
    runs, names, ring = _runs(tmp_path, 3)
    seal_run(runs, names[0], ring=ring, now=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(sealing, "MAX_SEAL_BYTES", 1 << 30)
        seal_run(runs, _of_long_actor(runs, "long.ipynb"), ring=ring, now=NOW)
    whole = chain.chain_file(runs).read_bytes()
    seal_run(runs, names[1], ring=ring, now=NOW)
    assert [link.seal and link.seal.n for link in links_of(runs)] == [1, 2, 3]
    chain.chain_file(runs).write_bytes(whole[:-500_000])
    seal_run(runs, names[2], ring=ring, now=NOW)
    assert [link.seal and link.seal.path for link in links_of(runs)] == [names[0], names[2]]


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("20261101T000000Z-aaaaaa-release.ipynb", "20261101T000000Z-aaaaaa-release-Copy1.ipynb"),
        ("20261101T000000Z-aaaaaa-release.ipynb", "20261101T000000Z-aaaaaa-release (copy).ipynb"),
        ("20261101T000000Z-aaaaaa-release.ipynb", "copy.ipynb"),
        ("z.ipynb", "old/z.ipynb"),
        ("out.ipynb", "another-name.ipynb"),
    ],
)
def test_which_file_of_a_run_is_sealed_does_not_depend_on_the_order(
    tmp_path: Path, original: str, copy: str
) -> None:
    """The original of a run is sealed and the copy is not, in whatever order the files are listed."""
    for name in (original, copy):
        save((tmp_path / name).parent, "proven", Path(name).name)
    for at, names in enumerate(((original, copy), (copy, original))):
        ring = KeyRing(tmp_path / f"keys{at}")
        assert seal_missing(tmp_path, names, ring=ring, now=NOW) == [original]
        chain.chain_file(tmp_path).unlink()


def test_whoever_reads_the_seals_cannot_hold_them(tmp_path: Path) -> None:
    """A reader's lock on the chain file does not block sealing."""
    runs, names, ring = _runs(tmp_path, 2)
    seal_run(runs, names[0], ring=ring, now=NOW)
    with (runs / chain.FILE_NAME).open() as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        seal_run(runs, names[1], ring=ring, now=NOW)
    assert verify(runs, names, ring=ring).ok
    assert not list(runs.glob(".*"))


def test_seals_that_stay_in_use_are_waited_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the seals' lock stays taken, sealing gives up with an error that says what to do, and works later."""
    runs, names, ring = _runs(tmp_path, 1)
    monkeypatch.setattr(chain, "LONGEST_WAIT_S", 0.0)
    lease = take(runs / ".seals.jsonl.lock")
    assert lease is not None
    with pytest.raises(RecordError, match=r"are in use: '\.seals\.jsonl\.lock'.* audit seal"):
        seal_run(runs, names[0], ring=ring, now=NOW)
    lease.release()
    assert seal_run(runs, names[0], ring=ring, now=NOW) is not None


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_another_users_running_run_is_left_to_them(tmp_path: Path) -> None:
    """Another user's running run is not sealed, even if it holds no lock, because it may run on another host."""
    ring, runs = KeyRing(tmp_path / "keys"), tmp_path / "runs"
    for name in ("mine.ipynb", "theirs.ipynb"):
        save(runs, "killed", name)
    os.chown(runs / "theirs.ipynb", 61001, 61001)
    assert seal_missing(runs, ["mine.ipynb", "theirs.ipynb"], ring=ring, now=NOW) == ["mine.ipynb"]
    with pytest.raises(RecordError, match="another user's"):
        seal_run(runs, "theirs.ipynb", ring=ring, now=NOW)


def test_a_second_user_seals_in_a_shared_folder(two: Two) -> None:
    """A second user can seal in a shared folder; without write permission the error says how to get it."""
    runs = two.shared
    for user, name in ((two.alice, "a.ipynb"), (two.bob, "b.ipynb"), (two.alice, "c.ipynb")):
        save(runs, "proven", name)
        told = user.run("sh", "-c", f"umask 022; exec {user.python} -c '{_SEAL}' {name}", cwd=runs)
        assert told.stdout == "None\n", told.stderr
    assert [link.seal.path for link in links_of(runs) if link.seal] == ["a.ipynb", "b.ipynb", "c.ipynb"]
    (runs / chain.FILE_NAME).chmod(0o644)
    save(runs, "proven", "d.ipynb")
    told = two.bob.run(two.bob.python, "-c", _SEAL, "d.ipynb", cwd=runs)
    assert "cannot be written: Permission denied" in told.stdout
    assert "chmod g+w" in told.stdout


_SEAL = """
import sys
from pathlib import Path
from ecr_widgets.audit.sealing import seal_finished_run
print(seal_finished_run(Path.cwd() / sys.argv[1]))
"""
