"""Check that an S3-compatible store supports conditional writes, which leases and saved runs need; several do not fully."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.errors import Replaced, SettingsError
from ecr_widgets.model.stored import Stamp

_AT_ONCE = 8
_ROUNDS = 3


def probe(store: S3Store) -> str:
    """Try conditional writes under names of its own, removed afterwards if that is allowed; return the result as a sentence.

    Raises:
        SettingsError: The store does not support conditional writes, so it cannot hold targets.

        OSError: The store does not answer, or refuses.
    """
    for _ in range(_ROUNDS):
        name = f"leases/probe/{secrets.token_hex(8)}.json"
        first = _created_by_one(store, name)
        second = store.put(name, b"second", replacing=first, final=False)
        _refused(store, name, first, "replaces what was replaced already")
        _refused(store, name, None, "overwrites what is to be new")
        try:
            store.remove(name, second)
        except PermissionError:
            return f"{store.place} compares and swaps; leases cannot be deleted, and need not be"
        try:
            again = store.put(name, b"third", replacing=None, final=False)
        except Replaced as error:
            raise _useless(store, "does not create again what was deleted") from error
        store.remove(name, again)
    store.now()
    return f"{store.place} compares and swaps: of {_AT_ONCE} creates at once one wins, and a stale one is refused"


def _created_by_one(store: S3Store, name: str) -> Stamp:
    def create(number: int) -> Stamp | None:
        try:
            return store.put(name, f"first {number}".encode(), replacing=None, final=False)
        except Replaced:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        won = [stamp for stamp in pool.map(create, range(_AT_ONCE)) if stamp is not None]
    if len(won) != 1:
        raise _useless(store, f"lets {len(won)} of {_AT_ONCE} create one object")
    return won[0]


def _refused(store: S3Store, name: str, stamp: Stamp | None, does: str) -> None:
    try:
        store.put(name, b"?", replacing=stamp, final=False)
    except Replaced:
        return
    raise _useless(store, does)


def _useless(store: S3Store, does: str) -> SettingsError:
    return SettingsError(
        f"{store.place} {does}: it does not support conditional writes, so it cannot save runs or hold targets",
        hint="use Amazon S3, another store that honours If-Match and If-None-Match, or a folder",
    )
