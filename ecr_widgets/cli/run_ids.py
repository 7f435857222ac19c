"""A run's id as people remember it: any part that no other run of the folder has."""

from __future__ import annotations

import re
from pathlib import Path

from ecr_widgets.audit.index import open_index
from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.model.bucket_path import Place

_WHOLE = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


def whole_run_id(part: str, runs: Place) -> str:
    """The id that a part of it names; as given where no run has it, which the command itself refuses.

    Raises:
        InputError: Several runs have it.
    """
    # A bucket may hold a million, and has no index here.
    if _WHOLE.fullmatch(part) or not isinstance(runs, Path):
        return part
    try:
        with open_index(runs) as index:
            ids = index.ids_with(part)
    except EcrWidgetsError:
        return part
    if len(ids) > 1 and part not in ids:
        raise InputError(
            f"{part!r} is in the ids of several runs, such as {' and '.join(ids[:2])}", hint="give more of it"
        )
    return ids[0] if len(ids) == 1 else part
