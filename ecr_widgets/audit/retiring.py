"""Runs that were removed or overwritten on purpose: a seal says so, and `verify` no longer reports them as missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.chain import appending, chains_of
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.resealing import other_signer
from ecr_widgets.audit.run_files import name_at
from ecr_widgets.audit.seal import Seal
from ecr_widgets.audit.seal_objects import append, links_of_run
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import BucketPath, Place


def retire_runs(runs: Place, names: Sequence[str], *, ring: KeyRing, now: datetime) -> list[str]:
    """Seal that runs were removed or overwritten on purpose, so that `verify` no longer reports them as missing.

    Args:
        names: As they were sealed, relative to the folder or the prefix, or else as paths; files that exist stay sealed as they
            are.

    Returns:
        The names as they were sealed.

    Raises:
        RecordError: One of them was never sealed, or was sealed by another key that is in use, and nothing was added; or a chain
            cannot be extended.

        SettingsError: There is no usable signing key.

        OSError: A chain cannot be written, or the bucket does not answer.
    """
    if isinstance(runs, Path):
        newest = _in_folder(runs)
        names = [name if name in newest else name_at(runs, name) or name for name in names]
    else:
        names = [name_at(runs, name) or name for name in names]
        newest = _in_bucket(runs, names)
    unknown = [name for name in names if name not in newest]
    if unknown:
        raise RecordError(f"{unknown[0]!r} was never sealed", hint="see `ecr-widgets audit verify`")
    key, signer = ring.signing_key(now=now)
    known = ring.known()
    for name in names:
        if why := other_signer(newest[name].seal.key, key.key, now, known):
            raise RecordError(
                f"{name!r} cannot be retired: {why}", hint="have the owner of that key retire it"
            )
    for name in names:
        prefix, seal = newest[name]
        retirement = msgspec.structs.replace(seal, retired=True, sealed_at=now)
        if isinstance(runs, Path):
            with appending(runs / prefix, key) as chain:
                chain.add(retirement, signer.sign)
                chain.write()
        else:
            append(bucket_store(runs), retirement, key, signer.sign, row=None)
    return list(names)


class _Newest(NamedTuple):
    """The newest seal of a name."""

    prefix: str
    """The prefix of the names in its chain."""
    seal: Seal


def _in_folder(runs: Path) -> dict[str, _Newest]:
    newest: dict[str, _Newest] = {}
    for prefix, links, _ in chains_of(runs):
        newest |= {prefix + link.seal.path: _Newest(prefix, link.seal) for link in links if link.seal}
    return newest


def _in_bucket(runs: BucketPath, names: Collection[str]) -> dict[str, _Newest]:
    store = bucket_store(runs)
    return {name: _Newest("", link.seal) for name in names for link in links_of_run(store, name) if link.seal}
