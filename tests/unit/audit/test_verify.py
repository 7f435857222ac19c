"""`audit verify` on runs that were overwritten, copied, moved, or sealed by the wrong key."""

from __future__ import annotations

import copy
import hashlib
import html
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecr_widgets.audit import retiring, sealing
from ecr_widgets.audit.canonical import form_of
from ecr_widgets.audit.chain import chain_file, links_of
from ecr_widgets.audit.chain_head import Heads, export_head, heads_of, read_head
from ecr_widgets.audit.findings import FileFinding, Finding, Verification
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing, export_keys
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.retiring import retire_runs
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealed import look_at_seal
from ecr_widgets.audit.sealing import seal_missing, seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.engine.saved_run import SavedRun
from ecr_widgets.errors import InputError, RecordError
from tests.audit.runs import recorded, save

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def of_run(run_id: str, kind: str = "deployed") -> dict[str, Any]:
    notebook = recorded(kind)
    notebook["metadata"]["ecr_widgets"]["run_id"] = run_id
    return notebook


class Folder:
    """A runs folder with its keys."""

    def __init__(self, path: Path) -> None:
        self.runs, self.ring = path / "runs", KeyRing(path / "keys")

    def seal(self, name: str, *, days: int = 0, ring: KeyRing | None = None) -> None:
        at = self.runs / name
        seal_run(at.parent, at.name, ring=ring or self.ring, now=NOW + timedelta(days=days))

    def verify(self, ring: KeyRing | None = None) -> Verification:
        return verify(self.runs, self.names(), ring=ring or self.ring)

    def names(self) -> list[str]:
        return sorted(name for name, _ in scan(self.runs))

    def findings(self, ring: KeyRing | None = None) -> dict[str, str]:
        return {each.path: each.finding.value for each in self.verify(ring).files}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    save(made.runs, "deployed", "a.ipynb")
    made.seal("a.ipynb")
    return made


def test_a_retired_key_signs_nothing_behind_newer_seals(folder: Folder, tmp_path: Path) -> None:
    """A seal by a retired key that comes after newer seals is broken, although it is dated before the retirement."""
    shutil.copytree(folder.ring.folder, tmp_path / "leaked")
    folder.ring.rotate(now=NOW + timedelta(days=1))
    save(folder.runs, "proven", "b.ipynb")
    folder.seal("b.ipynb", days=2)
    assert folder.verify().ok
    save(folder.runs, "deployed", "a.ipynb", of_run("forged"))
    folder.seal("a.ipynb", ring=KeyRing(tmp_path / "leaked"))
    found = folder.verify()
    assert not found.ok
    assert folder.findings() == {"a.ipynb": "broken seal", "b.ipynb": "intact"}
    assert any("was retired before the seals in front of it" in why for why in found.chain)


def test_an_overwritten_run_is_told(folder: Folder) -> None:
    """A second run sealed under the same name is reported as overwriting the first."""
    save(folder.runs, "failed", "a.ipynb", of_run("second"))
    folder.seal("a.ipynb", days=1)
    (found,) = folder.verify().files
    assert found.finding == "overwritten"
    assert "seal 1, was saved under this name before and is gone" in found.what[0]
    assert not folder.verify().ok


def both(folder: Folder, name: str = "a.ipynb", ring: KeyRing | None = None) -> str:
    """Return what verify finds, after checking that a new list and an updated one agree."""
    found = folder.findings(ring)[name]
    seals = []
    for rebuild in (False, True):
        with open_index(folder.runs, ring=ring or folder.ring, rebuild=rebuild) as index:
            row = index.find(name)
        seals.append(row.seal)
        assert (row.verdict == "tampered") == (found in ("changed", "broken seal", "resealed"))
    assert seals == [found] * 2
    return found


def failed(
    folder: Folder, name: str = "f.ipynb", *, state: str = "failed"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a failed, sealed run, and the attempt that a resumed run would list for it."""
    notebook = recorded("failed")
    run = notebook["metadata"]["ecr_widgets"]
    run["state"] = state
    content = save((folder.runs / name).parent, "failed", Path(name).name, notebook).read_bytes()
    folder.seal(name)
    attempt = {
        "state": state,
        "ended_at": run["ended_at"],
        "records": [],
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "form_sha256": form_of(content).sha256,
    }
    return notebook, attempt


def resumed(notebook: dict[str, Any], *attempts: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """The same run, resumed from these attempts and succeeded."""
    made = copy.deepcopy(notebook)
    made["metadata"]["ecr_widgets"] |= {"state": "succeeded", "reason": reason, "attempts": [*attempts]}
    return made


def test_a_chain_with_other_line_ends_is_told_as_that(folder: Folder) -> None:
    """A notebook whose line ends git converted is the same run; for a chain of seals the error says what happened to it."""
    for path in (folder.runs / "a.ipynb", chain_file(folder.runs)):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        if path.suffix == ".ipynb":
            assert folder.findings() == {"a.ipynb": "resaved"}
    assert "core.autocrlf" in str(folder.verify().chain)
    assert not folder.verify().ok


def test_a_run_that_was_resumed_overwrote_nothing(folder: Folder) -> None:
    """A resumed run is intact if each earlier seal is one of its attempts, whoever resumed it and however often."""
    notebook, first = failed(folder)
    again = resumed(notebook, first)
    again["metadata"]["ecr_widgets"]["state"] = "interrupted"
    content = save(folder.runs, "failed", "f.ipynb", again).read_bytes()
    folder.seal("f.ipynb", days=1)
    assert both(folder, "f.ipynb") == "intact"
    second = first | {
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "form_sha256": form_of(content).sha256,
    }
    save(folder.runs, "failed", "f.ipynb", resumed(notebook, first, second))
    theirs = KeyRing(folder.ring.folder.parent / "theirs")
    folder.seal("f.ipynb", days=2, ring=theirs)
    folder.ring.trust(
        export_keys(theirs.own().values()).encode(), [key.fingerprint for key in theirs.own().values()]
    )
    assert both(folder, "f.ipynb") == "intact"
    assert folder.verify().ok


@pytest.mark.parametrize("state", ["failed", "running"])
def test_a_run_that_an_earlier_release_resumed_is_in_order(folder: Folder, state: str) -> None:
    """A run that an earlier release resumed, whose attempts have no hashes, is intact by their state and end."""
    notebook, attempt = failed(folder, state=state)
    told = {name: attempt[name] for name in ("ended_at", "records")}
    told["state"] = "interrupted" if state == "running" else state
    save(folder.runs, "failed", "f.ipynb", resumed(notebook, told))
    folder.seal("f.ipynb", days=1)
    assert both(folder, "f.ipynb") == "intact"


UNACCOUNTED: dict[str, Callable[[dict[str, Any]], list[Any]]] = {
    "none": lambda _: [],
    "another state": lambda attempt: [{"state": "interrupted", "ended_at": attempt["ended_at"]}],
    "another end": lambda attempt: [{"state": "failed", "ended_at": "2026-01-01T00:00:00.000Z"}],
    "another form": lambda attempt: [attempt | {"form_sha256": "0" * 64, "file_sha256": "0" * 64}],
    "no attempts": lambda _: ["x", 1, None, []],
}


@pytest.mark.parametrize("case", UNACCOUNTED)
def test_a_second_seal_that_no_attempt_explains_is_an_alarm(folder: Folder, case: str) -> None:
    """A second seal that no attempt explains is reported as resealed, with what the first seal said."""
    notebook, attempt = failed(folder)
    save(folder.runs, "failed", "f.ipynb", resumed(notebook, *UNACCOUNTED[case](attempt)))
    folder.seal("f.ipynb", days=1)
    assert both(folder, "f.ipynb") == "resealed"
    (found,) = (each for each in folder.verify().files if each.path == "f.ipynb")
    assert found.what[0].startswith("seal 2 says something else of this run (failed, ended ")
    assert not folder.verify().ok


def test_one_attempt_accounts_for_one_seal(folder: Folder) -> None:
    """One attempt explains only one earlier seal, so a failed run altered and sealed again is reported as resealed."""
    notebook, attempt = failed(folder)
    altered = copy.deepcopy(notebook)
    altered["metadata"]["ecr_widgets"]["actor"] = "eve"
    save(folder.runs, "failed", "f.ipynb", altered)
    folder.seal("f.ipynb", days=1)
    for hashes in ({}, {"file_sha256": None, "form_sha256": None}):
        save(folder.runs, "failed", "f.ipynb", resumed(notebook, attempt | hashes))
        folder.seal("f.ipynb", days=2)
        assert both(folder, "f.ipynb") == "resealed"


def test_a_run_that_succeeded_is_never_sealed_again(folder: Folder) -> None:
    """Another seal of a run that succeeded is reported as resealed, even if the file is put back as it was."""
    first = (folder.runs / "a.ipynb").read_bytes()
    attempt = {"state": "succeeded", "form_sha256": form_of(first).sha256}
    save(folder.runs, "deployed", "a.ipynb", resumed(recorded("deployed"), attempt, reason="better"))
    folder.seal("a.ipynb", days=1)
    assert both(folder) == "resealed"
    (folder.runs / "a.ipynb").write_bytes(first)
    folder.seal("a.ipynb", days=2)
    assert both(folder) == "resealed"


def test_another_file_and_another_chain_hide_no_first_seal(folder: Folder) -> None:
    """An altered run with the same id is reported, even if sealed under another name or in the chain of a subfolder."""
    altered = recorded("deployed")
    altered["metadata"]["ecr_widgets"]["actor"] = "eve"
    for name in ("b.ipynb", "sub/c.ipynb"):
        save((folder.runs / name).parent, "deployed", Path(name).name, altered)
        folder.seal(name, days=1)
        assert both(folder, name) == "resealed"
    assert both(folder) == "intact"
    save(folder.runs / "sub", "proven", "d.ipynb", of_run("one", "proven"))
    seal_missing(folder.runs, ["sub/d.ipynb"], ring=folder.ring, now=NOW)
    save(folder.runs / "sub", "proven", "d.ipynb", of_run("two", "proven"))
    folder.seal("sub/d.ipynb", days=1)
    assert both(folder, "sub/d.ipynb") == "overwritten"


def test_a_retirement_hides_no_first_seal(folder: Folder) -> None:
    """An altered run that is sealed after a retirement is still reported as resealed."""
    retire_runs(folder.runs, ["a.ipynb"], ring=folder.ring, now=NOW)
    save(folder.runs, "deployed", "a.ipynb", resumed(recorded("deployed"), reason="better"))
    folder.seal("a.ipynb", days=1)
    assert both(folder) == "resealed"


def test_a_retired_run_that_is_saved_again_is_sealed_again(folder: Folder) -> None:
    """A retired run that is saved again with the same bytes can be sealed once more, and is intact."""
    retire_runs(folder.runs, ["a.ipynb"], ring=folder.ring, now=NOW)
    content = (folder.runs / "a.ipynb").read_bytes()
    assert look_at_seal(folder.runs, "a.ipynb", content, ring=folder.ring).why_not == "was retired"
    folder.seal("a.ipynb", days=1)
    folder.seal("a.ipynb", days=2)
    assert [link.seal.retired for link in links_of(folder.runs) if link.seal] == [False, True, False]
    assert both(folder) == "intact"
    assert look_at_seal(folder.runs, "a.ipynb", content, ring=folder.ring).why_not == ""


def test_a_change_of_signer_is_an_alarm_while_the_first_key_is_in_use(folder: Folder) -> None:
    """A second seal of the same content by another key is reported while the first key is in use."""
    theirs = KeyRing(folder.ring.folder.parent / "theirs")
    save(folder.runs, "proven", "b.ipynb", of_run("b", "proven"))
    folder.seal("b.ipynb")
    folder.seal("a.ipynb", days=1, ring=theirs)
    (key,) = theirs.own().values()
    folder.ring.trust(export_keys([key]).encode(), [key.fingerprint])
    assert both(folder) == "resealed"
    found, _ = folder.verify().files
    assert found.what == (
        f"seal 1 of the same content is by key {next(iter(folder.ring.own()))}, this one by {key.key}",
    )


def test_ones_own_next_key_is_no_change_of_signer(folder: Folder) -> None:
    """After a key rotation, the new key may seal the same content and retire runs of the old key."""
    save(folder.runs, "proven", "b.ipynb", of_run("b", "proven"))
    folder.seal("b.ipynb")
    folder.ring.rotate(now=NOW + timedelta(days=1))
    folder.seal("a.ipynb", days=2)
    assert both(folder) == "intact"
    retire_runs(folder.runs, ["b.ipynb"], ring=folder.ring, now=NOW + timedelta(days=3))
    (folder.runs / "b.ipynb").unlink()
    assert folder.findings()["b.ipynb"] == "retired"
    assert folder.verify().ok


def retired_by(folder: Folder, name: str, ring: KeyRing) -> None:
    """Write a retirement without checking that its author may do so."""
    with pytest.raises(RecordError, match="is another's"):
        retire_runs(folder.runs, [name], ring=ring, now=NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retiring, "other_signer", lambda *_: "")
        retire_runs(folder.runs, [name], ring=ring, now=NOW)


def test_nobody_retires_what_another_has_sealed(folder: Folder) -> None:
    """A retirement by another known key hides neither a missing nor an overwritten run."""
    theirs = KeyRing(folder.ring.folder.parent / "theirs")
    retired_by(folder, "a.ipynb", theirs)
    (key,) = theirs.own().values()
    folder.ring.trust(export_keys([key]).encode(), [key.fingerprint])
    assert both(folder) == "intact"
    save(folder.runs, "deployed", "a.ipynb", of_run("second"))
    folder.seal("a.ipynb", days=1, ring=theirs)
    assert both(folder) == "overwritten"
    save(folder.runs, "proven", "b.ipynb", of_run("b", "proven"))
    folder.seal("b.ipynb")
    retired_by(folder, "b.ipynb", theirs)
    (folder.runs / "b.ipynb").unlink()
    (found,) = (each for each in folder.verify().files if each.path == "b.ipynb")
    assert (found.finding, "is another's" in found.what[1]) == ("missing", True)


def _retired(draft: sealing._Draft) -> sealing._Draft:
    return draft._replace(seal=msgspec.structs.replace(draft.seal, retired=True))


def test_a_retirement_of_what_was_never_sealed_seals_nothing(folder: Folder) -> None:
    """A seal that retires a run never sealed before does not count as a seal of that run."""
    altered = recorded("deployed")
    altered["metadata"]["ecr_widgets"]["actor"] = "eve"
    save(folder.runs, "deployed", "b.ipynb", altered)
    with pytest.MonkeyPatch.context() as patch:
        draft = sealing._draft
        patch.setattr(sealing, "_draft", lambda *a, **k: _retired(draft(*a, **k)))
        folder.seal("b.ipynb")
    assert both(folder, "b.ipynb") == "unsealed"
    assert any("retires what was not sealed" in why for why in folder.verify().chain)


def test_runs_by_hand_may_be_saved_under_several_names(folder: Folder) -> None:
    """A run made by hand may be saved and sealed under several names; other content in the same file is reported."""
    for name, more in (("p.ipynb", 1), ("q.ipynb", 2)):
        notebook = recorded("papermill")
        notebook["metadata"]["mine"] = more
        save(folder.runs, "papermill", name, notebook)
        folder.seal(name)
        assert both(folder, name) == "intact"
    save(folder.runs, "papermill", "q.ipynb")
    folder.seal("q.ipynb", days=1)
    assert both(folder, "q.ipynb") == "resealed"


def test_a_copy_of_a_whole_folder_contradicts_nothing(folder: Folder) -> None:
    """A copy of a runs folder is intact in both places, even after a run in one of them was resumed."""
    notebook, attempt = failed(folder, "sub/f.ipynb")
    shutil.copytree(folder.runs / "sub", folder.runs / "copy")
    save(folder.runs / "sub", "failed", "f.ipynb", resumed(notebook, attempt))
    folder.seal("sub/f.ipynb", days=1)
    assert both(folder, "copy/f.ipynb") == both(folder, "sub/f.ipynb") == "intact"


def _with_below(folder: Folder) -> str:
    """Add two runs in subfolders, and return an exported head of all chains."""
    for name in ("sub/x.ipynb", "sub/deeper/y.ipynb"):
        save((folder.runs / name).parent, "proven", Path(name).name, of_run(name, "proven"))
        folder.seal(name)
    return export_head(heads_of(folder.runs))


def _against(folder: Folder, head: str) -> list[str]:
    return list(verify(folder.runs, folder.names(), ring=folder.ring, head=read_head(head)).chain)


def test_a_head_names_every_chain_below(folder: Folder) -> None:
    """A chain of the head that is missing or cut off is reported; one that grew or was added later is not."""
    head = _with_below(folder)
    save(folder.runs / "sub", "proven", "z.ipynb", of_run("z", "proven"))
    save(folder.runs / "new", "proven", "z.ipynb", of_run("zz", "proven"))
    for name in ("sub/z.ipynb", "new/z.ipynb"):
        folder.seal(name)
    assert _against(folder, head) == []
    newer = export_head(heads_of(folder.runs))
    chain = chain_file(folder.runs / "sub")
    first = b"".join(chain.read_bytes().splitlines(keepends=True)[:2])
    chain.write_bytes(first)
    assert _against(folder, newer) == [
        "sub/seals.jsonl: the head says 2 seals, and 1 are left: the newest were cut off"
    ]
    shutil.rmtree(folder.runs / "sub")
    assert [why.partition(": the head")[0] for why in _against(folder, head)] == [
        "sub/seals.jsonl",
        "sub/deeper/seals.jsonl",
    ]
    chain_file(folder.runs).unlink()
    assert "the head says 1 seals, and there are none" in _against(folder, head)[0]


def test_a_chain_that_moved_is_told_with_its_new_place(folder: Folder) -> None:
    """A chain that moved is reported with its new place."""
    head = _with_below(folder)
    (folder.runs / "sub").rename(folder.runs / "moved")
    (folder.runs / "sub").symlink_to(folder.runs / "moved")
    told = _against(folder, head)
    assert "; that chain is in 'moved/' now" in told[0]
    assert "; that chain is in 'moved/deeper/' now" in told[1]


def test_a_head_of_the_first_release_is_read(folder: Folder) -> None:
    """A head of the first release, which names only the folder's own chain, is still checked."""
    own = json.loads(_with_below(folder))
    below = own.pop("below")
    assert list(below) == ["sub/deeper/", "sub/"] or list(below) == ["sub/", "sub/deeper/"]
    shutil.rmtree(folder.runs / "sub")
    assert _against(folder, json.dumps(own)) == []
    chain_file(folder.runs).unlink()
    assert len(_against(folder, json.dumps(own))) == 1


def test_a_head_without_an_own_chain_is_one(folder: Folder) -> None:
    """A head can be exported for subfolders alone, but not if a chain's end is unreadable or no chain exists."""
    _with_below(folder)
    chain_file(folder.runs).unlink()
    (folder.runs / "a.ipynb").unlink()
    head = export_head(heads_of(folder.runs))
    assert _against(folder, head) == []
    chain_file(folder.runs / "sub").write_bytes(b"nonsense\n")
    with pytest.raises(RecordError, match=r"the last seal in 'sub/seals\.jsonl' cannot be read"):
        heads_of(folder.runs)
    shutil.rmtree(folder.runs / "sub")
    with pytest.raises(RecordError, match="there is no complete seal"):
        heads_of(folder.runs)


@pytest.mark.parametrize(
    "text", ["{}", '{"below": {}}', '{"project": "x", "n": 1}', '{"below": {"sub/": {}}}', "[]", ""]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    """A text that is not a whole exported head is refused."""
    with pytest.raises(InputError, match="not an exported head"):
        read_head(text)


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_head_is_read_in_any_form_of_unicode(folder: Folder, form: str) -> None:
    """A head that a Windows shell or editor saved is the same head; bytes of no form of Unicode are refused in words."""
    heads = heads_of(folder.runs)
    assert read_head(f"{export_head(heads)}\r\n".encode(form)) == heads
    with pytest.raises(InputError, match="not an exported head"):
        read_head(b"{\xff}")


def test_a_head_of_another_folder_is_told_as_that(folder: Folder, tmp_path: Path) -> None:
    """Against another folder's head, verify says that it is of another chain, and not that seals were cut off."""
    other = Folder(tmp_path / "other")
    for name in ("a.ipynb", "b.ipynb"):
        save(other.runs, "deployed", name, of_run(name))
        other.seal(name)
    (told,) = _against(folder, export_head(heads_of(other.runs)))
    assert told.startswith("the head is of another chain than this one")


def test_a_run_that_somebody_runs_anew_is_not_changed(folder: Folder) -> None:
    """A sealed run that is run again is not reported while it is locked, and is changed if it was killed."""
    running = recorded("killed")
    with SavedRun(running, folder.runs / "a.ipynb", redact=lambda text: text) as saved:
        saved.write()
        assert folder.findings() == {}
    assert folder.findings() == {"a.ipynb": "changed"}


def test_an_unknown_key_hides_no_change(folder: Folder, tmp_path: Path) -> None:
    """Without the key, a changed file is still reported as changed, and an unchanged one as `key unknown`."""
    save(folder.runs, "proven", "b.ipynb")
    folder.seal("b.ipynb")
    save(folder.runs, "proven", "b.ipynb", of_run("other", "proven"))
    mine = KeyRing(tmp_path / "mine")
    assert folder.findings(mine) == {"a.ipynb": "key unknown", "b.ipynb": "changed"}
    assert not folder.verify(mine).ok
    # One line for all seals of a key.
    assert sum("not known here" in why for why in folder.verify(mine).chain) == 1


def test_a_run_sealed_in_a_folder_below_is_sealed(folder: Folder) -> None:
    """A run sealed in a subfolder's chain counts as sealed, and its change or loss is found."""
    for name in ("x.ipynb", "y.ipynb"):
        save(folder.runs / "sub", "proven", name, of_run(name, "proven"))
        folder.seal(f"sub/{name}")
    assert seal_missing(folder.runs, folder.names(), ring=folder.ring, now=NOW) == []
    assert folder.findings() == dict.fromkeys(("a.ipynb", "sub/x.ipynb", "sub/y.ipynb"), "intact")
    assert folder.verify().ok
    save(folder.runs / "sub", "proven", "x.ipynb", of_run("other", "proven"))
    (folder.runs / "sub" / "y.ipynb").unlink()
    assert folder.findings() == {"a.ipynb": "intact", "sub/x.ipynb": "changed", "sub/y.ipynb": "missing"}
    chain_file(folder.runs / "sub").write_bytes(b"nonsense\n")
    assert any(why.startswith("sub/seals.jsonl: seal 1: ") for why in folder.verify().chain)


def test_a_copy_of_a_sealed_run_gets_no_seal_of_its_own(folder: Folder) -> None:
    """A copy of a sealed run is not sealed; verify names the run that it copies."""
    shutil.copy(folder.runs / "a.ipynb", folder.runs / "copy.ipynb")
    assert seal_missing(folder.runs, folder.names(), ring=folder.ring, now=NOW) == []
    told = {each.path: each for each in folder.verify().files}
    assert told["copy.ipynb"].what == ("its run is sealed as 'a.ipynb': a copy, or renamed",)


@pytest.mark.parametrize("n", [-50, 0])
def test_a_head_counts_from_1(n: int) -> None:
    """A head whose number is below 1 is refused."""
    with pytest.raises(InputError, match=r"not an exported head: .* >= 1"):
        read_head(f'{{"project": "x", "n": {n}, "sha256": "y"}}')


def test_what_was_removed_on_purpose_is_retired(folder: Folder) -> None:
    """A run removed on purpose is retired and no alarm; one removed without a retirement is missing."""
    for name in ("b.ipynb", "c.ipynb"):
        save(folder.runs, "proven", name, of_run(name, "proven"))
        folder.seal(name)
        (folder.runs / name).unlink()
    retire_runs(folder.runs, ["b.ipynb"], ring=folder.ring, now=NOW)
    assert folder.findings() == {"a.ipynb": "intact", "b.ipynb": "retired", "c.ipynb": "missing"}
    retire_runs(folder.runs, ["c.ipynb"], ring=folder.ring, now=NOW)
    assert folder.verify().ok
    with pytest.raises(RecordError, match="was never sealed"):
        retire_runs(folder.runs, ["d.ipynb"], ring=folder.ring, now=NOW)


def test_a_run_is_retired_by_a_path_as_a_shell_completes_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed run is retired by its path from the current folder, and by its whole path, under the name that was sealed."""
    (folder.runs / "a.ipynb").unlink()
    monkeypatch.chdir(folder.runs.parent)
    for path in ("runs/a.ipynb", str(folder.runs / "a.ipynb")):
        assert retire_runs(folder.runs, [path], ring=folder.ring, now=NOW) == ["a.ipynb"]
    assert folder.findings() == {"a.ipynb": "retired"}


def spoil(folder: Folder, alarm: str) -> None:
    """Do to the one sealed run what leads to an alarm."""
    run, seals = folder.runs / "a.ipynb", chain_file(folder.runs)
    if alarm == "changed":
        run.write_text(run.read_text().replace("root", "eve"))
    elif alarm == "missing":
        run.unlink()
    elif alarm == "unsealed":
        seals.unlink()
    elif alarm == "chain":
        seals.write_bytes(b"<<<<<<< HEAD\n" + seals.read_bytes())


@pytest.mark.parametrize("alarm", ["changed", "missing", "unsealed", "chain"])
def test_verify_says_what_to_do_about_each_kind_of_alarm(folder: Folder, alarm: str) -> None:
    """Each kind of alarm gets one line on what to do next, in the report too, and a folder in order none."""
    assert folder.verify().next_steps == ()
    spoil(folder, alarm)
    checked = folder.verify()
    (step,) = checked.next_steps
    assert step.startswith(f"{alarm}: ")
    report = folder.runs.parent / "report.html"
    write_report(report, folder.runs, (), checked=checked, now=NOW)
    assert f"<b>next</b>: {html.escape(step)}" in report.read_text()


def test_with_an_unknown_key_the_first_thing_to_do_is_to_get_it(folder: Folder, tmp_path: Path) -> None:
    """To somebody who has not imported the key, verify says how to, and nothing about the chain that it cannot check."""
    (step,) = folder.verify(KeyRing(tmp_path / "auditor")).next_steps
    assert step.startswith("key unknown: ")
    assert "audit key trust" in step


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"<<<<<<< HEAD\n{}", "not JSON: JSON is malformed"),
        (b"\xef\xbb\xbf{}", "not JSON: it begins with a byte order mark"),
        ("{}".encode("utf-16"), "not JSON: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_is_no_notebook_any_more_is_told_as_lists_tell_it(
    folder: Folder, content: bytes, why: str
) -> None:
    """A sealed run that an editor or a merge made unreadable is changed, with the reason that a list gives."""
    (folder.runs / "a.ipynb").write_bytes(content)
    (told,) = folder.verify().files
    assert told.finding.value == "changed"
    assert told.what[0].startswith(f"it is unreadable now: {why}")


def test_every_alarm_has_a_next_step() -> None:
    """Whatever the finding, if somebody has to look at it, verify says what to do."""
    alarms = [each for each in (FileFinding("a.ipynb", each) for each in Finding) if each.is_alarm]
    assert alarms
    told = Verification(tuple(alarms), (), (), Heads(None)).next_steps
    assert len(told) == len(alarms)


def test_an_overwritten_run_is_retired_and_the_next_one_is_told_again(folder: Folder) -> None:
    """An overwritten run can be retired, and the next overwrite is reported again, in verify and in lists."""

    def seal_of_a() -> str | None:
        with open_index(folder.runs, ring=folder.ring) as index:
            return index.find("a.ipynb").seal

    for run_id in ("second", "third"):
        save(folder.runs, "deployed", "a.ipynb", of_run(run_id))
        folder.seal("a.ipynb", days=1)
        if run_id == "second":
            assert (folder.findings()["a.ipynb"], seal_of_a()) == ("overwritten", "overwritten")
            retire_runs(folder.runs, ["a.ipynb"], ring=folder.ring, now=NOW)
        # The third replaced what was retired before it.
        assert (folder.findings()["a.ipynb"], seal_of_a()) == ("intact", "intact")
    save(folder.runs, "deployed", "a.ipynb", of_run("fourth"))
    folder.seal("a.ipynb", days=1)
    assert (folder.findings()["a.ipynb"], seal_of_a()) == ("overwritten", "overwritten")


def test_a_retirement_without_a_good_key_is_none(folder: Folder, tmp_path: Path) -> None:
    """A retirement signed by an unknown key does not count: the run is still missing."""
    (folder.runs / "a.ipynb").unlink()
    retired_by(folder, "a.ipynb", KeyRing(tmp_path / "forger"))
    assert folder.findings() == {"a.ipynb": "missing"}
    assert not folder.verify().ok


def test_what_a_seal_says_is_harmless_in_the_report(folder: Folder, tmp_path: Path) -> None:
    """Run ids and names in seals are escaped in the report."""
    for run_id in ("<script>alert(1)</script>", "</li><img src=x onerror=alert(1)>"):
        save(folder.runs, "deployed", "<b>.ipynb", of_run(run_id))
        folder.seal("<b>.ipynb")
    save(folder.runs, "deployed", "<i>.ipynb", of_run("</li><img src=x onerror=alert(1)>"))
    write_report(tmp_path / "r.html", folder.runs, (), checked=folder.verify(), now=NOW)
    text = (tmp_path / "r.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "sealed as &#x27;&lt;b&gt;.ipynb&#x27;" in text
    for live in ("<script", "<img", "<b>.ipynb", "<i>.ipynb"):
        assert live not in text


def _resave(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [('"version": 1,', '"version": 1.0,'), ('"nbformat": 4,', '"nbformat": 4.0e0,')],
)
def test_what_the_seal_takes_for_the_same_and_the_reader_refuses_is_changed(
    folder: Folder, old: str, new: str
) -> None:
    """A sealed run that another spelling of a number makes unreadable is changed, in verify and in lists."""
    _resave(folder.runs / "a.ipynb", old, new)
    (found,) = folder.verify().files
    assert (found.finding, found.what[0].partition(":")[0]) == ("changed", "it is unreadable now")
    with open_index(folder.runs, ring=folder.ring) as index:
        assert (index.find("a.ipynb").verdict, index.find("a.ipynb").seal) == ("tampered", "changed")


def test_a_run_that_was_sealed_folded_by_the_first_release_is_the_same_when_saved_again(
    folder: Folder,
) -> None:
    """A run that the first release sealed with folded cells is still valid when it is saved again."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["run_id"] = "folded"
    notebook["cells"][2]["metadata"]["jupyter"] = {"source_hidden": True}
    save(folder.runs, "proven", "b.ipynb", notebook)
    first = partial(form_of, first_release=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "form_of", first)
        folder.seal("b.ipynb")
    (folder.runs / "b.ipynb").write_text(json.dumps(notebook))
    assert folder.findings() == {"a.ipynb": "intact", "b.ipynb": "resaved"}


def test_a_killed_run_is_named_and_is_no_alarm(folder: Folder) -> None:
    """A killed, unsealed run is named without an alarm; a changed or missing run is still an alarm."""
    save(folder.runs, "killed")
    found = folder.verify()
    assert (found.ok, found.words) == (True, "in order; 1 run was killed before it could be sealed")
    assert [(each["path"], each["finding"]) for each in found.to_json()["files"]] == [
        ("killed.ipynb", "unsealed")
    ]
    sealed = folder.runs / "a.ipynb"
    sealed.write_text(sealed.read_text().replace("timeoutsvc", "othersvc"))
    assert folder.verify().words == "NOT in order; 1 run was killed before it could be sealed"
    sealed.unlink()
    assert not folder.verify().ok
