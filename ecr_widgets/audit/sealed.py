"""Whether a saved run is what was sealed, for callers that act on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.chain import links_of
from ecr_widgets.audit.chain_check import Trouble, Watcher
from ecr_widgets.audit.findings import Finding, check_content
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.resealing import SealedRun, are_of_attempts, resealed, sealed_run
from ecr_widgets.audit.seal import Link, Seal
from ecr_widgets.audit.seal_objects import links_of_run, look_at
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import Place


class Sealed(NamedTuple):
    """What one run's seal says about its bytes."""

    seal: Seal | None
    why_not: str
    """Why it must not be acted on, to follow the run's name in a sentence; empty if it is in order."""


def look_at_seal(runs: Place, name: str, content: bytes, *, ring: KeyRing) -> Sealed:
    """Check the bytes that were read from a run against its seal; its file may have changed since.

    Args:
        name: The name of its file directly in the folder, or of its object in the bucket.

    Raises:
        RecordError: The chain cannot be read.
    """
    keys = ring.known()
    seal, trouble, newest, of_run = _seals_of(runs, name, keys)
    if seal is None:
        return Sealed(None, "is not sealed")
    if trouble is not None:
        return Sealed(seal, f"{_NOT_IN_ORDER}: {'; '.join(trouble.why)}")
    if seal.retired:
        return Sealed(seal, "was retired")
    finding, changed = check_content(content, seal.notebook.sha256, seal.notebook.form)
    if finding not in _AS_SEALED:
        return Sealed(seal, f"{_CHANGED}: {'; '.join(changed)}")
    others = [each for each in of_run if newest is not None and each.run_id == newest.run_id]
    if newest is not None and (again := resealed(newest, others, content, keys)):
        return Sealed(seal, f"{_AGAIN}: {'; '.join(again)}")
    return Sealed(seal, "")


def why_altered(runs: Place, name: str, run_id: str, content: bytes, *, ring: KeyRing) -> str:
    """Return why the bytes that were read from a run are not what was sealed, to follow the run's name in a sentence.

    Empty if they match, no matter who sealed them, or if no seal contradicts them: a killed run has no seal, or if it was resumed
    only seals of earlier attempts.

    Args:
        name: The name of its file directly in the folder, or of its object in the bucket.

    Raises:
        RecordError: The chain cannot be read.
    """
    keys = ring.known()
    seal, trouble, newest, of_run = _seals_of(runs, name, keys)
    if seal is None or newest is None or newest.run_id != run_id:
        return ""
    if trouble is not None and trouble.forged:
        return f"{_NOT_IN_ORDER}: {'; '.join(trouble.why)}"
    its = [each for each in of_run if each.run_id == run_id]
    finding, changed = check_content(content, seal.notebook.sha256, seal.notebook.form)
    if finding in _AS_SEALED:
        again = resealed(newest, its, content, keys)
        return f"{_AGAIN}: {'; '.join(again)}" if again else ""
    return "" if are_of_attempts(its, content) else f"{_CHANGED}: {'; '.join(changed)}"


_NOT_IN_ORDER, _CHANGED, _AGAIN = (
    "has a seal that is not in order",
    "was changed since it was sealed",
    "was sealed again",
)
_AS_SEALED = (Finding.INTACT, Finding.RESAVED)


class _Seals(NamedTuple):
    """The newest seal of a name, what is wrong with it, and the seals to compare it with."""

    seal: Seal | None
    trouble: Trouble | None
    newest: SealedRun | None
    """None for a retirement, and for a seal without a run."""
    of_run: list[SealedRun]
    """All seals that are not forged, of this run and others."""


def _seals_of(runs: Place, name: str, keys: dict[str, KeyFile]) -> _Seals:
    seals = _Seals(None, None, None, [])
    for place, (link, trouble) in enumerate(_watched(runs, name, keys), start=1):
        if link.seal is not None:
            run = sealed_run(link.seal, "", place)
            if run is not None and not (trouble and trouble.forged):
                seals.of_run.append(run)
            if link.seal.path == name:
                seals = seals._replace(seal=link.seal, trouble=trouble, newest=run)
    return seals


def _watched(runs: Place, name: str, keys: dict[str, KeyFile]) -> Iterator[tuple[Link, Trouble | None]]:
    """Yield the seals of a folder, or in a bucket those of the run, each with what is wrong with it."""
    if isinstance(runs, Path):
        yield from Watcher(keys).look_at(links_of(runs))
        return
    try:
        yield from ((link, look_at(link, keys)) for link in links_of_run(bucket_store(runs), name))
    except OSError as error:
        raise RecordError(f"the seals in {runs} cannot be read: {error.strerror}") from error
