"""A run's parameters: checked against the cell that declares them, and written into a cell of their own behind it."""

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
"""Tags of the two cells, as papermill has them."""


def declared_in(notebook: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """What a notebook's cells declare."""
    return tuple(
        each
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and _DECLARED in cell["metadata"].get("tags", ())
        for each in found_parameters(cell["source"])
    )


def checked_values(
    declared: Sequence[Parameter], given: Mapping[str, Any], known: SecretRegistry
) -> dict[str, Any]:
    """Values of all parameters: those that were given, else what the runbook declares.

    Raises:
        InputError: One of them is or looks like a secret, has a name that is none, is not declared, or is not of the
            declared type.
    """
    refuse_secrets(given, known)
    for name in given:
        # It is written into a cell as it is.
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UnknownParameter(f"parameter {name!r} refused: it is no name", hint="give a declared one")
    # Where every one has a type it is declared as our runbooks do it, and no other name is taken. Papermill has turned
    # text into numbers where it could.
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
    """Put values into a notebook in papermill's form: a cell that assigns them, in place of an earlier run's."""
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
    """A value as JSON holds it, as Python in ASCII."""
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
