"""What a parameters cell declares, read as Python and never executed.

A runbook in the kit's form has one typed, commented assignment of a plain value per line. Any other notebook may have
anything there: what can be known is read, and a parameter whose default the cell computes accepts any value.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.parameters import ANY, Limits, Parameter

_MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
_KNOWN = {"str", "int", "float", "bool", "list", "dict", "None"}
_ALIASES = {"List": "list", "Dict": "dict", "Text": "str", "NoneType": "None", "object": ANY}
_WRAPPERS = ("Annotated", "Final")
"""Forms that add something to a type without changing it."""
_OWN_NAMES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
"""Nodes with a scope of their own, whose names are not the notebook's."""


def declared_parameters(source: str) -> tuple[Parameter, ...]:
    """Parameters that a cell in the kit's form declares, in order.

    Raises:
        UnknownParameter: The cell is not plain typed assignments of literals.
    """
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise UnknownParameter(
            f"the parameters cell is not Python: {error.msg} in line {error.lineno}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        # It contains a NUL, or brackets or operators nested deeper than Python reads.
        raise UnknownParameter("the parameters cell is not Python that can be read") from error
    comments = _comments(source)
    parameters: list[Parameter] = []
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Expr)):
            continue
        declared = list(_declared(statement, comments))
        if not declared:
            raise UnknownParameter(f"line {statement.lineno} of the parameters cell declares no parameter")
        for each in declared:
            if each.computed:
                raise UnknownParameter(f"the default of parameter {each.name!r} is not a plain value")
        parameters += declared
    return tuple(parameters)


def found_parameters(source: str) -> tuple[Parameter, ...]:
    """Parameters of any notebook's cell: those that it assigns, whatever else it does; none if it is not Python."""
    for text in (source, _MAGIC.sub(r"\1pass", source)):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
            comments = _comments(text)
            parameters: dict[str, Parameter] = {}
            for statement in ast.parse(text).body:
                parameters |= {
                    name: Parameter(name, ANY, None, computed="…") for name in _assigned(statement)
                }
                with suppress(UnknownParameter):
                    parameters |= {each.name: each for each in _declared(statement, comments)}
            return tuple(parameters.values())
    return ()


def _declared(statement: ast.stmt, comments: dict[int, str]) -> Iterator[Parameter]:
    """What an assignment to plain names declares.

    Raises:
        UnknownParameter: The allowed values of its annotation are not plain values.
    """
    comment = comments.get(statement.end_lineno or 0, "")
    annotation = None
    if isinstance(statement, ast.AnnAssign):
        targets = [cast("ast.expr", statement.target)]
        value, annotation = statement.value, statement.annotation
    elif isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    else:
        return
    for target in targets:
        if isinstance(target, ast.Name):
            yield _parameter(target.id, annotation, value, comment)


def _parameter(name: str, annotation: ast.expr | None, value: ast.expr | None, comment: str) -> Parameter:
    default, computed = None, ""
    if value is not None:
        try:
            default = ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError):
            computed = _written(value)
    allowed: tuple[Any, ...] = ()
    if annotation is not None:
        try:
            kind, allowed = _type_of(annotation)
        except (ValueError, TypeError, RecursionError) as error:
            raise UnknownParameter(
                f"the allowed values of parameter {name!r} are not plain values"
            ) from error
    else:
        kind = type(default).__name__ if type(default).__name__ in _KNOWN else ANY
    return Parameter(
        name,
        kind,
        default,
        comment,
        allowed,
        annotation is not None,
        Limits.parse(comment),
        computed=computed,
    )


def _written(value: ast.expr) -> str:
    try:
        return ast.unparse(value)
    except RecursionError:
        return "…"


def _type_of(annotation: ast.expr) -> tuple[str, tuple[Any, ...]]:
    """The type in the form `X | None`, and the allowed values if it lists them."""
    parts = list(_parts(annotation))
    literals = [part for part in parts if _name_of(part) == "Literal"]
    others = [_spelled(part) for part in parts if _name_of(part) != "Literal"]
    values: list[Any] = []
    for part in literals:
        assert isinstance(part, ast.Subscript)
        value = ast.literal_eval(part.slice)
        values += value if isinstance(value, tuple) else (value,)
    if literals and set(others) <= {"None"}:
        spelled = " | ".join([*map(ast.unparse, literals), *others])
        return spelled, (*values, *(None for _ in others))
    # Values listed next to a type add their own types.
    others += _types_of(values)
    bases = Counter(each.partition("[")[0] for each in dict.fromkeys(others))
    # With two kinds of lists it would be unclear which one a value is meant to be.
    others = [each if bases[each.partition("[")[0]] == 1 else each.partition("[")[0] for each in others]
    return (ANY if ANY in others else " | ".join(dict.fromkeys(others))), ()


def _parts(annotation: ast.expr) -> Iterator[ast.expr]:
    """The alternatives in an annotation that `|`, `Union` and `Optional` join, quoted or not."""
    name = _name_of(annotation)
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            quoted = ast.parse(annotation.value.strip(), mode="eval").body
        except SyntaxError:
            yield annotation
        else:
            yield from _parts(quoted)
    elif isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from _parts(annotation.left)
        yield from _parts(annotation.right)
    elif isinstance(annotation, ast.Subscript) and name in ("Optional", "Union"):
        for each in _items(annotation):
            yield from _parts(each)
        if name == "Optional":
            yield ast.Constant(None)
    elif isinstance(annotation, ast.Subscript) and name in _WRAPPERS:
        yield from _parts(_items(annotation)[0])
    else:
        yield annotation


def _spelled(part: ast.expr) -> str:
    """One alternative in the type names known here; `ANY` if it is not one of them."""
    name = _name_of(part)
    name = _ALIASES.get(name, name)
    if name not in _KNOWN:
        return ANY
    if name in ("list", "dict") and isinstance(part, ast.Subscript):
        return f"{name}[{', '.join(_inner(each) for each in _items(part))}]"
    return name


def _inner(part: ast.expr) -> str:
    kind, allowed = _type_of(part)
    return " | ".join(_types_of(allowed)) if allowed else kind


def _types_of(values: Iterable[Any]) -> dict[str, None]:
    return dict.fromkeys("None" if value is None else type(value).__name__ for value in values)


def _items(subscript: ast.Subscript) -> list[ast.expr]:
    inner = subscript.slice
    return inner.elts if isinstance(inner, ast.Tuple) else [inner]


def _name_of(annotation: ast.expr) -> str:
    """The last part of a type's name, without its brackets: `Optional` for `typing.Optional[int]`."""
    if isinstance(annotation, ast.Subscript):
        return _name_of(annotation.value)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Name):
        return annotation.id
    return "None" if isinstance(annotation, ast.Constant) and annotation.value is None else ""


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """Names that the statement itself assigns, not those assigned inside functions and classes."""
    left: list[ast.AST] = [statement]
    # Without recursion: an expression may be nested deeper than Python recurses.
    while left:
        node = left.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, _OWN_NAMES):
            left += ast.iter_child_nodes(node)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
