"""Row 75: what is left out, captured, logged and refused is as by papermill's own engine."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from tests.faults import forked
from tests.faults.plan import batch
from tests.notebooks.corpus import BOOKS, papermills_own
from tests.notebooks.side_by_side import different, unexpected

ALL = (*BOOKS, *papermills_own())


@batch(
    75,
    "the same notebooks by papermill's own engine and by ours: outputs, order, exit codes",
    tries=len(ALL),
    quick=2,
)
def alike(tries: int, seed: int) -> tuple[int, int, str]:
    """Each try is another notebook; the control runs a cell that its tag leaves out."""
    books = random.Random(seed).sample(ALL, tries)
    with (
        tempfile.TemporaryDirectory(prefix="ft-", ignore_cleanup_errors=True) as folder,
        forked.forking(),
    ):
        found = [why for book in books if (why := unexpected(book, Path(folder)))]
        skipped = next(book for book in BOOKS if book.name == "skip")
        apart = Path(folder) / "control"
        apart.mkdir()
        control = bool(different(skipped, apart, skip_cells_with_tag="another"))
    return len(found), int(control), "; ".join(why[:300] for why in found[:3])
