"""Whether a notebook's cells are Python, according to its metadata and theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ecr_widgets.errors import InputError

_PYTHON = re.compile(r"(i?python|xpython|pypy)[\d.]*", re.IGNORECASE)
_SOUNDS_LIKE_PYTHON = re.compile(r"py", re.IGNORECASE)


def refuse_other_language(metadata: Any) -> None:
    """Refuse a notebook in another language: its cells might also be valid Python and do something else.

    Args:
        metadata: The notebook's metadata.

    Raises:
        InputError: A language other than Python is named; or none is, and the kernel's name does not sound like Python.
    """
    kernel_metadata = metadata if isinstance(metadata, Mapping) else {}
    languages = [
        language
        for member, name in (("language_info", "name"), ("kernelspec", "language"))
        if (language := _text(kernel_metadata, member, name))
    ]
    for language in languages:
        if not is_python(language):
            raise InputError(
                f"the notebook is refused: its cells are {language}, and the engine runs Python",
                hint="use papermill's own engine and the notebook's kernel",
            )
    kernel = _text(kernel_metadata, "kernelspec", "name")
    if not languages and kernel and not _SOUNDS_LIKE_PYTHON.search(kernel):
        raise InputError(
            f"the notebook is refused: nothing in it says that kernel {kernel!r} runs Python",
            hint='if it is, set "language": "python" in the kernelspec of the notebook\'s metadata',
        )


def refuse_other_cells(cells: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a notebook with a code cell that VS Code has saved as another language: the kernel would read it as Python.

    A cell that begins with a magic such as `%%bash` is the kernel's: VS Code names its language after the magic.

    Args:
        cells: The notebook's cells, each with a source of one text.

    Raises:
        InputError: There is such a cell; the message names it.
    """
    for number, cell in enumerate(cells, 1):
        language = _text(cell.get("metadata") or {}, "vscode", "languageId")
        source = cell["source"].strip()
        if cell["cell_type"] != "code" or not language or is_python(language) or not source:
            continue
        if not source.startswith("%%"):
            raise InputError(
                f"the notebook is refused: cell {number} is {language}, as VS Code has saved it, and the engine runs Python",
                hint="choose Python as the cell's language, begin it with a magic such as %%bash, or make it a Markdown cell",
            )


def is_python(language: str) -> bool:
    """Whether a language name from a kernel or notebook means Python."""
    return _PYTHON.fullmatch(language.strip()) is not None


def _text(metadata: Mapping[str, Any], member: str, name: str) -> str:
    members = metadata.get(member)
    value = members.get(name) if isinstance(members, Mapping) else None
    return value if isinstance(value, str) else ""
