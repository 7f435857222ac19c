"""From a file's bytes to a notebook of nbformat 4, as plain values, or to why it is none, in words of a notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ecr_widgets.errors import InputError

_MAJOR = 4
_KINDS = ("code", "markdown", "raw")


def read_notebook(content: bytes, path: object) -> dict[str, Any]:
    """Read a notebook; each of its cells then has a source of one text, metadata and tags.

    Args:
        path: Where the bytes come from, for messages.

    Raises:
        InputError: It is not a notebook.
    """
    try:
        notebook = _object(content)
        major = notebook.get("nbformat", _MAJOR)
        if major != _MAJOR:
            notebook = _converted(content, major)
        _check(notebook)
    except _NoNotebook as error:
        raise InputError(
            f"{str(path)!r} is not a notebook: {error}",
            hint="open it in JupyterLab and save it, or give another",
        ) from error
    return notebook


class _NoNotebook(Exception):
    """Why it is not a notebook, to follow its name."""


def _object(content: bytes) -> dict[str, Any]:
    if not content.strip():
        raise _NoNotebook("the file is empty")
    try:
        # Of the encodings that JSON may have, told by the first bytes.
        notebook = json.loads(content)
    except json.JSONDecodeError as error:
        raise _NoNotebook(f"it is not JSON: {error.msg} in line {error.lineno}") from error
    except UnicodeDecodeError as error:
        raise _NoNotebook("it is not text in UTF-8") from error
    except RecursionError as error:
        raise _NoNotebook("its JSON is nested too deeply") from error
    except ValueError as error:  # such as a number of 5,000 digits
        raise _NoNotebook(f"its JSON cannot be read: {error}") from error
    if not isinstance(notebook, dict):
        raise _NoNotebook("its JSON is not an object")
    return notebook


def _converted(content: bytes, major: Any) -> dict[str, Any]:
    if not isinstance(major, int) or major > _MAJOR:
        raise _NoNotebook(f"its nbformat is {major!r}, and this release reads {_MAJOR} and older ones")
    # Imported here, since hardly any notebook is as old.
    import nbformat

    try:
        text = content.decode(json.detect_encoding(content))
        converted: dict[str, Any] = nbformat.reads(text, as_version=_MAJOR)
    except Exception as error:
        raise _NoNotebook(f"nbformat cannot convert it from nbformat {major}") from error
    return converted


def _check(notebook: dict[str, Any]) -> None:
    metadata = notebook.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise _NoNotebook("its metadata is not an object")
    _repair_kernel(metadata)
    minor = notebook.get("nbformat_minor", 0)
    if not isinstance(minor, int):
        raise _NoNotebook(f"its nbformat_minor is {minor!r}")
    if not isinstance(notebook.get("cells"), list):
        raise _NoNotebook("it has no list of cells")
    for number, cell in enumerate(notebook["cells"], 1):
        if not isinstance(cell, dict):
            raise _NoNotebook(f"cell {number} is not an object")
        _check_cell(cell, f"cell {number}")


def _repair_kernel(metadata: dict[str, Any]) -> None:
    """Leave out a kernel that nbformat does not take: the saved run would not be a valid notebook."""
    kernel = metadata.get("kernelspec")
    if not isinstance(kernel, dict) or not isinstance(kernel.get("name"), str):
        metadata.pop("kernelspec", None)
    elif not isinstance(kernel.get("display_name"), str):
        kernel["display_name"] = kernel["name"]


def _check_cell(cell: dict[str, Any], which: str) -> None:
    if (kind := cell.get("cell_type")) not in _KINDS:
        raise _NoNotebook(f"{which} has the type {kind!r}, and not one of {', '.join(_KINDS)}")
    cell["source"] = _text(cell.get("source"), which)
    if cell.get("metadata") is None:
        cell["metadata"] = {}
    metadata = cell["metadata"]
    if not isinstance(metadata, dict):
        raise _NoNotebook(f"the metadata of {which} is not an object")
    if metadata.get("tags") is None:
        metadata["tags"] = []
    tags = metadata["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _NoNotebook(f"the tags of {which} are not a list of texts")
    if not isinstance(metadata.get("papermill", {}), Mapping):
        del metadata["papermill"]


def _text(source: Any, which: str) -> str:
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        raise _NoNotebook(f"{which} has no source, or one that is not text")
    text = "".join(lines)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # JSON can spell one half of a surrogate pair; no kernel can be sent it.
        raise _NoNotebook(f"{which} holds half a character: {text[error.start]!a}") from error
    return text
