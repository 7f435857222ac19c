"""A run's id as people type it: any part that no other run in the folder or bucket shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.index import open_index
from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.run_id import LEAST_PART, RUN_ID

_SAVED = re.compile(rf"({RUN_ID})-.*\.ipynb")


def whole_run_id(part: str, runs: Place) -> str:
    """Return the id that contains this part, or the part itself if no run has it; the command then refuses that.

    Raises:
        InputError: Several runs' ids contain it.
    """
    if re.fullmatch(RUN_ID, part):
        return part
    try:
        ids = _ids_in_folder(part, runs) if isinstance(runs, Path) else _ids_in_bucket(part, runs)
    except (EcrWidgetsError, OSError):
        return part
    if len(ids) > 1 and part not in ids:
        raise InputError(
            f"{part!r} is in the ids of several runs, such as {' and '.join(ids[:2])}",
            hint="give a longer part of it",
        )
    return ids[0] if len(ids) == 1 else part


def _ids_in_folder(part: str, runs: Path) -> Sequence[str]:
    with open_index(runs) as index:
        return index.ids_with(part)


def _ids_in_bucket(part: str, runs: BucketPath) -> Sequence[str]:
    """From the names, which are listed a thousand per request, so that no run need be read."""
    if len(part) < LEAST_PART:
        return ()
    names = bucket_store(runs).names(prefix=part if re.match(r"\d{8}T?", part) else "")
    saved = filter(None, map(_SAVED.fullmatch, names))
    return sorted({match[1] for match in saved if part in match[1]})
