"""Audits of runs wherever they are saved: in a folder, in moto's bucket, and in one of a real S3 server."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ecr_widgets.adapters.run_stores import bucket_store, store_of
from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.audit.attaching import attachable, find_attachable
from ecr_widgets.audit.attaching_notebook import read_notebook
from ecr_widgets.audit.canonical import form_of
from ecr_widgets.audit.day_files import compact
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.index import Index
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.retiring import retire_runs
from ecr_widgets.audit.sealed import why_altered
from ecr_widgets.audit.sealing import seal_finished_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.cli.audit import command
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.model.bucket_path import BucketPath, Place
from tests.audit.runs import KINDS, recorded
from tests.buckets import Buckets, all_objects, put_all

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def sealed() -> dict[str, dict[str, bytes]]:
    """All objects of the buckets whose runs the first test of each fixture and server has sealed there."""
    return {}


@pytest.fixture(params=["folder", "moto", "S3"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sealed: dict[str, dict[str, bytes]],
) -> Place:
    """A place with a sealed run of each kind."""
    if request.param == "folder":
        folder = tmp_path / "runs"
        folder.mkdir()
        save_each_kind(folder)
        return folder
    place = bucket_of(request, request.param, monkeypatch)
    if request.param in sealed:
        put_all(bucket_store(place), sealed[request.param])
    else:
        save_each_kind(place)
        sealed[request.param] = all_objects(bucket_store(place))
    return place


def save_each_kind(place: Place) -> None:
    for kind in KINDS:
        save(place, f"{run_id_of(kind)}-release.ipynb", recorded(kind))


def bucket_of(request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch) -> BucketPath:
    buckets: Buckets = request.getfixturevalue("buckets" if kind == "moto" else "s3")
    for name, value in buckets.environ.items():
        monkeypatch.setenv(name, value)
    return buckets.new_place()


def run_id_of(kind: str) -> str:
    return str(recorded(kind)["metadata"].get("ecr_widgets", {}).get("run_id", kind))


def save(place: Place, name: str, notebook: dict[str, Any], *, sealed: bool = True) -> None:
    store = store_of(place)
    stored = store.read(name)
    text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    store.put(name, text.encode(), replacing=stored and stored.stamp)
    if sealed:
        assert seal_finished_run(place / name) is None


def remove(place: Place, name: str) -> None:
    store = store_of(place)
    stored = store.read(name)
    assert stored is not None
    store.remove(name, stored.stamp)


def asked(place: Place, *words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--runs", str(place)])


def verified(place: Place) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(asked(place, "verify", "--json").output)
    return told


def test_runs_as_they_were_sealed_are_in_order(place: Place, tmp_path: Path) -> None:
    """Runs that are as they were sealed are all intact, by one key, and the report shows them."""
    told = verified(place)
    assert (told["ok"], told["counts"], told["chain"]) == (True, {"intact": len(KINDS)}, [])
    assert [key["seals"] for key in told["keys"]] == [len(KINDS)]
    out = tmp_path / "report.html"
    assert asked(place, "report", "--out", str(out)).exit_code == 0
    page = out.read_text()
    assert "every run says what was sealed" in page or "in order" in page
    assert run_id_of("deployed") in page


def test_what_became_of_runs_since_is_found(place: Place) -> None:
    """A changed, a missing, an unsealed, a resealed and an overwritten run are each reported as such."""
    names = {kind: f"{run_id_of(kind)}-release.ipynb" for kind in KINDS}
    changed = recorded("failed")
    changed["metadata"]["ecr_widgets"]["actor"] = "eve"
    save(place, names["failed"], changed, sealed=False)
    remove(place, names["deployed"])
    save(
        place,
        "unsealed.ipynb",
        recorded("papermill") | {"metadata": recorded("papermill")["metadata"] | {"x": 1}},
        sealed=False,
    )
    again = recorded("interrupted")
    again["metadata"]["ecr_widgets"]["actor"] = "eve"
    save(place, names["interrupted"], again)
    save(place, names["proven"], recorded("failed"))
    told = verified(place)
    found = {each["path"]: each["finding"] for each in told["files"]}
    assert found == {
        names["failed"]: "changed",
        names["deployed"]: "missing",
        "unsealed.ipynb": "unsealed",
        names["interrupted"]: "resealed",
        names["proven"]: found[names["proven"]],
    }
    assert found[names["proven"]] in ("overwritten", "resealed")
    assert (told["ok"], told["chain"]) == (False, [])


def test_what_was_killed_before_its_seal_is_sealed_later(place: Place) -> None:
    """A run that was not sealed is sealed once by `audit seal`, and a copy of a sealed run is not."""
    late, copy = recorded("failed"), recorded("deployed")
    late["metadata"]["ecr_widgets"]["run_id"] = "20261120T101010Z-abcdef"
    save(place, "20261120T101010Z-abcdef-release.ipynb", late, sealed=False)
    save(place, "a-copy.ipynb", copy, sealed=False)
    first, second = asked(place, "seal"), asked(place, "seal")
    assert first.output.split() == ["20261120T101010Z-abcdef-release.ipynb"]
    assert (second.stdout, second.exit_code) == ("", 0)
    assert {each["path"] for each in verified(place)["files"]} == {"a-copy.ipynb"}


def test_a_head_tells_that_the_newest_seals_were_cut_off(place: Place, tmp_path: Path) -> None:
    """With an exported head, `audit verify` finds that the newest seals and their runs were removed."""
    head = tmp_path / "head.txt"
    head.write_text(asked(place, "head").output)
    assert asked(place, "verify", "--head", str(head)).exit_code == 0
    last = f"{run_id_of(KINDS[-1])}-release.ipynb"
    remove(place, last)
    if isinstance(place, Path):
        chain = place / "seals.jsonl"
        lines = chain.read_bytes().splitlines(keepends=True)
        chain.write_bytes(b"".join(lines[:-2] if lines[-2].startswith(b'{"row"') else lines[:-1]))
    else:
        remove(place, [*bucket_store(place).names(prefix="seals/")][-1])
        remove(place, f"sealed/{last}.json")
    assert verified(place)["ok"]
    said = asked(place, "verify", "--head", str(head))
    assert (said.exit_code, "the newest were cut off" in said.output) == (1, True), said.output


def test_seals_of_runs_that_acted_on_images_can_be_attached(place: Place) -> None:
    """Sealed runs that acted on images can be attached, all or one by its id, with the notebook as it was sealed."""
    ring, run_id = default_ring(), run_id_of("deployed")
    assert run_id in {each.seal.run_id for each in attachable(place, ring)}
    found = find_attachable(place, run_id, ring)
    assert found.seal.path == f"{run_id}-release.ipynb"
    assert json.loads(read_notebook(place, found, lambda _: False)) == recorded("deployed")
    with pytest.raises(InputError, match="is not sealed"):
        find_attachable(place, "nobody", ring)
    save(place, found.seal.path, recorded("deployed") | {"nbformat_minor": 4}, sealed=False)
    with pytest.raises(RecordError, match="saved again since it was sealed"):
        read_notebook(place, found, lambda _: False)


def listed(place: Place) -> dict[str, str | None]:
    """Return what a list says about each run's seal."""
    with Index(place, None, ring=default_ring()) as index:
        index.update()
        return {row.path: row.seal for row in index.rows()}


def test_what_was_removed_on_purpose_is_retired(place: Place) -> None:
    """A removed run can be retired and is no longer missing; if one of the names was never sealed, none is retired."""
    name = f"{run_id_of('deployed')}-release.ipynb"
    remove(place, name)
    refused = asked(place, "retire", name, "nobody.ipynb")
    assert (refused.exit_code, "'nobody.ipynb' was never sealed" in refused.output) == (1, True)
    assert verified(place)["counts"]["missing"] == 1
    retired = asked(place, "retire", name)
    assert (retired.exit_code, retired.output.split()) == (0, [name]), retired.output
    told = verified(place)
    assert (told["ok"], told["counts"], told["chain"]) == (
        True,
        {"intact": len(KINDS) - 1, "retired": 1},
        [],
    )


def test_an_overwritten_run_is_retired_and_the_next_one_is_told_again(place: Place) -> None:
    """An overwritten run can be retired, and the next overwrite is reported again, in verify and in lists."""
    name = "fixed.ipynb"

    def said() -> tuple[str, str | None]:
        found = {each["path"]: each["finding"] for each in verified(place)["files"]}
        return found.get(name, "intact"), listed(place)[name]

    finding = {0: "intact", 1: "overwritten", 2: "intact", 3: "overwritten"}
    for number, expected in finding.items():
        save(place, name, of_its_own(number))
        assert said() == (expected, expected)
        if number == 1:
            assert asked(place, "retire", name).exit_code == 0
            assert said() == ("intact", "intact")


def test_nobody_retires_what_another_has_sealed(place: Place, tmp_path: Path) -> None:
    """Retiring a run that another key sealed is refused, and the run stays missing."""
    name = f"{run_id_of('deployed')}-release.ipynb"
    remove(place, name)
    with pytest.raises(RecordError, match="is another's"):
        retire_runs(place, [name], ring=KeyRing(tmp_path / "theirs"), now=datetime.now(UTC))
    assert verified(place)["counts"]["missing"] == 1


def altered(place: Place, name: str, *, ring: KeyRing | None = None) -> str:
    """Return why the run of that name is not resumed."""
    stored = store_of(place).read(name)
    assert stored is not None
    run_id = json.loads(stored.content)["metadata"]["ecr_widgets"]["run_id"]
    return why_altered(place, name, run_id, stored.content, ring=ring or default_ring())


def edited(notebook: dict[str, Any], **members: Any) -> dict[str, Any]:
    notebook["metadata"]["ecr_widgets"] |= members
    return notebook


def test_what_is_resumed_is_what_was_sealed_or_was_never_sealed(place: Place, tmp_path: Path) -> None:
    """A run can be resumed if it is as it was sealed, by any key, or was never sealed; a changed one cannot."""
    name = f"{run_id_of('failed')}-release.ipynb"
    stranger = KeyRing(tmp_path / "theirs")
    assert altered(place, name) == altered(place, name, ring=stranger) == ""
    store = store_of(place)
    stored = store.read(name)
    assert stored is not None
    store.put(name, json.dumps(json.loads(stored.content)).encode(), replacing=stored.stamp)
    assert altered(place, name) == ""
    save(place, name, edited(recorded("failed"), actor="eve"), sealed=False)
    assert (
        altered(place, name)
        == altered(place, name, ring=stranger)
        == "was changed since it was sealed: metadata ecr_widgets was changed"
    )
    save(place, name, of_its_own(9), sealed=False)
    assert altered(place, name) == ""


def test_a_run_that_was_killed_again_has_the_seal_of_its_attempt_before(place: Place) -> None:
    """A killed run whose sealed attempt is listed in it can be resumed; a made-up or successful attempt does not count."""
    name = f"{run_id_of('failed')}-release.ipynb"
    stored = store_of(place).read(name)
    assert stored is not None
    ended = recorded("failed")["metadata"]["ecr_widgets"]["ended_at"]
    attempt = {"state": "failed", "ended_at": ended, "records": []}
    hashed = attempt | {"form_sha256": form_of(stored.content).sha256}
    save(place, name, edited(recorded("failed"), state="running", attempts=[hashed]), sealed=False)
    assert altered(place, name) == ""
    hashed["form_sha256"] = "0" * 64
    save(place, name, edited(recorded("failed"), state="running", attempts=[hashed]), sealed=False)
    assert altered(place, name).startswith("was changed since it was sealed")
    name = f"{run_id_of('deployed')}-release.ipynb"
    stored = store_of(place).read(name)
    assert stored is not None
    attempt = {"state": "failed", "form_sha256": form_of(stored.content).sha256, "records": []}
    save(place, name, edited(recorded("deployed"), state="running", attempts=[attempt]), sealed=False)
    assert altered(place, name).startswith("was changed since it was sealed")


@pytest.fixture(params=["moto", "S3"])
def days(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, sealed: dict[str, dict[str, bytes]]
) -> tuple[BucketPath, list[datetime]]:
    """A bucket with two runs on each of two days, and a clock that can be set."""
    place, clock = bucket_of(request, request.param, monkeypatch), [MIDNIGHT]
    monkeypatch.setattr(S3Store, "now", lambda self: clock[0])
    days = f"days on {request.param}"
    if days in sealed:
        put_all(bucket_store(place), sealed[days])
    else:
        for number, ago in enumerate((-20, -10, 10, 20)):
            clock[0] = MIDNIGHT + timedelta(minutes=ago)
            save(place, f"run-{number}.ipynb", of_its_own(number))
        sealed[days] = all_objects(bucket_store(place))
    clock[0] = MIDNIGHT + timedelta(minutes=20)
    return place, clock


def of_its_own(number: int) -> dict[str, Any]:
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["run_id"] = f"20261121T120000Z-{number:06}"
    return notebook


def checked(place: BucketPath) -> Verification:
    store = bucket_store(place)
    return verify(place, [name for name in store.names() if name.endswith(".ipynb")], ring=default_ring())


def test_a_day_follows_the_one_before(days: tuple[BucketPath, list[datetime]]) -> None:
    """If a day's last seals or all of them are removed, `audit verify` reports it at the next day."""
    place, _ = days
    assert checked(place).ok
    for name in ("seals/2026/11/21/000000000002.json", "seals/2026/11/21/000000000001.json"):
        remove(place, name)
        (why,) = checked(place).chain
        assert "seals/2026/11/22/: it " in why
        assert "missing" in why or "removed" in why


def test_a_seal_that_came_to_its_day_after_midnight_is_in_order(
    days: tuple[BucketPath, list[datetime]],
) -> None:
    """A seal that was added to its day after midnight is in order, although the next day had begun."""
    place, clock = days
    clock[0] = MIDNIGHT - timedelta(seconds=1)
    save(place, "late.ipynb", of_its_own(9))
    clock[0] = MIDNIGHT + timedelta(hours=1)
    assert checked(place).ok


def test_a_run_is_retired_on_another_day_than_it_was_sealed_on(
    days: tuple[BucketPath, list[datetime]], tmp_path: Path
) -> None:
    """A run can be retired on another day than it was sealed on, before and after the days are compacted."""
    place, clock = days
    for number, minute in ((4, 30), (5, 40)):
        clock[0] = MIDNIGHT + timedelta(days=number - 4, minutes=minute)
        save(place, "fixed.ipynb", of_its_own(number))
    assert listed(place)["fixed.ipynb"] == "overwritten"
    clock[0] += timedelta(days=1)
    assert asked(place, "retire", "fixed.ipynb").exit_code == 0
    assert checked(place).ok

    def by_parts() -> str | None:
        with Index(place, tmp_path / f"{clock[0]:%d}.sqlite", ring=default_ring()) as index:
            index.update((MIDNIGHT + timedelta(days=2)).date())
            index.update()
            return {row.path: row.seal for row in index.rows()}["fixed.ipynb"]

    assert (listed(place)["fixed.ipynb"], by_parts()) == ("intact", "intact")
    clock[0] += timedelta(days=2)
    assert len(list(compact(bucket_store(place)))) == 4
    assert (listed(place)["fixed.ipynb"], by_parts()) == ("intact", "intact")


def test_of_two_who_compact_at_once_one_writes_each_day(
    days: tuple[BucketPath, list[datetime]], request: pytest.FixtureRequest
) -> None:
    """If two compact at the same time, each day's file is written by one of them, and the list is whole."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto lets two win")
    place, clock = days
    clock[0] = MIDNIGHT + timedelta(days=2)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: list(compact(bucket_store(place))), range(2)))
    names = [f"rows/2026-11-2{day}.parquet" for day in (1, 2)]
    assert list(bucket_store(place).names(prefix="rows/")) == names
    written = [each.name for done in both for each in done if not each.why_not]
    assert sorted(written) == names
    told = json.loads(asked(place, "list", "--json").output)
    assert {(row["path"], row["seal"]) for row in told} == {(f"run-{n}.ipynb", "intact") for n in range(4)}
