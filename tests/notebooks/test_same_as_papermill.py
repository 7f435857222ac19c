"""The same notebooks run by papermill's own engine and by ours; all of them are one row of the fault plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.corpus import BOOKS, DIFFERENT, papermills_own
from tests.notebooks.side_by_side import different, unexpected

pytestmark = pytest.mark.usefixtures("forked_kernels")

BY_NAME = {book.name: book for book in (*BOOKS, *papermills_own())}
SOME = (
    "skip-parameters", "raises-tagged-then-not", "allow-error-names", "magic-error", "exit-with-0", "kernel-dies",
    "timeout", "input", "clear-output-wait", "update-display-again", "output-widgets-nested", "widget-with-bytes",
)  # fmt: skip


@pytest.mark.parametrize("name", SOME)
def test_a_notebook_leaves_the_same_by_both_engines(name: str, tmp_path: Path) -> None:
    """Both engines leave the same outputs, counts, streams, widget states and exit code, except for listed differences."""
    assert unexpected(BY_NAME[name], tmp_path) == ""


def test_what_is_switched_on_again_is_seen(tmp_path: Path) -> None:
    """The comparison finds an engine that runs a cell which is tagged to be skipped."""
    found = different(BY_NAME["skip"], tmp_path, skip_cells_with_tag="another")
    assert set(found) == {"counts", "outputs", "stdout"}


def test_every_difference_is_of_a_notebook_that_is_there() -> None:
    """Each listed difference belongs to an existing notebook, and there are at least 40 notebooks."""
    assert len(BOOKS) >= 40
    assert {name for name in DIFFERENT if not name.startswith("papermill-")} <= set(BY_NAME)
