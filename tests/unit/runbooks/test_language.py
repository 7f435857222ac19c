"""Which notebooks the engine accepts as Python."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks.language import refuse_other_cells, refuse_other_language


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        None,
        {"kernelspec": {"name": "python3"}},
        {"kernelspec": {"name": "anything", "language": "python"}},
        {"kernelspec": {"name": "conda-env-x-py"}},
        {"language_info": {"name": "Python"}, "kernelspec": {"name": "my-venv"}},
        {"language_info": {"name": "ipython3"}},
        {"language_info": {"name": ""}, "kernelspec": {"name": "python3", "language": "python"}},
        {"language_info": "odd", "kernelspec": ["odd"]},
    ],
)
def test_a_notebook_of_pythons_is_taken(metadata: Any) -> None:
    """A Python notebook is accepted, even if only its kernel's name says so or nothing does."""
    refuse_other_language(metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "bash", "language": "bash"}},
        {"kernelspec": {"name": "python3", "language": "python"}, "language_info": {"name": "bash"}},
        {"kernelspec": {"name": "python3", "language": "R"}},
        {"language_info": {"name": "javascript"}},
        {"kernelspec": {"name": "sos", "language": "sos"}},
        {"kernelspec": {"name": "ir"}},
        {"kernelspec": {"name": "julia-1.9"}},
    ],
)
def test_a_notebook_of_another_language_is_refused(metadata: Any) -> None:
    """A notebook of another language is refused, even if its cells would be valid Python."""
    with pytest.raises(InputError, match="the notebook is refused"):
        refuse_other_language(metadata)


def _cell(language: Any, source: str = "echo hello", kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {"vscode": {"languageId": language}}}


@pytest.mark.parametrize("language", ["shellscript", "sql", "markdown", "plaintext", "r"])
def test_a_cell_of_another_language_is_refused_by_its_number(language: str) -> None:
    """A code cell that VS Code has saved as another language is refused, with its number and the language."""
    cells = [_cell("python", "x = 1"), _cell(language)]
    with pytest.raises(InputError, match=f"cell 2 is {language}, as VS Code has saved it"):
        refuse_other_cells(cells)


@pytest.mark.parametrize(
    "cell",
    [
        _cell("shellscript", "%%bash\necho hello"),
        _cell("sql", "\n%%sql\nselect 1"),
        _cell("python", "x = 1"),
        _cell("shellscript", " \n"),
        _cell("markdown", "# Title", "markdown"),
        _cell(5),
        {"cell_type": "code", "source": "x = 1", "metadata": {"vscode": "odd"}},
        {"cell_type": "code", "source": "x = 1", "metadata": {}},
    ],
)
def test_what_the_kernel_reads_as_it_is_meant_is_taken(cell: dict[str, Any]) -> None:
    """A cell magic, whose language VS Code sets by itself, an empty cell, Markdown and odd metadata are accepted."""
    refuse_other_cells([cell])
