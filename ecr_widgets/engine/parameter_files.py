"""Parameters from YAML files."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import LARGEST_VALUE, Parameter

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_LARGEST_BYTES = 256 * 1024
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

    def load(content: bytes, kind: type[yaml.SafeLoader]) -> Any:
        loader = kind(content)
        try:
            node = loader.get_single_node()
            # Before values are made of it: what few aliases stand for may be more than any memory holds.
            _check_size(node)
            return (loader.construct_document(node) if node is not None else None) or {}
        finally:
            loader.dispose()

    class Strict(yaml.SafeLoader):
        """The safe loader, but of two values under one name none is silently dropped."""

    def mapping(loader: Any, node: Any) -> Any:
        seen = set()
        for key in (key for key, _ in node.value if key.tag != _MERGE):
            name = loader.construct_object(key, deep=True)
            # What cannot be a name is refused below.
            if isinstance(name, Hashable) and name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, "a name stands there twice", node.start_mark
                )
            seen |= {name} if isinstance(name, Hashable) else set()
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)

    class AsWritten(Strict):
        """Every plain word is text, but null."""

    AsWritten.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag in (_NULL, _MERGE)]
        for first, forms in Strict.yaml_implicit_resolvers.items()
    }
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise InputError(
                f"parameters cannot be read from {str(path)!r}: it has more than {_LARGEST_BYTES // 1024} KiB",
                hint="give files by their paths",
            )
        values, written = load(content, Strict), load(content, AsWritten)
    except RecursionError as error:
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: nested too deeply", hint="write YAML: name: value"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, InputError):
            raise
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


def _check_size(root: Any) -> None:
    """Refuse a document that is too large once each alias is replaced by what it stands for.

    Raises:
        InputError: It is, or an alias stands for what it is in.
    """
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(node: Any) -> int:
        if id(node) in inside:
            raise InputError("the YAML holds itself", hint="write each value out")
        if id(node) not in sizes:
            inside.add(id(node))
            parts = node.value if isinstance(node.value, list) else ()
            inner = (part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,)))
            sizes[id(node)] = 1 + sum(map(size, inner))
            inside.discard(id(node))
        return sizes[id(node)]

    if root is not None and size(root) > LARGEST_VALUE:
        raise InputError(
            f"the YAML stands for more than {LARGEST_VALUE} values", hint="give files by their paths"
        )


def _is_text(declared: Parameter) -> bool:
    if declared.allowed:
        return isinstance(declared.allowed[0], str)
    return any(part.strip() in _TEXTS for part in declared.type.split("|"))
