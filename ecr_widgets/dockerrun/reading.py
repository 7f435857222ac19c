"""Reads bytes as one JSON object, strictly: anything that two parsers could read differently is refused, with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.text import cut

MAX_SIZE_BYTES = 64 * 1024
MAX_DEPTH = 64
_MAX_DIGITS = 300


def read_json(content: bytes, largest_bytes: int = MAX_SIZE_BYTES) -> dict[str, Any]:
    """Read one JSON object; member order is kept.

    Raises:
        InvalidDockerrun: Too large, not UTF-8, not JSON, a member twice, NaN, nested too deeply, not an object.
    """
    check_size(content, largest_bytes)
    if content.startswith(b"\xef\xbb\xbf"):
        raise InvalidDockerrun(
            "it begins with a byte-order mark, which Layer0 and ECS refuse", hint="save it as plain UTF-8"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidDockerrun(f"not UTF-8 at byte {error.start}", hint="save it as UTF-8") from error
    try:
        document = json.loads(
            text,
            object_pairs_hook=_members,
            parse_float=_float,
            parse_int=_int,
            parse_constant=lambda name: _Unusable(f"{name} is not JSON"),
        )
    except json.JSONDecodeError as error:
        raise InvalidDockerrun(
            f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}",
            hint="look there and just before it, mostly for a comma or a quote",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    check_values(document)
    if not isinstance(document, dict):
        raise InvalidDockerrun(
            f"{kind_of(document)}, not a JSON object", hint='begin with {"containerDefinitions": [...]}'
        )
    return document


def check_size(content: bytes, largest_bytes: int = MAX_SIZE_BYTES) -> None:
    """Refuse more than ECS accepts.

    Raises:
        InvalidDockerrun: Too large.
    """
    if len(content) > largest_bytes:
        raise InvalidDockerrun(
            f"larger than {largest_bytes} bytes", hint="ECS takes no more; move content into the image"
        )


def check_values(document: Any) -> None:
    """Refuse values that JSON cannot hold, or that two parsers would read differently.

    Raises:
        InvalidDockerrun: A member twice, NaN, half a character, nested too deeply.
    """
    for pointer, depth, value in _walk(document):
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, _Unusable):
            raise InvalidDockerrun(value.why, pointer=pointer, hint="write a plain number")
        if isinstance(value, _Doubled):
            raise InvalidDockerrun(
                f"member {shorten(value.member)} appears twice in one object",
                pointer=step(pointer, value.member),
                hint="keep one of them",
            )
        texts = value if isinstance(value, dict) else (value,) if isinstance(value, str) else ()
        if any(not text.isascii() and _has_half_character(text) for text in texts):
            raise InvalidDockerrun(
                "half a character (an unpaired \\ud800 to \\udfff)", pointer=pointer, hint="write it as UTF-8"
            )


def step(pointer: str, key: str | int) -> str:
    """The JSON pointer one level further in.

    Source: RFC 6901, section 3.
    """
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def shorten(text: str, length: int = 80) -> str:
    """A text quoted and cut for a message; control characters show as escapes."""
    return repr(cut(text, length))


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text" if value else "an empty text"
    return {int: "a number", float: "a number", list: "a list"}.get(type(value), "an object")


@dataclass(frozen=True, slots=True)
class _Unusable:
    """Takes the place of a value that cannot be used, until its pointer is known."""

    why: str


class _Doubled(dict[str, Any]):
    """An object that had a member twice."""

    member = ""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    # Parsers differ on which of two equal members counts, so neither is taken.
    doubled = _Doubled(members)
    doubled.member = _first_again(name for name, _ in pairs)
    return doubled


def _first_again(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise ValueError("no name appears twice")


def _float(text: str) -> float | _Unusable:
    value = float(text)
    # Past the range of a double, Python would write Infinity, which is not JSON.
    return value if math.isfinite(value) else _Unusable(f"{shorten(text, 20)} is too large a number")


def _int(text: str) -> int | _Unusable:
    return int(text) if len(text) <= _MAX_DIGITS else _Unusable(f"a number of {len(text)} digits")


def _has_half_character(text: str) -> bool:
    return any("\ud800" <= mark <= "\udfff" for mark in text)


def _walk(document: Any) -> Iterator[tuple[str, int, Any]]:
    """Every value with pointer and depth, outer ones first; without recursion, since the sender chooses the depth."""
    waiting = [("", 0, document)]
    while waiting:
        pointer, depth, value = waiting.pop()
        yield pointer, depth, value
        if isinstance(value, dict):
            inner = [(step(pointer, key), depth + 1, item) for key, item in value.items()]
        elif isinstance(value, list):
            inner = [(step(pointer, number), depth + 1, item) for number, item in enumerate(value)]
        else:
            continue
        waiting.extend(reversed(inner))


def _too_deep() -> InvalidDockerrun:
    return InvalidDockerrun("nested too deeply", hint=f"no Dockerrun needs more than {MAX_DEPTH} levels")
