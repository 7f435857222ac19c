"""A run's parameters: checked against the cell that declares them, and written into their own cell after it."""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.declarations import found_parameters
from ecr_widgets.model.parameters import Parameter, computed_names, default_values, read_parameters
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_DECLARED, _INJECTED = "parameters", "injected-parameters"
"""Tags of the two cells, the same as papermill's."""


def declared_in(notebook: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters that a notebook's cells declare."""
    return tuple(
        each
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and _DECLARED in cell["metadata"].get("tags", ())
        for each in found_parameters(cell["source"])
    )


def checked_values(
    declared: Sequence[Parameter], given: Mapping[str, Any], known: SecretRegistry
) -> dict[str, Any]:
    """Values of all parameters: the given ones, else the runbook's defaults.

    Raises:
        InputError: One of them is or looks like a secret, has an invalid name, is not declared, or is not of the
            declared type.
    """
    refuse_secrets(given, known)
    for name in given:
        # The name is written into a cell unchanged.
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UnknownParameter(
                f"parameter {name!r} refused: it is not a name", hint="give a declared one"
            )
    # If every parameter has a type, they are declared as in our runbooks, and no other name is accepted. Papermill has
    # already turned text into numbers where it could.
    typed = {each.name for each in declared if each.annotated}
    ours = bool(declared) and len(typed) == len(declared) and not computed_names(declared)
    read_parameters(
        [each for each in declared if each.annotated],
        values={name: value for name, value in given.items() if ours or name in typed},
        texts={},
    )
    values: dict[str, Any] = json.loads(json.dumps(default_values(declared) | dict(given), default=str))
    refuse_secrets(values, known)
    return values


def inject(notebook: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Put values into a notebook in papermill's form: a cell that assigns them, which replaces an earlier run's."""
    notebook["metadata"].setdefault("papermill", {})["parameters"] = dict(values)
    if not values:
        return
    lines = (f"{name} = {as_python(value)}\n" for name, value in values.items())
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": _INJECTED,
        "metadata": {"tags": [_INJECTED]},
        "execution_count": None,
        "outputs": [],
        "source": f"# Parameters\n{''.join(lines)}",
    }
    cells = notebook["cells"]
    for tag, length in ((_INJECTED, 1), (_DECLARED, 0)):
        place = next((at for at, each in enumerate(cells) if tag in each["metadata"].get("tags", ())), None)
        if place is not None:
            start = place + 1 - length
            cells[start : place + 1] = [cell]
            return
    cells.insert(0, cell)


def as_python(value: Any) -> str:
    """A JSON value as Python source in ASCII."""
    if isinstance(value, str):
        escaped = value.encode("unicode_escape").decode().replace('"', r"\"")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{as_python(str(k))}: {as_python(v)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_python, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
