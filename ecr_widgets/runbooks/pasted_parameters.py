"""Parameters that bypassed our own checks: plain papermill and notebook schedulers paste them into a cell.

What the parameters cell declares is still there, as annotations and in the kernel's history of cells. So a value of the
wrong type or out of its limits, and an undeclared name, are found before the first step: a `1.10` that was given as a number
has lost its zero by then.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.declarations import declared_parameters
from ecr_widgets.model.parameters import Parameter

_PLAIN = (str, int, float, bool, list, dict)


def check_declared(namespace: Mapping[str, Any]) -> None:
    """Compare the declared variables of a notebook with their values.

    Args:
        namespace: The kernel's variables, including `__annotations__` and `In`, the cells so far.

    Raises:
        UnknownParameter: A value does not match the type or the limits that its cell declares, or a cell pasted after it sets an
            undeclared name.
    """
    cells = namespace.get("In")
    declared = _from_cells([each for each in cells if isinstance(each, str)] if cells else [])
    annotations = namespace.get("__annotations__")
    for name, annotation in annotations.items() if isinstance(annotations, dict) else ():
        other = _from_annotation(name, annotation)
        if name not in declared and other is not None and namespace.get(name) is not None:
            declared[name] = other
    for name, parameter in declared.items():
        # A None that is the cell's own default is intended.
        if name not in namespace or (namespace[name] is None and parameter.default is None):
            continue
        try:
            parameter.check(namespace[name])
        except UnknownParameter as error:
            raise UnknownParameter(
                error.message,
                hint=error.hint
                or f"give {name} as {parameter.type}: with papermill by -r for text, by -y for the rest",
            ) from error


def _from_cells(cells: Sequence[str]) -> dict[str, Parameter]:
    """Return what the newest parameters cell declares, after checking the names in the cell pasted after it."""
    for at in range(len(cells) - 1, -1, -1):
        try:
            parameters = declared_parameters(cells[at])
        except UnknownParameter:
            continue
        # As in our runbooks; any other cell of assignments says nothing about the next one.
        if parameters and all(each.annotated and each.comment for each in parameters):
            declared = {each.name: each for each in parameters}
            # The last cell is the one that connects.
            _check_names(_assigned(cells[at + 1]) if at + 1 < len(cells) - 1 else (), declared)
            return declared
    return {}


def _check_names(names: Sequence[str], declared: Mapping[str, Parameter]) -> None:
    for name in names:
        if name not in declared:
            near = get_close_matches(name, declared, n=1)
            raise UnknownParameter(
                f"the runbook declares no parameter {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"it declares: {', '.join(declared)}",
            )


def _assigned(cell: str) -> tuple[str, ...]:
    """The names that a cell sets, if it does nothing else, like the cells that papermill pastes."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return ()
    names = [
        statement.targets[0].id
        for statement in body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    ]
    return tuple(names) if len(names) == len(body) else ()


def _from_annotation(name: str, annotation: Any) -> Parameter | None:
    if get_origin(annotation) is Literal:
        return Parameter(name, str(annotation).removeprefix("typing."), None, allowed=get_args(annotation))
    joined = get_origin(annotation) in (Union, types.UnionType)
    parts = get_args(annotation) if joined else (annotation,)
    plain = [get_origin(part) or part for part in parts if part is not type(None)]
    if not plain or not all(part in _PLAIN for part in plain):
        return None  # not a type that a parameter can have
    return Parameter(name, " | ".join(part.__name__ for part in plain), None)
