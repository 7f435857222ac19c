"""The canonical form that is sealed: equal for notebooks that mean the same, different for all others."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_widgets.audit.canonical import _FormMaker, canonical, differences, form_of
from ecr_widgets.errors import RecordError
from tests.audit.runs import KINDS, recorded

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('abcXYZ09 _\x7f/"\\\n', max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
@settings(max_examples=400, deadline=None)
def test_the_fast_way_gives_the_bytes_of_rfc_8785(value: Any) -> None:
    """The fast encoder gives the same bytes as the RFC 8785 reference implementation."""
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(RecordError):
            canonical(value, simple=True)
    else:
        assert canonical(value, simple=True) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=400, deadline=None)
def test_floats_are_written_as_rfc_8785_says_the_fast_way_too(value: float) -> None:
    """Floats get the same form whether or not a non-ASCII name makes the notebook take the slow path."""
    fast, slow = ({"cells": [], "metadata": {"mine": value}} | more for more in ({}, {"x": {"ä": 1}}))
    assert form(fast).metadata["mine"] == form(slow).metadata["mine"]
    assert form(fast).metadata["mine"] == hashlib.sha256(rfc8785.dumps(value)).hexdigest()[:12]


@pytest.mark.parametrize(
    ("more", "sha256"),
    [
        ({"ä": "ö\x7f\x1b"}, "daa798e9672ae6ceefe963a2bed26c0e96182c56398a7827a0c5a2215a5fed99"),
        ({}, "eea9e73f56cb951aa7e511beaaa7933f8b5c0983b57d28c2a771d83b45d1fba0"),
    ],
)
def test_the_form_never_changes(more: dict[str, str], sha256: str) -> None:
    """The form of a notebook is the same as in the first release, on the fast and the slow path."""
    parameters = {"n": 2**60, "f": 1.50, "tiny": 1e-7, "big": 1e21} | more
    cell = {
        "id": "a", "cell_type": "code", "execution_count": 1, "source": ["x\n", "y"], "metadata": {"trusted": True, "z": 0.1},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]}],
    }  # fmt: skip
    metadata = {"ecr_widgets": {"version": 1, "parameters": parameters}, "kernelspec": {"name": "x"}}
    assert form({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]}).sha256 == sha256


def form(notebook: dict[str, Any]) -> Any:
    return form_of(json.dumps(notebook).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_saving_again_changes_no_form(kind: str) -> None:
    """Saving a notebook again with nbformat, a pretty-printer, other line ends or browser numbers does not change its form."""
    notebook = recorded(kind)
    notebook["metadata"]["mine"] = {"one": 1.0, "tiny": 1e-7, "ä": "ö\x7f"}
    first = form(notebook)
    compact = json.dumps(notebook, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
    windows = json.dumps(notebook, indent=4).replace("\n", "\r\n")
    browser = json.dumps(notebook).replace('"one": 1.0', '"one": 1').replace("1e-07", "1e-7")
    again = nbformat.writes(nbformat.from_dict(notebook))
    lab = copy.deepcopy(notebook)
    lab["metadata"] |= {"kernelspec": {"name": "x"}, "language_info": {"name": "python", "version": "3.11"}}
    lab["cells"][0]["metadata"]["trusted"] = True
    for text in (compact, windows, browser, again, json.dumps(lab)):
        assert differences(first, form_of(text.encode())) == ()


SHOWN = {
    "folded in JupyterLab": ({}, {"jupyter": {"source_hidden": True, "outputs_hidden": True}}),
    "unfolded again": ({}, {"jupyter": {}}),
    "heading folded": ({}, {"jp-MarkdownHeadingCollapsed": True, "heading_collapsed": True, "hidden": True}),
    "property inspector": ({}, {"editable": True, "slideshow": {"slide_type": ""}}),
    "VS Code": ({"vscode": {"interpreter": {"hash": "a" * 64}}, "orig_nbformat": 4}, {"vscode": {"languageId": "python"}}),
    "VS Code of 2021": ({"interpreter": {"hash": "a" * 64}}, {}),
    "table of contents": ({"toc-autonumbering": False, "toc-showcode": True, "toc": {"base_numbering": 1}}, {}),
    "classic": ({"celltoolbar": "Tags", "hide_input": False}, {"collapsed": True, "scrolled": True, "code_folding": [0]}),
    "nteract": ({}, {"inputHidden": True, "outputHidden": True, "outputExpanded": False}),
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN)
@pytest.mark.parametrize("kind", ["deployed", "failed"])
def test_how_a_notebook_is_shown_is_not_in_its_form(kind: str, case: str) -> None:
    """What front ends note about folding, slides, languages and contents does not change the form."""
    notebook = recorded(kind)
    first = form(notebook)
    of_notebook, of_cell = SHOWN[case]
    notebook["metadata"] |= of_notebook
    for cell in notebook["cells"]:
        cell["metadata"] |= of_cell
    assert differences(first, form(notebook)) == ()


@pytest.mark.parametrize(
    ("more", "of_cell"),
    [
        ({"tocks": 1}, {}),
        ({"jupyter": {"source_hidden": True}}, {}),
        ({}, {"jupyter": {"mine": 1}}),
        ({}, {"source_hidden": True}),
        ({}, {"tags": ["x"]}),
    ],
)
def test_what_is_not_about_showing_stays_in_the_form(more: dict[str, Any], of_cell: dict[str, Any]) -> None:
    """Only the known display members, in their known places, are left out of the form; any other member changes it."""
    notebook = recorded("proven")
    first = form(notebook)
    notebook["metadata"] |= more
    notebook["cells"][2]["metadata"] |= of_cell
    assert len(differences(first, form(notebook))) == 1


def test_the_first_releases_form_holds_how_a_notebook_is_shown() -> None:
    """The first release's form equals today's unless a front end has noted display state."""
    notebook = recorded("deployed")
    content = json.dumps(notebook).encode()
    assert form_of(content, first_release=True) == form_of(content)
    notebook["cells"][2]["metadata"]["jupyter"] = {"source_hidden": True}
    folded = json.dumps(notebook).encode()
    assert form_of(folded, first_release=True) != form_of(folded) == form_of(content)


def test_no_metadata_hides_what_stands_beside_it() -> None:
    """A metadata member that would collide with a name of the form itself is refused."""
    notebook = recorded("proven")
    notebook["metadata"]["/nbformat"] = 3
    with pytest.raises(RecordError, match="would hide"):
        form(notebook)


def _code(notebook: dict[str, Any], cell_id: str = "push-image") -> dict[str, Any]:
    found: dict[str, Any] = next(cell for cell in notebook["cells"] if cell["id"] == cell_id)
    return found


CHANGES = {
    "source": (lambda n: _code(n).update(source="1"), "cell push-image: source changed"),
    "output": (lambda n: _code(n)["outputs"][0]["data"].update({"text/html": "x"}), "cell push-image: outputs changed"),
    "record": (
        lambda n: _code(n)["outputs"][0]["data"].update({"application/vnd.ecr-widgets.record+json": "{}"}),
        "cell push-image: outputs changed",
    ),
    "count": (lambda n: _code(n).update(execution_count=99), "cell push-image: metadata or count changed"),
    "cell state": (
        lambda n: _code(n)["metadata"]["ecr_widgets"].update(state="failed"),
        "cell push-image: metadata or count changed",
    ),
    "run": (lambda n: n["metadata"]["ecr_widgets"].update(actor="eve"), "metadata ecr_widgets was changed"),
    "widgets": (lambda n: n["metadata"].update(widgets={"x": 1}), "metadata widgets was added"),
    "removed": (lambda n: n["metadata"].pop("papermill"), "metadata papermill was removed"),
    "top": (lambda n: n.update(more=1), "metadata /more was added"),
    "cell gone": (lambda n: n["cells"].remove(_code(n)), "cell push-image was removed"),
    "cell new": (lambda n: n["cells"].append({**_code(n), "id": "new"}), "cell new was added"),
    "cell twice": (lambda n: n["cells"].append(_code(n)), "cells are in another order, or their ids repeat"),
    "order": (lambda n: n["cells"].reverse(), "cells are in another order, or their ids repeat"),
    "attachment": (lambda n: n["cells"][0].update(attachments={"a": {}}), "cell title: metadata or count changed"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_every_change_is_found_and_named(case: str) -> None:
    """A change is reported by the part that changed, and no other part is reported."""
    change, told = CHANGES[case]
    notebook = recorded("deployed")
    first = form(notebook)
    change(notebook)
    assert differences(first, form(notebook)) == (told,)


def test_outputs_that_a_tool_removed_are_told_once() -> None:
    """Removed outputs and new ids of all cells, as nbconvert and nbstripout leave, are named by kind of change, not cell by cell."""
    notebook = recorded("deployed")
    first = form(notebook)
    code = _codes(notebook)
    for cell in code:
        cell["outputs"] = []
    ids = [cell["id"] for cell in notebook["cells"]]
    with_outputs = [
        each["id"] for each, was in zip(code, _codes(recorded("deployed")), strict=True) if was["outputs"]
    ]
    assert differences(first, form(notebook)) == (
        f"cells {', '.join(with_outputs[:3])} and {len(with_outputs) - 3} more: outputs removed",
    )
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = str(number)
    told = differences(first, form(notebook))
    assert told[0] == f"cells {', '.join(ids[:3])} and {len(ids) - 3} more: id changed"
    assert len(told) == 2
    del notebook["cells"][:4]
    assert f"cells {', '.join(ids[:3])} and {ids[3]} were removed" in differences(first, form(notebook))


def _codes(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_large_integers_differ_by_any_digit() -> None:
    """Large integers that a browser would round to the same number have different forms."""
    forms = []
    for value in (2**53, 2**53 + 1, 2**53 - 1, str(2**53)):
        notebook = recorded("killed")
        notebook["metadata"]["n"] = value
        forms.append(form(notebook).sha256)
    assert len(set(forms)) == 4


@pytest.mark.parametrize(
    "text",
    [
        '{"cells":[],"metadata":{},"metadata":{}}', '{"cells":[],"metadata":{"a":NaN}}', "[]", "", "{}", "nonsense",
        '{"cells":null,"metadata":{}}', '{"cells":[1],"metadata":{}}', '{"cells":[],"metadata":{"a":"\\ud800"}}',
        '{"cells":[],"metadata":' + "[" * 100_000, '{"cells":[],"metadata":{"a":' + "9" * 5000 + "}}",
        '{"cells":[],"metadata":{"a":1e999}}', '{"cells":[{"id":5}],"metadata":{}}',
    ],
)  # fmt: skip
def test_what_readers_may_disagree_about_has_no_form(text: str) -> None:
    """JSON that readers may understand differently, such as duplicate members or NaN, is refused."""
    with pytest.raises(RecordError):
        form_of(text.encode())


def test_bytes_that_are_no_text_have_no_form(tmp_path: Path) -> None:
    """Invalid UTF-8 is refused."""
    with pytest.raises(RecordError):
        form_of(b'{"cells":[],"metadata":{"a":"\xff"}}')


class _Counted(str):
    """A text that counts how often one is compared."""

    __slots__ = ()

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return str.__eq__(self, other)


def test_a_member_twice_among_many_is_found_in_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that appears twice is named, and finding it among many takes one pass."""
    monkeypatch.setattr(_Counted, "compared", 0)
    pairs = [(_Counted(f"m{number}"), 0) for number in (*range(300), 299)]
    with pytest.raises(RecordError, match="member 'm299' appears twice"):
        _FormMaker()._once(pairs)
    assert _Counted.compared < 5 * len(pairs)
