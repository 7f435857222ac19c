"""Whether a saved run is what was sealed, for those who would act on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.chain import Link, Seal, Trouble, Watcher
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.resealing import SealedRun, resealed, sealed_run
from ecr_widgets.audit.seal import links_of
from ecr_widgets.audit.seal_objects import links_of_run, look_at
from ecr_widgets.audit.verify import Finding, check_content
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import Place


class Sealed(NamedTuple):
    """What the seal of one run says of its bytes."""

    seal: Seal | None
    why_not: str
    """Why it is not to be acted on, to follow the run's name in a sentence; empty where it is in order."""


def look_at_seal(runs: Place, name: str, content: bytes, *, ring: KeyRing) -> Sealed:
    """Judge the bytes that were read of a run, and not its file, which may be another by now.

    Args:
        name: Of its file, in the folder itself, or of its object in the bucket.

    Raises:
        RecordError: The chain cannot be read.
    """
    seal, trouble, newest = None, None, None
    keys = ring.known()
    of_run: list[SealedRun] = []
    for place, (link, found) in enumerate(_watched(runs, name, keys), start=1):
        if link.seal is not None:
            run = sealed_run(link.seal, "", place)
            of_run += [run] if run is not None and not (found and found.forged) else []
            if link.seal.path == name:
                seal, trouble, newest = link.seal, found, run
    if seal is None:
        return Sealed(None, "is not sealed")
    if trouble is not None:
        return Sealed(seal, f"has a seal that is not in order: {'; '.join(trouble.why)}")
    if seal.retired:
        return Sealed(seal, "was retired")
    finding, changed = check_content(content, seal.notebook.sha256, seal.notebook.form)
    if finding not in (Finding.INTACT, Finding.RESAVED):
        return Sealed(seal, f"was changed since it was sealed: {'; '.join(changed)}")
    others = [each for each in of_run if newest is not None and each.run_id == newest.run_id]
    if newest is not None and (again := resealed(newest, others, content, keys)):
        return Sealed(seal, f"was sealed again: {'; '.join(again)}")
    return Sealed(seal, "")


def _watched(runs: Place, name: str, keys: dict[str, KeyFile]) -> Iterator[tuple[Link, Trouble | None]]:
    """The seals of a folder, or in a bucket those of the run, each with what is wrong with it."""
    if isinstance(runs, Path):
        yield from Watcher(keys).look_at(links_of(runs))
        return
    try:
        yield from ((link, look_at(link, keys)) for link in links_of_run(bucket_store(runs), name))
    except OSError as error:
        raise RecordError(f"the seals in {runs} cannot be read: {error.strerror}") from error
