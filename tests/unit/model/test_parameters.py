"""Parameters as runbooks declare them."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.errors import UnknownParameter
from ecr_widgets.model.declarations import declared_parameters
from ecr_widgets.model.parameters import Parameter, read_parameters

CELL = """
tag: str = "1"  # tag to push under
count: int = 1
share: float = 0.5  # of all
flag: bool = False
names: list[str] = []
note: str | None = None
vars: dict[str, dict[str, str]] = {}
mode: Literal["service", "task"] = "service"
"""


def read(**texts: str) -> dict[str, Any]:
    return read_parameters(declared_parameters(CELL), values={}, texts=texts)


def test_the_cell_declares_names_types_defaults_and_comments() -> None:
    """The parameters cell declares each parameter's name, type, default, comment and allowed values."""
    tag, *_, mode = declared_parameters(CELL)
    assert (tag.name, tag.type, tag.default, tag.comment) == ("tag", "str", "1", "tag to push under")
    assert mode.allowed == ("service", "task")


@pytest.mark.parametrize("text", ["012345678901", "1.10", "7e12345", "true", "null", " x "])
def test_text_stays_as_typed(text: str) -> None:
    """A string parameter keeps its text, even if it looks like a number or a boolean."""
    assert read(tag=text) == {"tag": text}


def test_other_types_are_read_as_declared() -> None:
    """Each declared type is read from its own form of text."""
    assert read(count="3", share="2", flag="true", names='["a"]', mode="task", note="") == {
        "count": 3, "share": 2.0, "flag": True, "names": ["a"], "mode": "task", "note": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"count": "1.5"}, "not of type int"),
        ({"share": "inf"}, "not of type float"),
        ({"flag": "maybe"}, "write true or false"),
        ({"names": "a"}, "write a JSON list"),
        ({"mode": "cron"}, "allowed: 'service', 'task'"),
        ({"count": "1_0"}, "not of type int"),
        ({"count": "３"}, "not of type int"),
        ({"count": " 3"}, "not of type int"),
        ({"share": "1_0.5"}, "not of type float"),
        ({"count": "9" * 20}, "is beyond"),
        ({"names": "[1]"}, "not of type list"),
        ({"vars": '{"web": "x"}'}, "not of type dict"),
        ({"vars": '{"web": {"A": "b", "A": "c"}}'}, "has 'A' twice"),
        ({"vars": '{"web": {"A": "hunter22'}, "not JSON: .* at character"),
        ({"tga": "1"}, "did you mean 'tag'"),
        ({"__import__('os')": "1"}, "declares no parameter"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, str], why: str) -> None:
    """A value that does not fit its declaration is refused with what is allowed."""
    with pytest.raises(UnknownParameter, match=why):
        read(**given)


def test_where_nothing_is_declared_the_missing_tag_is_named() -> None:
    """A runbook whose cell has another tag, such as `Parameters`, is told which one counts."""
    with pytest.raises(UnknownParameter, match="none of its cells has the tag `parameters`"):
        read_parameters((), values={"x": 1}, texts={})


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [("int | float", "0.5", 0.5), ("int | float", "2", 2), ("float", "1" * 20, 11111111111111111111.0)],
)
def test_a_number_gets_the_type_that_holds_it(declared: str, text: str, value: float) -> None:
    """A number is read as an int if the type allows it, else as a float."""
    found = Parameter("n", declared, None).read(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("int", True), ("float", False), ("bool", 1), ("float", float("nan")), ("str", b"x"), ("list", "x"),
        ("list[int]", [True]), ("list[int]", [2**60]), ("list[float]", [float("inf")]), ("dict[str, int]", {1: 1}),
        ("list[str | int]", [1.5]), ("dict[str, list[int]]", {"a": ["1"]}), ("dict[str, any] | None", []),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_at_any_depth(declared: str, value: object) -> None:
    """A value of another type is refused at any depth, as are infinite numbers and integers too large for JSON."""
    with pytest.raises(UnknownParameter, match="is not of type"):
        Parameter("n", declared, None).check(value)


def test_values_from_files_are_checked_too() -> None:
    """Values from files are checked against the declared type; a number is not accepted for a string."""
    with pytest.raises(UnknownParameter, match="not of type str"):
        read_parameters(declared_parameters(CELL), values={"tag": 1.1}, texts={})


def test_true_is_no_allowed_number() -> None:
    """True is not accepted for the number 1."""
    declared = declared_parameters("copies: Literal[1, 2] = 1")
    with pytest.raises(UnknownParameter, match="allowed: 1, 2"):
        read_parameters(declared, values={"copies": True}, texts={})


def test_a_text_that_is_no_json_is_not_shown() -> None:
    """An error about invalid JSON does not contain the text, which may hold a password."""
    with pytest.raises(UnknownParameter) as caught:
        read(vars='{"web": {"DB_PASSWORD": "hunter22')
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "cell", ["tag = open('x')", "for x in y: pass", "tag: str = '", "tag = {[]: 1}", "tag: Literal[open] = 1"]
)
def test_a_cell_that_declares_no_plain_values_is_refused(cell: str) -> None:
    """A cell with anything but plain values is refused, without executing it."""
    with pytest.raises(UnknownParameter):
        declared_parameters(cell)


@pytest.mark.parametrize(
    ("comment", "good", "bad"),
    [
        ("copies, 0 or more", ("0", "7"), ("-1",)),
        ("longest wait, in seconds, above 0", ("0.5", "600"), ("0", "-1", "-0.1")),
        ("share, 1 to 10; 3 is usual", ("1", "10"), ("0", "10.5")),
        ("seconds", ("-1", "0"), ()),
        ("offset, -5 or more", ("-5", "0"), ("-5.5", "-6")),
        ("balance: -1 to 1", ("-1", "0", "1"), ("-2", "1.5")),
        ("lifetime; 12 to 24 hours is usual", ("1", "48"), ()),
        ("share (0 to 1)", ("0", "1"), ("2",)),
        ("share. 0 to 1.", ("0", "1"), ("2",)),
    ],
)
def test_a_number_stays_within_what_its_comment_says(
    comment: str, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    """A range in a number's comment is enforced."""
    (declared,) = declared_parameters(f"limit: float = 1.0  # {comment}")
    for text in good:
        assert declared.read(text) == float(text)
    for text in bad:
        with pytest.raises(UnknownParameter, match="parameter 'limit' refused"):
            declared.read(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("declared", "text", "why"),
    [
        ("list", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("dict", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ("dict", "{" + ",".join(f'"n{n}":1' for n in range(30_000)) + ',"n1":2}', "'n1' twice"),
        ("int", "0" * 100_000 + "x", "not of type int"),
    ],
)
def test_a_text_made_to_keep_its_reader_busy_is_refused(declared: str, text: str, why: str) -> None:
    """Deeply nested or very long text is refused quickly."""
    with pytest.raises(UnknownParameter, match=why):
        Parameter("value", declared, None).read(text)


@pytest.mark.parametrize("source", ["-" * 100_000 + "1", "x = 1\0", "[" * 5000])
def test_a_cell_beyond_what_python_reads_is_refused(source: str) -> None:
    """A cell that Python cannot parse is refused with an error of ours."""
    with pytest.raises(UnknownParameter):
        declared_parameters(source + "\nx: int = y")
