"""Hand-written YAML, read so that nothing in it is silently dropped or guessed."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ecr_widgets.errors import InputError

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_NOT_IN_JSON = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set", "timestamp")
)


def load_yaml(content: bytes, *, largest: int, as_written: bool = False) -> Any:
    """The one document in a text; None if it is empty.

    Args:
        largest: Most values to which it may expand.

        as_written: Whether every plain word except null is text: YAML itself reads 1.10 as 1.1 and 0123 as 83. A date is
            always text.

    Raises:
        InputError: It expands to more values, or contains itself.

        yaml.YAMLError: It is not YAML, or a name appears twice.

        RecursionError: It is nested too deeply.
    """
    import yaml

    class Strict(yaml.SafeLoader):
        """The safe loader, but a name that appears twice is an error."""

    def mapping(loader: Any, node: Any) -> Any:
        seen = set()
        for key in (key for key, _ in node.value if key.tag != _MERGE):
            name = loader.construct_object(key, deep=True)
            # A name that is not hashable is refused below.
            if isinstance(name, Hashable) and name in seen:
                raise yaml.constructor.ConstructorError(None, None, "a name appears twice", node.start_mark)
            seen |= {name} if isinstance(name, Hashable) else set()
        return loader.construct_mapping(node, deep=True)

    # A saved run cannot store them.
    Strict.yaml_constructors = {
        tag: make for tag, make in Strict.yaml_constructors.items() if tag not in _NOT_IN_JSON
    }
    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    Strict.yaml_implicit_resolvers = {
        first: [
            (tag, form)
            for tag, form in forms
            if (tag in (_NULL, _MERGE) if as_written else tag not in _NOT_IN_JSON)
        ]
        for first, forms in Strict.yaml_implicit_resolvers.items()
    }
    loader = Strict(content)
    try:
        node = loader.get_single_node()
        # Before it is expanded: a few aliases can expand to more than fits into memory.
        _check_size(node, largest)
        return loader.construct_document(node) if node is not None else None
    finally:
        loader.dispose()


def why_no_yaml(error: Exception) -> str:
    """What is wrong, and where; PyYAML's own text shows the surrounding lines, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    why = getattr(error, "strerror", None) or getattr(error, "problem", None) or "it is not YAML"
    return why + (f" in line {mark.line + 1}" if mark is not None else "")


def _check_size(root: Any, largest: int) -> None:
    """Refuse a document that is too large once its aliases are expanded, or whose aliases form a circle."""
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(node: Any) -> int:
        if id(node) in inside:
            raise InputError("the YAML contains itself", hint="write each value out")
        if id(node) not in sizes:
            inside.add(id(node))
            parts = node.value if isinstance(node.value, list) else ()
            inner = (part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,)))
            sizes[id(node)] = 1 + sum(map(size, inner))
            inside.discard(id(node))
        return sizes[id(node)]

    if root is not None and size(root) > largest:
        raise InputError(f"the YAML expands to more than {largest} values", hint="give files by their paths")
