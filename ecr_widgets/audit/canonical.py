"""What a notebook says, independent of how it is written: the form that seals are made from.

Opening a notebook in JupyterLab and saving it unchanged reorders members, splits strings into lists of lines, writes 1.0 as
1, and adds the kernel's language. None of that is evidence, so the form leaves it out. It includes everything else: sources,
outputs, execution counts, all other metadata, widget state and attachments.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import rfc8785

from ecr_widgets.errors import RecordError

UNSEALED_METADATA = frozenset(("kernelspec", "language_info", "orig_nbformat", "signature"))
"""Members of a notebook's metadata that JupyterLab and nbformat write on their own; not evidence, not sealed."""
UNSEALED_CELL_METADATA = frozenset(("trusted", "collapsed", "scrolled"))
"""Members of a cell's metadata that only affect how it is shown."""
_SHOWING = frozenset(("vscode", "interpreter", "toc", "celltoolbar", "hide_input", "rise", "livereveal"))
"""More notebook metadata that front ends write: VS Code, tables of contents, slides. Names that begin with `toc-` count too."""
_SHOWING_CELL = frozenset((
    "vscode", "slideshow", "editable", "deletable", "hide_input", "hidden", "heading_collapsed",
    "jp-MarkdownHeadingCollapsed", "code_folding", "inputHidden", "outputHidden", "outputExpanded",
))  # fmt: skip
"""More cell metadata that only affects how it is shown: folded, on a slide, in which editor's language."""
_SHOWING_IN_JUPYTER = frozenset(("source_hidden", "outputs_hidden"))
"""The same in JupyterLab's own `jupyter` member of a cell's metadata."""
_SHORT = 12
"""Hex digits of a part's hash: enough to find what changed; the whole form has a full hash."""

_NO_OUTPUTS = hashlib.sha256(b"[]").hexdigest()[:_SHORT]
_MOST_NAMED = 3
"""Cells that are named for one kind of change."""


@dataclass(frozen=True, slots=True)
class Form:
    """Hashes of what a notebook says.

    `sha256` covers everything; `metadata` has a short hash per member, and `cells` one line per cell: its id and the hashes of
    source, outputs and the rest, joined by colons.
    """

    sha256: str
    metadata: Mapping[str, str]
    cells: tuple[str, ...]


def canonical(value: Any, *, simple: bool = False) -> bytes:
    """Encode a value as JSON in RFC 8785's canonical form.

    Args:
        simple: Whether all member names are ASCII: then msgspec's encoder gives the same bytes, many times faster. Floats must be
            of the type that `form_of` makes.

    Raises:
        RecordError: A value that JSON does not have, such as NaN, or a string that is not valid Unicode.
    """
    try:
        if simple:
            return _encode(value)
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError, TypeError) as error:
        raise RecordError(f"no canonical form: {type(error).__name__} {error}") from error


def form_of(content: bytes, *, first_release: bool = False) -> Form:
    """Return the form of a notebook's bytes.

    Args:
        first_release: Whether to make the form as the first release did, which sealed more of how a notebook is shown. Both
            are the same if no front end has touched the notebook.

    Raises:
        RecordError: Not a notebook, or one that readers may interpret differently: a repeated member, or NaN.
    """
    try:
        return _FormMaker(first_release=first_release).make(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"not a notebook: {type(error).__name__} {str(error)[:200]}") from error


def differences(before: Form, after: Form) -> tuple[str, ...]:
    """Return what changed between two forms, in words; empty if nothing did."""
    if before.sha256 == after.sha256:
        return ()
    changes = [
        f"metadata {name} was {_how(name, before.metadata, after.metadata)}"
        for name in sorted(before.metadata.keys() | after.metadata.keys())
        if before.metadata.get(name) != after.metadata.get(name)
    ]
    changes += _cell_differences(_by_id(before.cells), _by_id(after.cells))
    return tuple(changes) or ("cells are in another order, or their ids repeat",)


def _cell_differences(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """The cells of each kind of change: one that a tool makes to all cells is named once."""
    changes: dict[str, list[str]] = {}
    added = {cell_id: parts for cell_id, parts in after.items() if cell_id not in before}
    by_source: dict[str, list[str]] = {}
    for cell_id in reversed(added):
        by_source.setdefault(added[cell_id][0], []).append(cell_id)
    for cell_id, parts in before.items():
        other = after.get(cell_id)
        if other is None:
            # Some tools give all cells new ids.
            if not (renamed := by_source.get(parts[0])):
                changes.setdefault("removed", []).append(cell_id)
                continue
            other = added.pop(renamed.pop())
            changes.setdefault("id changed", []).append(cell_id)
        for what, a, b in zip(("source", "outputs", "metadata or count"), parts, other, strict=True):
            if a != b:
                how = "removed" if what == "outputs" and b == _NO_OUTPUTS else "changed"
                changes.setdefault(f"{what} {how}", []).append(cell_id)
    changes |= {"added": list(added)} if added else {}
    return [_sentence(what, cells) for what, cells in changes.items()]


def _sentence(what: str, cells: list[str]) -> str:
    how = f" {'was' if len(cells) == 1 else 'were'} {what}" if what in ("added", "removed") else f": {what}"
    if len(cells) == 1:
        return f"cell {cells[0]}{how}"
    more = len(cells) - _MOST_NAMED
    # Rather one more name than "and 1 more".
    *names, last = cells if more <= 1 else (*cells[:_MOST_NAMED], f"{more} more")
    return f"cells {', '.join(names)} and {last}{how}"


def within_reach(value: Any) -> Any:
    """Replace each integer that a browser cannot represent exactly by an object with its digits, which any format can hold.

    Raises:
        RecursionError: It is nested too deeply.
    """
    if type(value) is int:
        return value if -_MAX_INTEGER <= value <= _MAX_INTEGER else {_BEYOND: str(value)}
    if isinstance(value, Mapping):
        return {key: within_reach(each) for key, each in value.items()}
    return [within_reach(each) for each in value] if isinstance(value, list) else value


class _FormMaker:
    """Makes a form; notes while parsing whether all names are ASCII, so that the fast encoder can be used."""

    def __init__(self, *, first_release: bool = False) -> None:
        self._simple = True
        self._first_release = first_release

    def make(self, content: bytes) -> Form:
        notebook = json.loads(
            content,
            object_pairs_hook=self._once,
            parse_float=_Float,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
        metadata = {k: v for k, v in notebook["metadata"].items() if k not in UNSEALED_METADATA}
        if not self._first_release:
            metadata = {k: v for k, v in metadata.items() if k not in _SHOWING and not k.startswith("toc-")}
        beside = {f"/{k}": v for k, v in notebook.items() if k not in ("cells", "metadata")}
        if hidden := beside.keys() & metadata.keys():
            raise RecordError(f"metadata {min(hidden)!r} would hide a member beside it")
        metadata |= beside
        hashes = {name: self._hash(value) for name, value in metadata.items()}
        cells = [self._cell(cell) for cell in notebook["cells"]]
        return Form(
            _sha256(canonical({"metadata": hashes, "cells": cells}, simple=self._simple)),
            {name: value[:_SHORT] for name, value in hashes.items()},
            tuple(":".join((cell[0], *(part[:_SHORT] for part in cell[1:]))) for cell in cells),
        )

    def _cell(self, cell: Mapping[str, Any]) -> list[str]:
        metadata = {k: v for k, v in cell.get("metadata", {}).items() if k not in UNSEALED_CELL_METADATA}
        if not self._first_release:
            metadata = _without_showing(metadata)
        rest = {k: v for k, v in cell.items() if k not in ("id", "metadata", "source", "outputs")}
        cell_id = cell.get("id", "")
        if not isinstance(cell_id, str):
            raise RecordError("the id of a cell is not text")
        return [
            cell_id,
            self._hash_text(_text(cell.get("source", ""))),
            self._hash([_output(output) for output in cell.get("outputs", ())]),
            self._hash(rest | {"metadata": metadata}),
        ]

    def _hash_text(self, value: Any) -> str:
        return (
            _hash_of(value) if isinstance(value, str) and len(value) < _CACHED_LENGTH else self._hash(value)
        )

    def _hash(self, value: Any) -> str:
        return _sha256(canonical(value, simple=self._simple))

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = next(name for name, count in counts.items() if count > 1)
            raise RecordError(f"member {twice[:80]!r} appears twice in one object")
        if self._simple and not "".join(members).isascii():
            self._simple = False
        return members


def _without_showing(metadata: dict[str, Any]) -> dict[str, Any]:
    """A cell's metadata without what front ends store about how they show it."""
    kept = {k: v for k, v in metadata.items() if k not in _SHOWING_CELL}
    if isinstance(inner := kept.get("jupyter"), Mapping):
        kept["jupyter"] = {k: v for k, v in inner.items() if k not in _SHOWING_IN_JUPYTER}
        if not kept["jupyter"]:  # JupyterLab leaves an empty member behind
            del kept["jupyter"]
    return kept


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in output.items():
        if name == "data" and isinstance(value, Mapping):
            # nbformat splits text into lines, but leaves JSON alone.
            plain[name] = {m: v if m.endswith("json") else _text(v) for m, v in value.items()}
        else:
            plain[name] = _text(value) if name == "text" else value
    return plain


def _text(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


@lru_cache(maxsize=1024)
def _hash_of(text: str) -> str:
    """Cached, because the same runbooks run again and again."""
    return _sha256(canonical(text, simple=True))


class _Float(float):
    """A float that msgspec passes to `enc_hook`, because it would write it differently from RFC 8785."""


def _canonical_float(value: object) -> msgspec.Raw:
    if not isinstance(value, float):
        raise TypeError(f"{type(value).__name__} is not a type of JSON")
    return msgspec.Raw(rfc8785.dumps(float(value)))


_encode = msgspec.json.Encoder(order="sorted", enc_hook=_canonical_float).encode


def _integer(text: str) -> Any:
    return within_reach(int(text))


_BEYOND = "integer beyond 2^53"
_CACHED_LENGTH = 4000
_MAX_INTEGER = 2**53 - 1


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _no_constant(name: str) -> Any:
    raise RecordError(f"{name} is not JSON")


def _how(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if name not in after:
        return "removed"
    return "changed" if name in before else "added"


def _by_id(cells: tuple[str, ...]) -> dict[str, list[str]]:
    # In nbformat 4.5 ids have no colon; in a hostile file they may.
    return {line.rsplit(":", 3)[0]: line.rsplit(":", 3)[1:] for line in cells}
