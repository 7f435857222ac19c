"""What every store of saved runs guarantees."""

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
    """A read returns content and stamp of the last put, and None for an unknown name."""
    assert store.read("a") is None
    first = store.put("a", b"1", replacing=None)
    assert store.read("a") == (b"1", first)
    second = store.put("a", b"2", replacing=first, final=False)
    assert store.read("a") == (b"2", second)
    assert first != second


def test_nothing_is_put_over_what_was_not_read(store: RunStore) -> None:
    """A put with an old stamp, or without one over existing content, is refused and changes nothing."""
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
    """If several put a new name at the same time, one wins and the others are refused."""
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
    """A name is removed only with its current stamp, and removing it again is no error."""
    old = store.put("a", b"1", replacing=None)
    new = store.put("a", b"2", replacing=old)
    with pytest.raises(Replaced):
        store.remove("a", old)
    store.remove("a", new)
    store.remove("a", new)
    assert store.read("a") is None


def test_names_are_in_order_and_begin_behind_one(store: RunStore) -> None:
    """Names are listed in order, and can start after a given one."""
    for name in ("b", "c", "a"):
        store.put(name, b"", replacing=None)
    assert list(store.names()) == ["a", "b", "c"]
    assert list(store.names(after="a")) == ["b", "c"]


def test_stamps_are_those_that_a_name_is_read_with(store: RunStore) -> None:
    """Listed stamps equal those of a read, and change when the content is replaced."""
    for name in ("b", "c", "a"):
        store.put(name, name.encode(), replacing=None)
    stamps = dict(store.stamps())
    assert list(stamps) == ["a", "b", "c"]
    assert stamps == {name: stored.stamp for name in stamps if (stored := store.read(name))}
    store.put("b", b"other", replacing=stamps["b"])
    changed = dict(store.stamps(after="a"))
    assert (changed["c"], changed["b"] != stamps["b"]) == (stamps["c"], True)


def test_names_with_a_prefix_are_found_alone(store: RunStore) -> None:
    """Names can be listed by prefix."""
    for name in ("a-1.ipynb", "b-1.ipynb", "b-2.ipynb", "c-1.ipynb"):
        store.put(name, b"", replacing=None)
    assert list(store.names(prefix="b-")) == ["b-1.ipynb", "b-2.ipynb"]
    assert list(store.names(prefix="b-", after="b-1.ipynb")) == ["b-2.ipynb"]


def test_many_are_read_in_order(store: RunStore) -> None:
    """Several names are read in the given order, and missing ones are skipped."""
    names = [f"{number:03}" for number in range(70)]
    for name in names[1:]:
        store.put(name, name.encode(), replacing=None)
    assert list(store.contents(names)) == [name.encode() for name in names[1:]]


def test_the_stores_time_is_now(store: RunStore) -> None:
    """The store's time has a time zone and is within a day of this machine's."""
    assert abs(store.now() - datetime.now(UTC)) < timedelta(days=1)
