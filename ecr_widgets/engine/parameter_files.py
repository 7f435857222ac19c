"""Parameters from YAML files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import LARGEST_VALUE, Parameter

_LARGEST_BYTES = 256 * 1024
_TEXTS = ("str", "list[str]", "dict[str, str]")


def read_parameter_file(path: Path, declared: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters in a file.

    Parameters declared as text are taken as written: YAML itself reads 1.10 as 1.1, 0123 as 83 and 2026-11-24 as a date.

    Args:
        declared: The runbook's declared parameters.

    Raises:
        InputError: The file cannot be read, is not YAML, or gives a name twice; the message shows none of its content.
    """
    import yaml

    from ecr_widgets.adapters.strict_yaml import load_yaml, why_no_yaml

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise InputError(
                f"parameters cannot be read from {str(path)!r}: it has more than {_LARGEST_BYTES // 1024} KiB",
                hint="give files by their paths",
            )
        values = load_yaml(content, largest=LARGEST_VALUE) or {}
        written = load_yaml(content, largest=LARGEST_VALUE, as_written=True) or {}
    except RecursionError as error:
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: nested too deeply", hint="write YAML: name: value"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: {why_no_yaml(error)}",
            hint="check the path" if isinstance(error, OSError) else "write YAML: name: value",
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} holds no parameters", hint="write YAML: name: value")
    texts = {each.name for each in declared if _is_text(each)}
    return {
        str(name): as_written if name in texts else value
        for (name, as_written), value in zip(written.items(), values.values(), strict=True)
    }


def _is_text(declared: Parameter) -> bool:
    if declared.allowed:
        return isinstance(declared.allowed[0], str)
    return any(part.strip() in _TEXTS for part in declared.type.split("|"))
