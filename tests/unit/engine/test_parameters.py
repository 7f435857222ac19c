"""A run's parameters, written into a cell as papermill would write them."""

from __future__ import annotations

import ast
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.parameterize import parameterize_notebook
from papermill.translators import PythonTranslator

from ecr_widgets.engine.parameters import as_python, checked_values, inject
from ecr_widgets.errors import InputError
from ecr_widgets.secrets.redaction import SecretRegistry

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_is_written_as_papermill_writes_it(value: Any) -> None:
    """A value is written exactly as papermill does, and Python reads it back unchanged."""
    assert as_python(value) == PythonTranslator.translate(value)
    assert ast.literal_eval(as_python(value)) == value


@pytest.mark.parametrize("text", ["\ud800", 'quo"te', "back\\slash", "line\nend", "{braces}", "✓"])
def test_any_text_is_written_in_ascii(text: str) -> None:
    """Any text is written in ASCII, including lone surrogates and quotes."""
    assert as_python(text).isascii()
    assert ast.literal_eval(as_python(text)) == text


def _notebook(*tags: str) -> dict[str, Any]:
    cells = [nbformat.v4.new_code_cell(tag, metadata={"tags": [tag] if tag else []}) for tag in tags]
    metadata = {"papermill": {}, "kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)  # type: ignore[no-any-return, no-untyped-call]


@pytest.mark.parametrize(
    "tags",
    [("", "parameters", ""), ("", "parameters", "injected-parameters", ""), ("injected-parameters", ""), ("", ""), ()],
)  # fmt: skip
def test_the_cell_is_where_papermill_puts_it(tags: tuple[str, ...]) -> None:
    """The parameters' cell is where papermill puts it: after the declared ones, in place of an earlier run's, or at the top."""
    values = {"tag": "1.10", "count": 2}
    ours, theirs = _notebook(*tags), parameterize_notebook(_notebook(*tags), dict(values))
    inject(ours, values)
    assert [cell["source"] for cell in ours["cells"]] == [cell["source"] for cell in theirs["cells"]]
    assert [cell["metadata"] for cell in ours["cells"]] == [cell["metadata"] for cell in theirs["cells"]]
    assert ours["metadata"]["papermill"] == theirs["metadata"]["papermill"]


@pytest.mark.parametrize("name", ["x = 1; import os", "class", "a-b", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """A parameter whose name is not a Python identifier is refused, since it would be written into a cell."""
    with pytest.raises(InputError, match="is not a name"):
        checked_values((), {name: 1}, SecretRegistry())
