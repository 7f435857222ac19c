"""Parameters from YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError

_MERGE = "tag:yaml.org,2002:merge"


def read_parameter_file(path: Path) -> dict[str, Any]:
    """The parameters that a file gives.

    Raises:
        InputError: It cannot be read, is not YAML, or gives a name twice; the message shows nothing of its content.
    """
    import yaml

    class Strict(yaml.SafeLoader):
        """The safe loader, but of two values under one name none is silently dropped."""

    def mapping(loader: Any, node: Any) -> Any:
        names = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
        if any(name in names[:at] for at, name in enumerate(names)):
            raise yaml.constructor.ConstructorError(None, None, "a name stands there twice", node.start_mark)
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        values = yaml.load(path.read_bytes(), Loader=Strict) or {}  # noqa: S506 -- made from the safe one
    except (OSError, ValueError, yaml.YAMLError) as error:
        # PyYAML's own text shows the lines around, and a secret may be in one.
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "strerror", None) or getattr(error, "problem", None) or "it is not YAML"
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: {why}{where}", hint="write YAML: name: value"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} holds no parameters", hint="write YAML: name: value")
    return {str(name): value for name, value in values.items()}
