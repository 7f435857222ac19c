"""Runs in a bucket are listed like those of a folder: from seals, with a look at what was stored since."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.audit import run_files, sealing
from ecr_widgets.audit.index import Index, open_index
from ecr_widgets.audit.keys import KeyFile, default_ring
from ecr_widgets.audit.seal import read_links
from ecr_widgets.audit.seal_objects import seal_name
from ecr_widgets.cli.audit import command
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.panels.runs import open_runs
from tests.audit.runs import KINDS, recorded
from tests.buckets import Buckets, all_objects, put_all
from tests.unit.audit.test_sealed_rows import NOW, save


@dataclass
class Bucket:
    """Runs in a bucket, with a record of which objects were read."""

    place: BucketPath
    read: list[str] = field(default_factory=list)

    def put(self, kind: str, name: str = "", notebook: dict[str, Any] | None = None) -> BucketPath:
        """Store a recorded run, replacing what is there."""
        store, name = bucket_store(self.place), f"{name or kind}.ipynb"
        stored = store.read(name)
        text = json.dumps(notebook or recorded(kind), ensure_ascii=False, indent=1) + "\n"
        store.put(name, text.encode(), replacing=stored and stored.stamp)
        return self.place / name

    def seal(self, kind: str, name: str = "", notebook: dict[str, Any] | None = None) -> None:
        """Store a run and seal it as the engine does."""
        assert sealing.seal_finished_run(self.put(kind, name, notebook)) is None

    def rows(self) -> dict[str, tuple[str, str | None]]:
        """Return verdict and seal by name, as a new list shows them."""
        self.read.clear()
        with Index(self.place, None, ring=default_ring()) as index:
            index.update()
            return {row.path.removesuffix(".ipynb"): (row.verdict, row.seal) for row in index.rows()}


@pytest.fixture(scope="module")
def made(buckets: Buckets) -> dict[str, bytes]:
    """Return all objects of a bucket with one sealed run of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        bucket = bucket_of(buckets, patch)
        for kind in KINDS:
            bucket.seal(kind)
        return all_objects(bucket_store(bucket.place))


def bucket_of(buckets: Buckets, patch: pytest.MonkeyPatch) -> Bucket:
    for name, value in buckets.environ.items():
        patch.setenv(name, value)
    return Bucket(buckets.new_place())


@pytest.fixture
def bucket(buckets: Buckets, made: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Such a bucket, for one test."""
    bucket = bucket_of(buckets, monkeypatch)
    put_all(bucket_store(bucket.place), made)
    real = run_files.StoreFiles.read

    def read(self: run_files.StoreFiles, name: str) -> bytes:
        bucket.read.append(name)
        return real(self, name)

    monkeypatch.setattr(run_files.StoreFiles, "read", read)
    return bucket


def test_a_list_is_that_of_a_folder_with_the_same_runs(bucket: Bucket, tmp_path: Path) -> None:
    """A bucket's list equals that of a folder with the same runs, and reads only the killed run's notebook."""
    for kind in KINDS:
        save(tmp_path / "runs", kind)
        sealing.seal_run(tmp_path / "runs", f"{kind}.ipynb", ring=default_ring(), now=NOW)
    with open_index(tmp_path / "runs") as index:
        of_folder = [row.to_json() for row in index.rows()]
    with open_index(bucket.place) as index:
        assert [row.to_json() for row in index.rows()] == of_folder
    assert [name for name in bucket.read if name.endswith(".ipynb")] == ["killed.ipynb"]


def test_what_was_stored_since_is_hashed_and_what_changed_is_tampered(bucket: Bucket) -> None:
    """A notebook stored again after its seal is intact if its bytes are the same, and tampered if they are not."""
    before = bucket.rows()
    assert before["deployed"] == ("proven", "intact")
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["actor"] = "eve"
    bucket.put("failed", notebook=notebook)
    bucket.put("proven", name="unsealed")
    store = bucket_store(bucket.place)
    stored = store.read("deployed.ipynb")
    assert stored is not None
    store.remove("deployed.ipynb", stored.stamp)
    after = bucket.rows()
    changes = {"failed": ("tampered", "changed"), "unsealed": ("proven", "unsealed")}
    assert after == {name: each for name, each in before.items() if name != "deployed"} | changes


def test_a_run_that_was_sealed_again_or_over_another_is_found(bucket: Bucket) -> None:
    """A run sealed again with other content, or sealed over another run, is reported as it is in a folder."""
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["actor"] = "eve"
    bucket.seal("failed", notebook=notebook)
    bucket.seal("proven", name="deployed")
    rows = bucket.rows()
    assert rows["failed"] == ("tampered", "resealed")
    assert rows["deployed"] == ("proven", "overwritten")


def test_a_seal_that_was_changed_shows_no_row(bucket: Bucket) -> None:
    """If a seal was changed, a list does not show what its row claims."""
    store = bucket_store(bucket.place)
    name = next(iter(store.names(prefix="seals/")))
    for old, new in ((b'"root"', b'"evil"'), (b'{"mediaType"', b'{"mediatype"')):
        stored = store.read(name)
        assert stored is not None
        assert old in stored.content
        store.put(name, stored.content.replace(old, new, 1), replacing=stored.stamp)
        with Index(bucket.place, None, ring=default_ring()) as index:
            index.update()
            assert {row.actor for row in index.rows()} <= {"root", None}


def test_an_index_on_disk_reads_what_is_new(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index on disk reads only new seals and runs, and finds a run by its address or id."""
    with open_index(bucket.place) as index:
        row = index.find(str(bucket.place / "deployed.ipynb"))
        assert index.find(str(row.run_id)[:-2]) == row
        with pytest.raises(RecordError):
            index.find("s3://x")
    asked: list[str] = []
    store = bucket_store(bucket.place)
    real = type(store).read
    monkeypatch.setattr(type(store), "read", lambda self, name: (asked.append(name), real(self, name))[1])
    with open_index(bucket.place) as index:
        assert len(list(index.rows())) == len(KINDS)
    assert asked == []
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["run_id"] = "20261126T000000Z-0a0a0a"
    bucket.seal("failed", name="next", notebook=notebook)
    asked.clear()
    with open_index(bucket.place) as index:
        assert {row.path: row.seal for row in index.rows()}["next.ipynb"] == "intact"
    (one,) = set(asked)
    assert one.startswith("seals/")


def test_commands_and_panels_take_a_bucket(bucket: Bucket) -> None:
    """`audit list`, `show`, `compare`, `figures` and the runs panel accept a bucket."""
    place = str(bucket.place)
    told = json.loads(CliRunner().invoke(command, ["list", "--runs", place, "--json"]).output)
    assert {row["path"] for row in told} == {f"{kind}.ipynb" for kind in KINDS}
    shown = CliRunner().invoke(command, ["show", "deployed.ipynb", "--runs", place])
    assert "✓ verify succeeded" in shown.output, shown.output
    compared = CliRunner().invoke(command, ["compare", "deployed.ipynb", "failed.ipynb", "--runs", place])
    assert "verdict: proven → failed" in compared.output
    assert "demo/timeoutsvc" in CliRunner().invoke(command, ["figures", "--runs", place]).output
    panel = open_runs(place)
    assert "proven" in panel.panel().picture().to_text()
    assert panel._checked()["counts"] == {"intact": len(KINDS)}


def test_a_bucket_that_is_not_there_is_a_failure_in_words(bucket: Bucket) -> None:
    """A missing bucket makes each command exit with 1 and name the bucket and the request."""
    for words in (["list"], ["verify"], ["compact"], ["head"]):
        said = CliRunner().invoke(command, [*words, "--runs", "s3://no-such-bucket/runs"])
        assert (said.exit_code, "s3://no-such-bucket/runs did not" in said.output) == (1, True), said.output


def test_a_seal_is_made_without_a_look_at_all_seals_of_the_day(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealing a run reads only the newest seal and that run's own, not all of the day's."""
    store = bucket_store(bucket.place)
    seals: list[str] = []
    real = type(store).read

    def read(self: Any, name: str, **more: Any) -> Any:
        seals.extend([name] if name.startswith("seals/") else [])
        return real(self, name, **more)

    monkeypatch.setattr(type(store), "read", read)
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["run_id"] = "20261126T000000Z-0a0a0a"
    bucket.seal("failed", name="20261126T000000Z-0a0a0a-next", notebook=notebook)
    newest = [*store.names(prefix="seals/")]
    assert seals == [newest[-2]]
    bucket.seal("failed", name="20261126T000000Z-0a0a0a-next", notebook=notebook)
    assert [*store.names(prefix="seals/")] == newest


def test_the_first_seal_of_a_day_follows_the_newest_of_sixty_days(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day's first seal follows the newest of the last 60 days; a bucket without one takes a single request to know that."""
    bucket, listed = bucket_of(buckets, monkeypatch), []
    real = S3Store.names

    def names(self: S3Store, **more: Any) -> Any:
        listed.append(more["prefix"])
        return real(self, **more)

    monkeypatch.setattr(S3Store, "names", names)
    follows = []
    for number, days in enumerate((0, 60, 121)):
        now = NOW + timedelta(days=days)
        monkeypatch.setattr(S3Store, "now", lambda self, now=now: now)
        bucket.seal(KINDS[number])
        if days == 0:
            assert listed == [f"seals/{NOW:%Y/%m/%d}/", "seals/"]
        stored = bucket_store(bucket.place).read(seal_name(now, 1))
        assert stored is not None
        follows += [link.seal.chain.previous is not None for link in read_links(stored.content) if link.seal]
    assert follows == [False, True, False]


def test_one_signature_vouches_for_the_seals_of_a_day(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list checks one signature for all seals of a day by the same key."""
    checked: list[str] = []
    real = KeyFile.signed

    def signed(self: KeyFile, content: bytes, signature: bytes) -> bool:
        checked.append(self.key)
        return real(self, content, signature)

    monkeypatch.setattr(KeyFile, "signed", signed)
    assert len(bucket.rows()) == len(KINDS)
    assert len(checked) == 1
