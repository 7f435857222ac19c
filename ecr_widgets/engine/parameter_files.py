"""Parameters from YAML files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import Parameter

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_TEXTS = ("str", "list[str]", "dict[str, str]")


def read_parameter_file(path: Path, declared: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters that a file gives.

    What is declared as text is taken as it is written: YAML itself reads 1.10 as 1.1, 0123 as 83 and 2026-11-24 as a date.

    Args:
        declared: Those that the runbook declares.

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

    class AsWritten(Strict):
        """Every plain word is text, but null."""

    AsWritten.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag in (_NULL, _MERGE)]
        for first, forms in Strict.yaml_implicit_resolvers.items()
    }
    try:
        content = path.read_bytes()
        values = yaml.load(content, Loader=Strict) or {}  # noqa: S506 -- made from the safe one
        written = yaml.load(content, Loader=AsWritten) or {}  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        # PyYAML's own text shows the lines around, and a secret may be in one.
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "strerror", None) or getattr(error, "problem", None) or "it is not YAML"
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: {why}{where}",
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
