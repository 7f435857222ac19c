"""What every store of saved runs promises."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.adapters.folder_store import FolderStore
from ecr_widgets.errors import Replaced
from ecr_widgets.ports.run_store import RunStore
from tests.buckets import Buckets


@pytest.fixture(params=["folder", "moto", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "folder":
        return FolderStore(tmp_path)
    buckets: Buckets = request.getfixturevalue("buckets" if request.param == "moto" else "s3")
    return buckets.store()


def test_what_was_put_is_read_with_its_stamp(store: RunStore) -> None:
    """Content and stamp are those of the last put; a name that nobody has put reads as nothing."""
    assert store.read("a") is None
    first = store.put("a", b"1", replacing=None)
    assert store.read("a") == (b"1", first)
    second = store.put("a", b"2", replacing=first, final=False)
    assert store.read("a") == (b"2", second)
    assert first != second


def test_nothing_is_put_over_what_was_not_read(store: RunStore) -> None:
    """Neither where there is something already nor where it is another by now; what is there stays."""
    old = store.put("a", b"1", replacing=None)
    new = store.put("a", b"2", replacing=old)
    for stamp in (None, old):
        with pytest.raises(Replaced):
            store.put("a", b"3", replacing=stamp)
    with pytest.raises(Replaced):
        store.put("missing", b"3", replacing=new)
    assert store.read("a") == (b"2", new)
    assert list(store.names()) == ["a"]


def test_of_many_that_put_a_new_name_one_wins(store: RunStore, request: pytest.FixtureRequest) -> None:
    """The others are told, and the content is the winner's."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto lets two win")
    won: list[bytes] = []
    ready = threading.Barrier(8)

    def put(content: bytes) -> None:
        ready.wait()
        try:
            store.put("a", content, replacing=None)
        except Replaced:
            return
        won.append(content)

    threads = [threading.Thread(target=put, args=(str(number).encode(),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.read("a")
    assert stored is not None
    assert won == [stored.content]


def test_what_was_read_can_be_removed(store: RunStore) -> None:
    """Once, and nothing else than that; a name that is gone already is no error."""
    old = store.put("a", b"1", replacing=None)
    new = store.put("a", b"2", replacing=old)
    with pytest.raises(Replaced):
        store.remove("a", old)
    store.remove("a", new)
    store.remove("a", new)
    assert store.read("a") is None


def test_names_are_in_order_and_begin_behind_one(store: RunStore) -> None:
    """Run ids sort by time, so whoever knows one finds what came later."""
    for name in ("b", "c", "a"):
        store.put(name, b"", replacing=None)
    assert list(store.names()) == ["a", "b", "c"]
    assert list(store.names(after="a")) == ["b", "c"]


def test_stamps_are_those_that_a_name_is_read_with(store: RunStore) -> None:
    """What was replaced since has another one, so that whoever kept it need not read."""
    for name in ("b", "c", "a"):
        store.put(name, name.encode(), replacing=None)
    stamps = dict(store.stamps())
    assert list(stamps) == ["a", "b", "c"]
    assert stamps == {name: stored.stamp for name in stamps if (stored := store.read(name))}
    store.put("b", b"other", replacing=stamps["b"])
    changed = dict(store.stamps(after="a"))
    assert (changed["c"], changed["b"] != stamps["b"]) == (stamps["c"], True)


def test_names_with_a_prefix_are_found_alone(store: RunStore) -> None:
    """A run is found by its id without a look at all others, and what is no run is in nobody's way."""
    for name in ("a-1.ipynb", "b-1.ipynb", "b-2.ipynb", "c-1.ipynb"):
        store.put(name, b"", replacing=None)
    assert list(store.names(prefix="b-")) == ["b-1.ipynb", "b-2.ipynb"]
    assert list(store.names(prefix="b-", after="b-1.ipynb")) == ["b-2.ipynb"]


def test_many_are_read_in_order(store: RunStore) -> None:
    """Those that are gone by then are left out."""
    names = [f"{number:03}" for number in range(70)]
    for name in names[1:]:
        store.put(name, name.encode(), replacing=None)
    assert list(store.contents(names)) == [name.encode() for name in names[1:]]


def test_the_stores_time_is_now(store: RunStore) -> None:
    """Aware, and not another day than this machine's."""
    assert abs(store.now() - datetime.now(UTC)) < timedelta(days=1)
