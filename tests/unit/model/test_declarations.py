"""Parameters that a cell declares, in the kit's form or any other."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.declarations import declared_parameters, found_parameters
from ecr_widgets.model.parameters import ANY, read_parameters


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Optional[int]", "int | None"),
        ("typing.Optional[int]", "int | None"),
        ("Union[int, str]", "int | str"),
        ("t.Union[int, None]", "int | None"),
        ("Optional[Union[int, float]]", "int | float | None"),
        ("None | int", "None | int"),
        ("'int | None'", "int | None"),
        ("Optional['int']", "int | None"),
        ("List[str]", "list[str]"),
        ("Optional[List[int]]", "list[int] | None"),
        ("Dict[str, List[int]]", "dict[str, list[int]]"),
        ("list[Optional[int]]", "list[int | None]"),
        ("list[int] | list[str] | None", "list | None"),
        ("list[Literal['a', 1]]", "list[str | int]"),
        ("Annotated[int, 'seconds']", "int"),
        ("Final[str]", "str"),
        ("Literal['a'] | int", "int | str"),
        ("dict[str, Any]", f"dict[str, {ANY}]"),
        ("Any", ANY),
        ("object", ANY),
        ("Path", ANY),
        ("datetime.date | None", ANY),
        ("'not a type'", ANY),
    ],
)
def test_each_spelling_of_a_type_means_the_same(written: str, meant: str) -> None:
    """All spellings of a type mean the same, and a type unknown to JSON accepts any value."""
    (declared,) = declared_parameters(f"n: {written} = None")
    assert declared.type == meant


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("", None)])
def test_an_optional_takes_its_type_or_nothing(text: str, value: int | None) -> None:
    """An optional parameter accepts its type or an empty text, and refuses anything else."""
    declared = declared_parameters("n: Optional[int] = None")
    assert read_parameters(declared, values={}, texts={"n": text}) == {"n": value}
    with pytest.raises(UnknownParameter, match=r"not of type int \| None"):
        read_parameters(declared, values={}, texts={"n": "five"})


@pytest.mark.parametrize(
    "cell", ["m: Optional[Literal['a', 'b']] = None", "m: Literal['a', 'b'] | None = 'a'"]
)
def test_a_choice_may_be_none(cell: str) -> None:
    """An optional choice accepts its values or nothing."""
    declared = declared_parameters(cell)
    assert [read_parameters(declared, values={}, texts={"m": text})["m"] for text in ("b", "")] == ["b", None]
    with pytest.raises(UnknownParameter, match="allowed: 'a', 'b', None"):
        read_parameters(declared, values={"m": "c"}, texts={})


@pytest.mark.parametrize(
    "cell",
    [
        "n = 60 * 60",
        "n = os.environ.get('STAGE', 'dev')",
        "n: int = len('abc')",
        "n = f'{1}'",
        "n = (1, 2)",
        "n = None",
        "n, m = 1, 2",
        "if True:\n    n = 1\nelse:\n    n = 2",
        "try:\n    n = 1\nexcept Exception: pass",
        "with open('x') as f:\n    n = 1",
        "m = n = load()",
        "n: Literal[open] = 1",
        "%matplotlib inline\n!pip list\nn = compute()",
    ],
)
def test_a_cell_of_any_form_declares_what_it_assigns(cell: str) -> None:
    """Any form of assignment declares a parameter, without a default if only running the cell could determine it."""
    declared = {each.name: each for each in found_parameters(cell)}["n"]
    assert declared.default is None or declared.type == ANY


def test_names_within_functions_are_no_parameters() -> None:
    """Names inside functions and classes, imports, functions and classes are not parameters."""
    cell = "import os\ndef f():\n    a = 1\nclass C:\n    b = 1\nc = [d for d in ()]\ne = 1"
    assert [each.name for each in found_parameters(cell)] == ["c", "e"]


def test_a_cell_that_is_too_deep_is_no_reason_to_refuse() -> None:
    """An expression that is nested too deeply is no error: it declares its name, or before Python 3.13 nothing."""
    found = found_parameters("n = " + "+".join(["x"] * 3000))
    assert [each.name for each in found] in ([], ["n"])


@pytest.mark.parametrize("cell", ["%%bash\necho $x", "def", "", "(" * 3000])
def test_a_cell_that_is_not_python_declares_nothing(cell: str) -> None:
    """A cell that is not Python declares nothing and is no error."""
    assert found_parameters(cell) == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("-2", -2), ("1.5", 1.5), ("True", True), ("None", None), ("dev", "dev"),
        ("1.10", "1.10"), ("012345678901", "012345678901"), ("7e12345", "7e12345"), ("1_0", "1_0"),
        ("nan", "nan"), ("inf", "inf"), ("true", "true"), ("", ""), ("9" * 20, "9" * 20),
    ],
)  # fmt: skip
def test_what_has_no_type_is_read_as_it_is_written(text: str, value: object) -> None:
    """An untyped parameter is read as papermill's `-p` does, except that a number it would rewrite stays text."""
    declared = found_parameters("n = compute()")
    found = read_parameters(declared, values={}, texts={"n": text})["n"]
    assert (found, type(found)) == (value, type(value))


def test_the_kits_own_form_has_plain_values_only() -> None:
    """Only plain values are allowed in the kit's own form, but other forms still declare parameters for a run."""
    for cell in ("n: int = 60 * 60", "n, m = 1, 2", "if x: n = 1"):
        assert found_parameters(cell)
        with pytest.raises(UnknownParameter):
            declared_parameters(cell)
