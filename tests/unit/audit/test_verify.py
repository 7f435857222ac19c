"""What `audit verify` says of runs that were overwritten, copied, moved below, or sealed by keys that may not."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit import seal
from ecr_widgets.audit.canonical import form_of
from ecr_widgets.audit.chain import chain_file, read_head
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.seal import retire_runs, seal_missing, seal_run
from ecr_widgets.audit.verify import Verification, verify
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
    """An edited run under a seal of the old key, dated before its end, is refused where newer seals stand before it."""
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
    """A second run under the same name is no quiet replacement of the first, however well it is sealed."""
    save(folder.runs, "failed", "a.ipynb", of_run("second"))
    folder.seal("a.ipynb", days=1)
    (found,) = folder.verify().files
    assert found.finding == "overwritten"
    assert "seal 1, was saved under this name before and is gone" in found.what[0]
    assert not folder.verify().ok


def test_a_run_that_was_resumed_overwrote_nothing(folder: Folder) -> None:
    """The same run sealed again, with more in it, is intact."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["reason"] = "resumed"
    save(folder.runs, "deployed", "a.ipynb", notebook)
    folder.seal("a.ipynb", days=1)
    assert folder.findings() == {"a.ipynb": "intact"}
    assert folder.verify().ok


def test_a_run_that_somebody_runs_anew_is_not_changed(folder: Folder) -> None:
    """While its lock is held it says nothing yet; killed, it is what it is: other than its seal."""
    running = recorded("killed")
    with SavedRun(running, folder.runs / "a.ipynb", redact=lambda text: text) as saved:
        saved.write()
        assert folder.findings() == {}
    assert folder.findings() == {"a.ipynb": "changed"}


def test_an_unknown_key_hides_no_change(folder: Folder, tmp_path: Path) -> None:
    """On another's machine a changed file is called changed, and one that says what its seal says `key unknown`."""
    save(folder.runs, "proven", "b.ipynb")
    folder.seal("b.ipynb")
    save(folder.runs, "proven", "b.ipynb", of_run("other", "proven"))
    mine = KeyRing(tmp_path / "mine")
    assert folder.findings(mine) == {"a.ipynb": "key unknown", "b.ipynb": "changed"}
    assert not folder.verify(mine).ok
    # Once for all the seals of a key.
    assert sum("not known here" in why for why in folder.verify(mine).chain) == 1


def test_a_run_sealed_in_a_folder_below_is_sealed(folder: Folder) -> None:
    """Papermill saves wherever it is told: the seal beside the file counts, a change and a loss there are found."""
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
    """`audit seal` leaves it to verify, which names the run that it is a copy of."""
    shutil.copy(folder.runs / "a.ipynb", folder.runs / "copy.ipynb")
    assert seal_missing(folder.runs, folder.names(), ring=folder.ring, now=NOW) == []
    told = {each.path: each for each in folder.verify().files}
    assert told["copy.ipynb"].what == ("its run is sealed as 'a.ipynb': a copy, or renamed",)


@pytest.mark.parametrize("n", [-50, 0])
def test_a_head_counts_from_1(n: int) -> None:
    """No other number is taken for a place in the chain."""
    with pytest.raises(InputError, match=r"not an exported head: .* >= 1"):
        read_head(f'{{"project": "x", "n": {n}, "sha256": "y"}}')


def test_what_was_removed_on_purpose_is_retired(folder: Folder) -> None:
    """Sealed as meant, it no longer stands in the way of `in order`; what is removed without a word still does."""
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


def test_an_overwritten_run_is_retired_and_the_next_one_is_told_again(folder: Folder) -> None:
    """In verify and in lists alike."""

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
    """Whoever removes a run cannot seal that as meant."""
    (folder.runs / "a.ipynb").unlink()
    retire_runs(folder.runs, ["a.ipynb"], ring=KeyRing(tmp_path / "forger"), now=NOW)
    assert folder.findings() == {"a.ipynb": "missing"}
    assert not folder.verify().ok


def test_what_a_seal_says_is_harmless_in_the_report(folder: Folder, tmp_path: Path) -> None:
    """Run ids and names of seals are text there, whatever stands in them."""
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
    """A sealed run that another spelling of a number makes unreadable is called changed, by verify and in lists."""
    _resave(folder.runs / "a.ipynb", old, new)
    (found,) = folder.verify().files
    assert (found.finding, found.what[0].partition(":")[0]) == ("changed", "it is unreadable now")
    with open_index(folder.runs, ring=folder.ring) as index:
        assert (index.find("a.ipynb").verdict, index.find("a.ipynb").seal) == ("tampered", "changed")


def test_a_run_that_was_sealed_folded_by_the_first_release_is_the_same_when_saved_again(
    folder: Folder,
) -> None:
    """Its seal holds how it was shown, and still fits."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["run_id"] = "folded"
    notebook["cells"][2]["metadata"]["jupyter"] = {"source_hidden": True}
    save(folder.runs, "proven", "b.ipynb", notebook)
    first = partial(form_of, first_release=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal, "form_of", first)
        folder.seal("b.ipynb")
    (folder.runs / "b.ipynb").write_text(json.dumps(notebook))
    assert folder.findings() == {"a.ipynb": "intact", "b.ipynb": "resaved"}
