"""Execution options that a caller of papermill may give."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.engine.options import ExecutionOptions
from ecr_widgets.errors import InputError


def read(*, execution_timeout: float | None = None, **more: Any) -> ExecutionOptions:
    return ExecutionOptions.from_papermill(execution_timeout=execution_timeout, start_timeout=60, more=more)


@pytest.mark.parametrize(("asked", "kept"), [(None, None), (0, None), (-1, None), (1, 1), (0.5, 0.5)])
def test_a_timeout_that_is_none_has_no_limit(asked: float | None, kept: float | None) -> None:
    """A cell timeout of None, 0 or less means no limit, as in nbclient."""
    assert read(execution_timeout=asked).cell_timeout_s == kept
    assert read(timeout=asked).cell_timeout_s == kept


@pytest.mark.parametrize(
    "name", ["km", "timeout_func", "on_cell_execute", "extra_arguments", "interrupt_on_timeout"]
)
def test_an_option_that_the_engine_does_not_have_is_refused(name: str) -> None:
    """An option that the engine lacks is refused, as it would change the run, unless it is None."""
    with pytest.raises(InputError, match=f"papermill's option '{name}' is refused"):
        read(**{name: object()})
    read(**{name: None})


def test_an_unknown_option_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """An unknown option is logged and does not stop the run, since later versions of papermill may pass more."""
    read(novelty=1, iopub_timeout=7)
    assert [record.getMessage() for record in caplog.records] == [
        "The engine ecr_widgets does not know the option 'novelty'"
    ]


@pytest.mark.parametrize("tags", [None, "skip-execution", 5, {"skip-execution": 1}])
def test_tags_that_are_no_list_are_none(tags: Any) -> None:
    """Cell tags that are not a list are ignored."""
    cell = {"source": "1", "metadata": {"tags": tags}}
    assert not read().skips(cell)
    assert not read().continues_after(cell, "ValueError")
