"""Parameters that were pasted into a notebook without our checks."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.runbooks.pasted_parameters import check_declared


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
    """A value of another type than declared is refused with the parameter's name."""
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
    """A value that fits, and a variable with an annotation that no parameter can have, are accepted."""
    check_declared({"__annotations__": {"given": annotation}, "given": value})


def test_a_notebook_without_annotations_passes() -> None:
    """A notebook without annotated values is accepted."""
    check_declared({"tag": 1.1})
    check_declared({"__annotations__": {"tag": str}})


CELL = """from typing import Literal

count: int = 1  # copies, 0 or more
service: str = "web"  # service
note: str | None = None  # why
env_vars: dict[str, dict[str, str]] = {}  # by container
"""
CONNECT = "from ecr_widgets import connect\n\nkit = connect()"


def history(*pasted: str) -> dict[str, Any]:
    """Return a kernel's namespace at its connect cell."""
    cells = ["", CELL, *pasted, CONNECT]
    namespace: dict[str, Any] = {}
    for cell in cells[:-1]:
        exec(cell, namespace)
    return {**namespace, "In": cells}


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("# Parameters\ncount = -1\n", "-1 is not 0 or more"),
        ("cuont = 3", "declares no parameter 'cuont'; did you mean 'count'"),
        ("count = 2\nnobody = 'x'", "declares no parameter 'nobody'; it declares: count"),
        ("service = None", "None is not of type str"),
        ("env_vars = {'web': 'x'}", "is not of type dict"),
    ],
)
def test_what_was_pasted_behind_the_cell_is_checked_by_it(pasted: str, why: str) -> None:
    """A value pasted after the parameters cell is checked against that cell, as the kernel's history has it."""
    with pytest.raises(UnknownParameter, match=why):
        check_declared(history(pasted))


@pytest.mark.parametrize(
    "pasted",
    [
        "count = 3\nservice = 'other'\nnote = None\nenv_vars = {'web': {'A': 'b'}}",
        "from os import path\nwhere = path.curdir",
        "print(count)",
    ],
)
def test_what_fits_the_cell_and_what_is_no_paste_passes(pasted: str) -> None:
    """A pasted cell that fits, or does more than assign, is accepted."""
    check_declared(history(pasted))
    check_declared({**history(), "In": ["", "from ecr_widgets import connect", CELL, "kit = connect()"]})


def test_the_cell_as_it_was_run_last_decides() -> None:
    """The parameters cell as it was last run decides which limits apply."""
    namespace = history()
    wider = CELL.replace("0 or more", "-5 or more")
    check_declared({**namespace, "count": -5, "In": ["", CELL, CONNECT, wider, CONNECT]})
    with pytest.raises(UnknownParameter, match="-5 is not 0 or more"):
        check_declared({**namespace, "count": -5, "In": ["", wider, CONNECT, CELL, CONNECT]})
