"""Parameters that were pasted into a notebook past our checks."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.kernel_parameters import check_declared


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, 1.1),
        (str, 12345678901),
        (int, "3"),
        (int, True),
        (bool, "false"),
        (float, "0.5"),
        (list[str], "a,b"),
        (dict, []),
        (Literal["stop", "rollback"], "sotp"),
        (str | None, 1),
    ],
)
def test_a_value_of_another_type_is_refused(annotation: Any, value: Any) -> None:
    """The message names the parameter and tells how to give it."""
    with pytest.raises(UnknownParameter, match="parameter 'given' refused"):
        check_declared({"__annotations__": {"given": annotation}, "given": value})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, "1.10"),
        (float, 3),
        (int, 3),
        (list[str], ["a"]),
        (Literal["stop", "rollback"], "stop"),
        (str, None),
        (object, 1),
        ("SomeClass", 1),
    ],
)
def test_what_fits_or_is_no_parameter_passes(annotation: Any, value: Any) -> None:
    """Annotations of other kinds are somebody's own business."""
    check_declared({"__annotations__": {"given": annotation}, "given": value})


def test_a_notebook_without_annotations_passes() -> None:
    """Nothing is declared, so nothing can be wrong."""
    check_declared({"tag": 1.1})
    check_declared({"__annotations__": {"tag": str}})
