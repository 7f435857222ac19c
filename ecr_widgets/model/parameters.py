"""Parameters as a runbook declares them: one typed, commented assignment per line.

tag: str = "1.10"  # tag to push under
"""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any

import msgspec

from ecr_widgets.errors import UnknownParameter

_WRITTEN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LIMITS = re.compile(rf"{_NUMBER} or more|above {_NUMBER}|{_NUMBER} to {_NUMBER}")
_CLAUSES = re.compile(r"[,;:()]|\.(?=\s|$)")
ANY = "any"
"""Type of a parameter about which nothing is known: it accepts any value."""
_WORDS = {"True": True, "False": False, "None": None}
_LARGEST = 2**53 - 1
"""The largest whole number that JSON readers agree on (RFC 8785)."""
_MOST = sys.float_info.max
_TYPES = {
    "str": str,
    "bool": bool,
    "int": Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)],
    "float": Annotated[float, msgspec.Meta(ge=-_MOST, le=_MOST)],
    "list": list,
    "dict": dict,
    "None": None,
    ANY: Any,
}
"""The type that each name in a declaration means; infinities and NaN are not numbers."""
LARGEST_VALUE = 100_000
"""Most texts, numbers, lists and objects in one parameter's value, or in a file of parameters."""
DEEPEST_VALUE = 64
"""Deepest nesting of lists and objects."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be according to its comment: `0 or more`, `above 0` or `1 to 10`, between commas.

    In a longer clause the same words are just prose: `12 to 24 hours is usual` forbids nothing.
    """

    words: str = ""
    least: float = float("-inf")
    most: float = float("inf")
    above: float = float("-inf")

    @classmethod
    def parse(cls, comment: str) -> Limits:
        """The limits that a comment states, if any."""
        clauses = (clause.strip() for clause in _CLAUSES.split(comment))
        match = next((found for each in clauses if (found := _LIMITS.fullmatch(each)) is not None), None)
        if match is None:
            return cls()
        least, above, start, end = match.groups()
        return cls(
            match[0],
            least=float(least or start or "-inf"),
            most=float(end or "inf"),
            above=float(above or "-inf"),
        )

    def allow(self, value: float) -> bool:
        """Whether the number is within the limits."""
        return self.least <= value <= self.most and value > self.above


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter; `comment` gives unit or meaning."""

    name: str
    type: str
    default: Any
    comment: str = ""
    allowed: tuple[Any, ...] = ()
    annotated: bool = True
    """Whether the cell states its type."""
    limits: Limits = field(default_factory=lambda: Limits())
    computed: str = ""
    """The expression of a default that is known only when the cell runs; `default` is then None."""

    def read(self, text: str) -> Any:
        """Convert what a person typed to the declared type. Text stays exactly as typed.

        Raises:
            UnknownParameter: Not a value of the type, or not an allowed one.
        """
        return _as_written(text) if self.type == ANY else self._read_typed(text)

    def _read_typed(self, text: str) -> Any:
        if text == "" and self._takes(None):
            return None
        if self._takes(""):
            return self.check(text)
        try:
            if self._takes(True):  # noqa: FBT003
                return self.check({"true": True, "false": False}[text.lower()])
            if self._takes(0):
                # Python would also read `1_0` and digits in other scripts, which nobody means as a number.
                if not _WRITTEN_NUMBER.fullmatch(text):
                    raise self._refuse(text)
                return self.check(int(text) if text.lstrip("+-").isdigit() else float(text))
            return self.check(json.loads(text, object_pairs_hook=_once))
        except (json.JSONDecodeError, RecursionError) as error:
            # The text is not shown: it may be long, and may hold a secret.
            raise UnknownParameter(
                f"parameter {self.name!r} refused: {_not_read(error)}", hint=self._how()
            ) from error
        except (ValueError, KeyError) as error:
            if isinstance(error, UnknownParameter):
                raise
            raise self._refuse(text) from error

    def check(self, value: Any) -> Any:
        """Return the value as the declared type.

        Raises:
            UnknownParameter: Not of the type, or not an allowed one.
        """
        if self.type == ANY:
            return value
        if self.allowed:
            if not any(type(value) is type(each) and value == each for each in self.allowed):
                raise self._refuse(value)
            return value
        try:
            converted = msgspec.convert(value, _python_type(self.type))
        except (msgspec.ValidationError, RecursionError):
            if self._takes(0) and isinstance(value, int) and abs(value) > _LARGEST:
                raise UnknownParameter(
                    f"parameter {self.name!r} refused: {value} is beyond {_LARGEST}",
                    hint=self.comment or None,
                ) from None
            raise self._refuse(value) from None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return value
        if not self.limits.allow(value):
            raise UnknownParameter(
                f"parameter {self.name!r} refused: {value!r} is not {self.limits.words}", hint=self.comment
            )
        return converted

    def _takes(self, example: object, /) -> bool:
        """Whether the type accepts values like the example."""
        if self.allowed:
            return any(type(each) is type(example) for each in self.allowed)
        try:
            msgspec.convert(example, _python_type(self.type))
        except msgspec.ValidationError:
            return False
        return True

    def _refuse(self, value: Any) -> UnknownParameter:
        return UnknownParameter(
            f"parameter {self.name!r} refused: {value!r} is not of type {self.type}", hint=self._how()
        )

    def _how(self) -> str | None:
        how = {"bool": "write true or false", "list": "write a JSON list", "dict": "write a JSON object"}
        if self.allowed:
            return f"allowed: {', '.join(map(repr, self.allowed))}"
        return how.get(self.type.partition("[")[0])


def _not_read(error: json.JSONDecodeError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"it is not JSON: {error.msg} at character {error.pos + 1}"


def read_parameters(
    declared: Sequence[Parameter], *, values: Mapping[str, Any], texts: Mapping[str, str]
) -> dict[str, Any]:
    """Check the given parameters and return their values; `texts` come from people and override `values`.

    Raises:
        UnknownParameter: A name that is not declared, or a value of the wrong type.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    for name in (*values, *texts):
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1)
            there = (
                f"it declares: {', '.join(by_name)}"
                if by_name
                else "none of its cells has the tag `parameters`"
            )
            raise UnknownParameter(
                f"the runbook declares no parameter {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else there,
            )
    checked = {name: by_name[name].check(value) for name, value in values.items()}
    checked |= {name: by_name[name].read(text) for name, text in texts.items()}
    for name, value in checked.items():
        if not _is_finite(value):
            raise UnknownParameter(
                f"parameter {name!r} refused: it contains NaN or an infinite number",
                hint="a saved run cannot store them",
            )
    return checked


def _is_finite(value: Any) -> bool:
    """Whether a value contains neither NaN nor an infinite number, which JSON does not have."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def default_values(declared: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters' default values, except those that the cell computes."""
    return {each.name: each.default for each in declared if not each.computed}


def computed_names(declared: Sequence[Parameter]) -> frozenset[str]:
    """Names of the parameters whose defaults the cell computes."""
    return frozenset(each.name for each in declared if each.computed)


def _as_written(text: str) -> Any:
    """What a person typed for a parameter without a type, read as papermill does but without losing a digit."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if str(number) == text and abs(number) <= _LARGEST:
                return number
    return text


@cache
def _python_type(declared: str) -> Any:
    """The type that a declaration names, written with `_TYPES`' names, `|` and brackets."""
    return _type_of(ast.parse(declared, mode="eval").body)


def _type_of(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        return _type_of(node.left) | _type_of(node.right)
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _type_of(node.value)[tuple(map(_type_of, inner))]
    return _TYPES[ast.unparse(node)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UnknownParameter(f"a JSON object has {twice!r} twice", hint="give it once")
    return dict(pairs)
