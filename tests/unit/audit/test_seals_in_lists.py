"""Lists show a changed run as tampered everywhere, and mark an unsealed one."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecr_widgets.audit.chain import chain_file
from ecr_widgets.audit.chain_check import Trouble, Watcher
from ecr_widgets.audit.index import Index, open_index
from ecr_widgets.audit.index_file import index_file
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.query import Query
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.seal import Link
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.showing import show_run
from ecr_widgets.cli.audit import command
from ecr_widgets.panels.runs import open_runs
from tests.audit.runs import forge, generate, save, seals_in

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two sealed runs and a copy without a seal."""
    folder = tmp_path / "runs"
    for kind in ("deployed", "failed"):
        save(folder, kind)
        seal_run(folder, f"{kind}.ipynb", ring=default_ring(), now=NOW)
    shutil.copy(folder / "deployed.ipynb", folder / "copy.ipynb")
    return folder


def seals(folder: Path, ring: KeyRing | None = None) -> dict[str, tuple[str, str | None]]:
    with open_index(folder, ring=ring) as index:
        return {row.path.removesuffix(".ipynb"): (row.verdict, row.seal) for row in index.rows()}


def change(folder: Path, name: str = "deployed.ipynb") -> None:
    path = folder / name
    path.write_text(path.read_text().replace('"actor": "root"', '"actor": "eve"'))


def test_seals_stand_beside_verdicts(runs: Path) -> None:
    """A sealed run is intact, a copy unsealed, a changed one tampered; it is proven again when the change is undone."""
    before = (runs / "deployed.ipynb").read_text()
    expected = {
        "deployed": ("proven", "intact"),
        "failed": ("failed", "intact"),
        "copy": ("proven", "unsealed"),
    }
    assert seals(runs) == expected
    change(runs)
    assert seals(runs) == expected | {"deployed": ("tampered", "changed")}
    (runs / "deployed.ipynb").write_text(json.dumps(json.loads(before)))
    assert seals(runs) == expected | {"deployed": ("proven", "resaved")}
    (runs / "deployed.ipynb").write_text(before)
    assert seals(runs) == expected


def test_a_tampered_run_is_called_so_everywhere(runs: Path, tmp_path: Path) -> None:
    """List, filter, show, report, timeline and panel show a tampered run as such, and mark unsealed ones."""
    change(runs)
    told = CliRunner().invoke(command, ["list", "--runs", str(runs), "--state", "tampered"]).output
    assert told.splitlines()[1].startswith("tampered ")
    assert "deployed.ipynb  (metadata ecr_widgets was changed)" in told
    assert "(unsealed)" in CliRunner().invoke(command, ["list", "--runs", str(runs)]).output
    shown = CliRunner().invoke(command, ["show", "deployed.ipynb", "--runs", str(runs)]).output
    assert "because metadata ecr_widgets was changed" in shown
    assert "seal: changed" in shown
    with open_index(runs) as index:
        rows = list(index.rows(Query(state="tampered")))
        assert show_run(runs, rows[0])["verdict"] == "tampered"
        write_report(tmp_path / "r.html", runs, index.rows(), checked=None, now=NOW)
    text = (tmp_path / "r.html").read_text()
    assert text.count("⚠ tampered") >= 2
    assert "unsealed" in text
    panel = open_runs(runs)
    assert "tampered" in panel.panel().picture().to_text()
    assert "⚠" in panel.timeline().picture.to_text()


def test_what_was_a_run_and_is_none_any_more_is_tampered(runs: Path) -> None:
    """A sealed run without the kit's metadata is tampered, not foreign."""
    (runs / "deployed.ipynb").write_text('{"cells":[],"metadata":{},"nbformat":4}')
    (runs / "foreign.ipynb").write_text('{"cells":[],"metadata":{},"nbformat":4}')
    assert seals(runs)["deployed"] == ("tampered", "changed")
    assert seals(runs)["foreign"] == ("foreign", None)


def _forge(folder: Path) -> None:
    chain = chain_file(folder)
    first, *others = seals_in(chain.read_bytes())
    chain.write_bytes(b"".join((forge(first, (b'"actor":"root"', b'"actor":"evil"')), *others)))


CHANGES: dict[str, tuple[Callable[[Path], object], tuple[str, str]]] = {
    "sealed again": (
        lambda runs: (change(runs), seal_run(runs, "deployed.ipynb", ring=default_ring(), now=NOW)),
        ("tampered", "resealed"),
    ),
    "another run": (
        lambda runs: (
            save(runs, "proven", "deployed.ipynb"),
            seal_run(runs, "deployed.ipynb", ring=default_ring(), now=NOW),
        ),
        ("proven", "overwritten"),
    ),
    "chain forged": (_forge, ("tampered", "broken seal")),
    "chain gone": (lambda runs: chain_file(runs).unlink(), ("proven", "unsealed")),
    "key gone": (lambda _: [f.unlink() for f in default_ring().folder.iterdir()], ("proven", "key unknown")),
    "key retired": (
        lambda _: default_ring().rotate(now=NOW - timedelta(days=1)),
        ("tampered", "broken seal"),
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_happens_to_seals_and_keys_shows_in_the_next_list(runs: Path, case: str) -> None:
    """After a change of seals or keys, an updated index equals a new one."""
    assert seals(runs)["deployed"] == ("proven", "intact")
    act, expected = CHANGES[case]
    act(runs)
    found = seals(runs)
    assert found["deployed"] == expected
    with Index(runs, None, ring=default_ring()) as anew:
        anew.update()
        assert found == {row.path.removesuffix(".ipynb"): (row.verdict, row.seal) for row in anew.rows()}


def test_a_chain_that_grew_is_read_from_where_it_ended(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a new seal, an update looks only at that seal."""
    assert seals(runs)["copy"] == ("proven", "unsealed")
    save(runs, "proven")
    seal_run(runs, "proven.ipynb", ring=default_ring(), now=NOW)
    looked = []
    from ecr_widgets.audit import folder_seals

    real = folder_seals.Watcher.look_at

    def look_at(self: Watcher, links: Iterable[Link]) -> Iterator[tuple[Link, Trouble | None]]:
        for link, trouble in real(self, links):
            looked.append(link.seal and link.seal.path)
            yield link, trouble

    monkeypatch.setattr(folder_seals.Watcher, "look_at", look_at)
    assert seals(runs)["proven"] == ("proven", "intact")
    assert looked == ["proven.ipynb"]


def _rebuild(folder: Path, barrier: Any, failed: Any) -> None:
    barrier.wait()
    for _ in range(5):
        try:
            with open_index(folder, rebuild=True) as index:
                assert len(list(index.rows())) == 40
        except Exception as error:  # noqa: BLE001 -- told to the test
            failed.put(repr(error))


def test_several_rebuild_at_once(tmp_path: Path) -> None:
    """Four processes that rebuild the index at the same time all see every run."""
    generate(tmp_path / "runs", 40, size_bytes=1)
    context = multiprocessing.get_context("fork")
    barrier, failed = context.Barrier(4), context.Queue()
    others = [context.Process(target=_rebuild, args=(tmp_path / "runs", barrier, failed)) for _ in range(4)]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert failed.empty(), failed.get()
    assert [each.exitcode for each in others] == [0] * 4


def test_a_broken_index_that_another_has_open_is_left_in_its_place(tmp_path: Path) -> None:
    """A broken index file that another process has open is not replaced; the list is made in memory."""
    save(tmp_path / "runs", "proven")
    with open_index(tmp_path / "runs"):
        file = index_file(tmp_path / "runs")
        inode = file.stat().st_ino
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink()
        file.write_bytes(b"nonsense" * 2000)
        with open_index(tmp_path / "runs") as other:
            assert [row.path for row in other.rows()] == ["proven.ipynb"]
        assert file.stat().st_ino == inode
