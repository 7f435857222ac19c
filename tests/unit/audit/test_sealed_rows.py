"""Lists made from seals without opening notebooks equal those made by reading all notebooks."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecr_widgets.audit import row as row_module
from ecr_widgets.audit import run_files, seal_book
from ecr_widgets.audit.chain import chain_file, content_of, links_of
from ecr_widgets.audit.chain_check import Watcher
from ecr_widgets.audit.index import Index
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.retiring import retire_runs
from ecr_widgets.audit.seal import Seal, line_of, read_links
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from tests.audit.runs import KINDS, forge, recorded, save, seals_in

NOW = datetime.now(UTC)


def ring_of(folder: Path) -> KeyRing:
    return KeyRing(folder / "keys")


def seal(folder: Path, name: str, ring: KeyRing | None = None) -> None:
    seal_run(folder / "runs", name, ring=ring or ring_of(folder), now=NOW)


def rows(folder: Path) -> tuple[dict[str, Any], int]:
    """Return a new list, and how many notebooks were read for it."""
    with Index(folder / "runs", None, ring=ring_of(folder)) as index:
        index.update()
        return {row.path: row.to_json() for row in index.rows()}, index.read_files


def without_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the same list, made by reading every notebook."""
    with monkeypatch.context() as patch:
        patch.setattr(seal_book, "read_row", lambda *_: None)
        told, read = rows(folder)
    assert read == len(told)
    return told


def replace_text(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "runs" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def overwritten(folder: Path) -> None:
    save(folder / "runs", "proven", "deployed.ipynb")
    seal(folder, "deployed.ipynb")


def retired(folder: Path) -> None:
    retire_runs(folder / "runs", ["deployed.ipynb"], ring=ring_of(folder), now=NOW)


def saved_again(folder: Path) -> None:
    path = folder / "runs" / "deployed.ipynb"
    path.write_text(json.dumps(json.loads(path.read_text())))


def sealed_again(folder: Path) -> None:
    replace_text(folder, "deployed.ipynb", '"actor": "root"', '"actor": "eve"')
    seal(folder, "deployed.ipynb")


def forged(folder: Path, old: bytes = b'"actor":"root"', new: bytes = b'"actor":"evil"') -> None:
    chain = chain_file(folder / "runs")
    first, *others = seals_in(chain.read_bytes())
    chain.write_bytes(b"".join((forge(first, (old, new)), *others)))


def row_changed(folder: Path) -> None:
    chain = chain_file(folder / "runs")
    chain.write_bytes(chain.read_bytes().replace(b'"actor":"root","host"', b'"actor":"evil","host"', 1))


def rows_gone(folder: Path) -> None:
    chain = chain_file(folder / "runs")
    kept = [line for line in chain.read_bytes().splitlines(keepends=True) if not line.startswith(b'{"row":')]
    chain.write_bytes(b"".join(kept))


def in_a_folder_below(folder: Path) -> None:
    save(folder / "runs" / "below", "deployed")
    seal_run(folder / "runs" / "below", "deployed.ipynb", ring=ring_of(folder), now=NOW)


def of_another_run(folder: Path) -> None:
    """Put a second copy of the first seal and its row in the place of the second seal."""
    chain = chain_file(folder / "runs")
    first, second, *others = seals_in(chain.read_bytes())
    chain.write_bytes(b"".join((first, first, second, *others)))


CASES: dict[str, tuple[Callable[[Path], object], int]] = {
    # What happens, and how many notebooks are read for it besides the killed one.
    "nothing": (lambda _: None, 0),
    "a foreign one": (lambda f: (f / "runs" / "f.ipynb").write_text('{"cells":[],"metadata":{},"nbformat":4}'), 1),
    "an unreadable one": (lambda f: (f / "runs" / "f.ipynb").write_text("{"), 1),
    "an unsealed one": (lambda f: save(f / "runs", "failed", "u.ipynb"), 1),
    "a copy": (lambda f: shutil.copy(f / "runs" / "deployed.ipynb", f / "runs" / "copy.ipynb"), 1),
    "one missing": (lambda f: (f / "runs" / "deployed.ipynb").unlink(), 0),
    "one renamed": (lambda f: (f / "runs" / "deployed.ipynb").rename(f / "runs" / "r.ipynb"), 1),
    "one changed": (lambda f: replace_text(f, "deployed.ipynb", '"actor": "root"', '"actor": "eve"'), 1),
    "one no run any more": (lambda f: (f / "runs" / "deployed.ipynb").write_text("{}"), 1),
    "one a link": (
        lambda f: (
            (f / "runs" / "deployed.ipynb").rename(f / "elsewhere.ipynb"),
            (f / "runs" / "deployed.ipynb").symlink_to(f / "elsewhere.ipynb"),
        ),
        1,
    ),
    "one saved again": (saved_again, 1),
    "one sealed again": (sealed_again, 0),
    "one overwritten": (overwritten, 0),
    "one retired": (retired, 0),
    "below": (in_a_folder_below, 0),
    "a seal forged": (forged, 1),
    "a hash forged": (lambda f: forged(f, b'"row":"', b'"row":"0'), 1),
    "a row changed": (row_changed, 1),
    "rows gone": (rows_gone, len(KINDS) - 1),
    "a seal of another run": (of_another_run, 0),
    "keys gone": (lambda f: shutil.rmtree(f / "keys"), len(KINDS) - 1),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One sealed run of each kind, including one of version 1."""
    for kind in KINDS:
        save(tmp_path / "runs", kind)
        seal(tmp_path, f"{kind}.ipynb")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_seals_say_what_reading_says(folder: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """In every case a list from seals equals one from notebooks, and reads only the notebooks it needs."""
    act, more = CASES[case]
    act(folder)
    told, read = rows(folder)
    assert told == without_rows(folder, monkeypatch)
    assert read == 1 + more
    # No row shows what a forger wrote.
    assert "evil" not in json.dumps(told)


def test_no_sealed_notebook_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealed notebook is not opened; a touched one is hashed, and read only if its hash differs."""
    opened: list[str] = []
    real = run_files.read_bytes
    monkeypatch.setattr(run_files, "read_bytes", lambda path: (opened.append(Path(path).name), real(path))[1])
    parsed: list[str] = []
    parse = run_files.read_content
    monkeypatch.setattr(
        run_files, "read_content", lambda content, name: (parsed.append(name), parse(content, name))[1]
    )
    rows(folder)
    assert opened == parsed == ["killed.ipynb"]
    # Other times, the same bytes.
    os.utime(folder / "runs" / "deployed.ipynb")
    replace_text(folder, "failed.ipynb", '"actor": "root"', '"actor": "eve"')
    told, read = rows(folder)
    assert sorted(set(opened[1:])) == ["deployed.ipynb", "failed.ipynb", "killed.ipynb"]
    assert sorted(parsed[1:]) == ["failed.ipynb", "killed.ipynb"]
    assert read == 3
    assert (told["deployed.ipynb"]["seal"], told["failed.ipynb"]["seal"]) == ("intact", "changed")


def test_a_change_that_keeps_size_and_times_is_seen(folder: Path) -> None:
    """A change that keeps a file's size and modification time is found by the time of its inode change."""
    path = folder / "runs" / "deployed.ipynb"
    about = path.stat()
    with path.open("r+b") as file:
        content = file.read().replace(b'"actor": "root"', b'"actor": "evil"')
        file.seek(0)
        file.write(content)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    assert rows(folder)[0]["deployed.ipynb"]["verdict"] == "tampered"


def test_a_file_is_settled_before_its_stamp_is_sealed(folder: Path) -> None:
    """A write right after sealing always changes the file's time stamp from the sealed one."""
    for number in range(20):
        path = save(folder / "runs", "deployed", f"{number}.ipynb")
        seal(folder, path.name)
        (link,) = [link for link in links_of(folder / "runs") if link.seal and link.seal.path == path.name]
        sealed = row_module.read_row(link.row or b"", path.name)
        with path.open("r+b") as file:
            file.write(b"{")
        assert sealed is not None
        assert sealed.stamp.changed_ns != path.stat().st_ctime_ns


def test_rows_by_other_rules_are_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows made by another release's rules are not used; the notebooks are read again."""
    before = rows(folder)
    assert before[1] == 1
    monkeypatch.setattr(row_module, "MADE_BY", row_module.MADE_BY + 1)
    assert rows(folder) == (before[0], len(KINDS))


def test_rows_are_what_they_were_when_their_number_was_given() -> None:
    """The fields of a row belong to its format number, so a change of the fields needs a new number."""
    assert (row_module.MADE_BY, row_module.Row.__struct_fields__) == (
        102,
        (
            "path", "verdict", "why", "run_id", "runbook", "state", "origin", "actor", "host", "started_at",
            "ended_at", "duration_s", "parameters", "services", "digests", "seal", "deployed", "verified",
            "outcome", "outcome_words", "image", "target", "note", "down", "rolled_back", "brought_back", "restored_s",
            "pushed_at", "overridden",
        ),
    )  # fmt: skip


def test_a_row_too_long_is_left_out(folder: Path) -> None:
    """A row that is too long is left out of the chain, and the run's notebook is read instead."""
    notebook = recorded("deployed")
    more = {"run_id": "20261126T000000Z-0a0a0a", "parameters": {"long": "x" * row_module.MAX_LINE_BYTES}}
    notebook["metadata"]["ecr_widgets"] |= more
    save(folder / "runs", "deployed", "long.ipynb", notebook)
    seal(folder, "long.ipynb")
    told, read = rows(folder)
    assert (told["long.ipynb"]["seal"], read) == ("intact", 2)
    assert links_of(folder / "runs")[-1].row is None


def test_a_row_is_nowhere_in_what_is_signed(folder: Path) -> None:
    """A row is not part of what is signed: the published seal holds neither parameters nor host."""
    for link in links_of(folder / "runs"):
        assert b"parameters" in (link.row or b"")
        assert link.seal is not None
        assert link.seal.row
        assert b'"host"' not in link.signed
        assert b'"parameters"' not in link.signed.replace(b'"parameters:', b"")


@pytest.mark.parametrize("case", ["a row changed", "rows gone", "a seal of another run", "a hash forged"])
def test_verify_says_that_a_row_is_not_the_signed_one(folder: Path, case: str) -> None:
    """`audit verify` reports a chain in which a row is not the one that was signed."""
    names = sorted(path.name for path in (folder / "runs").glob("*.ipynb"))
    assert verify(folder / "runs", names, ring=ring_of(folder)).ok
    CASES[case][0](folder)
    assert verify(folder / "runs", names, ring=ring_of(folder)).chain


@pytest.mark.parametrize("left", ["a row", "a row and half a seal", "half a row"])
def test_what_a_crash_left_behind_the_last_seal_is_removed(folder: Path, left: str) -> None:
    """What a crash left after the last whole seal is removed by the next seal, and the chain is in order."""
    chain = chain_file(folder / "runs")
    last = seals_in(chain.read_bytes())[-1]
    row = last.splitlines(keepends=True)[0]
    torn = {"a row": row, "a row and half a seal": last[: len(row) + 100], "half a row": row[:100]}[left]
    with chain.open("ab") as file:
        file.write(torn)
    assert links_of(folder / "runs")[-1].why == "it was not written to its end"
    before = rows(folder)
    save(folder / "runs", "failed", "next.ipynb")
    seal(folder, "next.ipynb")
    told, read = rows(folder)
    assert (len(told), read) == (len(before[0]) + 1, 1)
    names = sorted(path.name for path in (folder / "runs").glob("*.ipynb"))
    assert verify(folder / "runs", names, ring=ring_of(folder)).ok


# One signature for many seals.


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bool], int]:
    """Return whether each seal of the chain is in order, and how many signatures were checked."""
    count = 0
    real = KeyFile.signed

    def signed(self: KeyFile, content: bytes, signature: bytes) -> bool:
        nonlocal count
        count += 1
        return real(self, content, signature)

    with monkeypatch.context() as patch:
        patch.setattr(KeyFile, "signed", signed)
        watcher = Watcher(ring_of(folder).known())
        found = [trouble is None for _, trouble in watcher.look_at(read_links(content_of(folder / "runs")))]
    return found, count


def test_one_signature_vouches_for_the_seals_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One signature check is enough for all earlier seals by the same key."""
    assert checked(folder, monkeypatch) == ([True] * len(KINDS), 1)


@pytest.mark.parametrize("at", range(len(KINDS)))
def test_a_forged_seal_is_found_wherever_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A forged seal is found at any place in the chain, although later seals are genuine."""
    chain = chain_file(folder / "runs")
    lines = seals_in(chain.read_bytes())
    lines[at] = forge(lines[at], (b'"runbook":"release"', b'"runbook":"evil"'))
    chain.write_bytes(b"".join(lines))
    watcher = Watcher(ring_of(folder).known())
    forged_ones = [
        bool(trouble and trouble.forged)
        for _, trouble in watcher.look_at(read_links(content_of(folder / "runs")))
    ]
    assert forged_ones == [number == at for number in range(len(lines))]


def test_nobody_vouches_for_a_seal_that_was_forged_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal added after a forged one does not vouch for it, although both name the same key."""
    chain = chain_file(folder / "runs")
    *others, last = seals_in(chain.read_bytes())
    chain.write_bytes(b"".join((*others, forge(last, (b'"runbook":"release"', b'"runbook":"evil"')))))
    save(folder / "runs", "failed", "next.ipynb")
    seal(folder, "next.ipynb")
    added = links_of(folder / "runs")[-1].seal
    assert added is not None
    assert not added.chain.follows_own
    assert checked(folder, monkeypatch)[0] == [*[True] * (len(KINDS) - 1), False, True]


def test_other_keys_vouch_for_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal does not vouch for one by another key: each is checked by its own signature."""
    theirs = KeyRing(folder / "theirs")
    save(folder / "runs", "failed", "theirs.ipynb")
    seal(folder, "theirs.ipynb", theirs)
    save(folder / "runs", "failed", "own.ipynb")
    seal(folder, "own.ipynb")
    (key,) = theirs.own().values()
    (folder / "keys" / "trusted").mkdir()
    shutil.copy(folder / "theirs" / f"{key.key}.json", folder / "keys" / "trusted")
    assert checked(folder, monkeypatch) == ([True] * (len(KINDS) + 2), 3)


def test_a_forger_cannot_vouch_for_himself(folder: Path) -> None:
    """A forged seal is found even if the forger adds a seal that claims to follow it by the same key."""
    eve = KeyRing(folder / "eve")
    _, signer = eve.signing_key(now=NOW)
    chain = chain_file(folder / "runs")
    *others, last = seals_in(chain.read_bytes())
    last = forge(last, (b'"runbook":"release"', b'"runbook":"evil"'))
    chain.write_bytes(b"".join((*others, last)))
    newest = links_of(folder / "runs")[-1]
    assert isinstance(newest.seal, Seal)
    place = msgspec.structs.replace(
        newest.seal.chain, n=newest.seal.n + 1, previous=newest.sha256, follows_own=True
    )
    vouching = msgspec.structs.replace(newest.seal, chain=place, row=None)
    with chain.open("ab") as file:
        file.write(line_of(vouching, signer.sign) + b"\n")
    watcher = Watcher(ring_of(folder).known())
    found = [trouble for _, trouble in watcher.look_at(links_of(folder / "runs"))]
    assert [bool(trouble and trouble.forged) for trouble in found[-2:]] == [True, True]


def test_a_list_that_grew_checks_what_is_new(folder: Path) -> None:
    """An index takes in new seals without opening their notebooks."""
    with Index(folder / "runs", folder / "index.sqlite", ring=ring_of(folder)) as index:
        index.update()
        time.sleep(0.06)
        index.update()
        save(folder / "runs", "failed", "next.ipynb")
        seal(folder, "next.ipynb")
        before = index.read_files
        index.update()
        assert index.read_files == before
        assert {row.path: row.seal for row in index.rows()}["next.ipynb"] == "intact"
