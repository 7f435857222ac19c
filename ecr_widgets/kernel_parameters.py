"""Parameters that reached a notebook past our own checks: plain papermill and notebook schedulers paste them into a cell.

What the parameters cell declares is still there as annotations, and so a value of another type can be noticed before the
first step: `1.10` that was given as a number has lost its zero by then.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.parameters import Parameter

_PLAIN = (str, int, float, bool, list, dict)


def check_declared(namespace: Mapping[str, Any]) -> None:
    """Compare the annotated variables of a notebook with their values; None is left alone.

    Args:
        namespace: The kernel's variables, `__annotations__` among them.

    Raises:
        UnknownParameter: A value is not of the type that its cell declares.
    """
    annotations = namespace.get("__annotations__")
    for name, annotation in annotations.items() if isinstance(annotations, dict) else ():
        value = namespace.get(name)
        declared = _declared(name, annotation)
        if declared is None or value is None:
            continue
        try:
            declared.check(value)
        except UnknownParameter as error:
            raise UnknownParameter(
                error.message,
                hint=error.hint
                or f"give {name} as {declared.type}: with papermill by -r for text, by -y for the rest",
            ) from error


def _declared(name: str, annotation: Any) -> Parameter | None:
    if get_origin(annotation) is Literal:
        return Parameter(name, str(annotation).removeprefix("typing."), None, allowed=get_args(annotation))
    parts = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    plain = [get_origin(part) or part for part in parts if part is not type(None)]
    if not plain or not all(part in _PLAIN for part in plain):
        return None  # not a type that a parameter can have
    return Parameter(name, " | ".join(part.__name__ for part in plain), None)
