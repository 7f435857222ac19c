"""Parameters from YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.parameter_files import read_parameter_file
from ecr_widgets.errors import InputError
from ecr_widgets.model.declarations import declared_parameters
from ecr_widgets.model.parameters import ANY, Parameter, read_parameters

DECLARED = declared_parameters(
    "\n".join(
        (
            "tag: str = 'x'",
            "name: str | None = None",
            "on_failure: Literal['stop', 'on'] = 'stop'",
            "copies: int = 1",
            "timeout_s: float = 1.0",
            "create: bool = False",
            "tags: list[str] = []",
            "ports: list[int] = []",
            "labels: dict[str, str] = {}",
        )
    )
)


def read(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "values.yaml"
    path.write_text(text)
    return read_parameters(DECLARED, values=read_parameter_file(path, DECLARED), texts={})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tag: 1.10", "1.10"),
        ("tag: 0123", "0123"),
        ("tag: 012345678901", "012345678901"),
        ("tag: 7e12345", "7e12345"),
        ("tag: 2026-11-24", "2026-11-24"),
        ("tag: yes", "yes"),
        ("tag: '1.10'", "1.10"),
        ("name: 1.10", "1.10"),
        ("name: null", None),
        ("name:", None),
        ("on_failure: on", "on"),
        ("copies: 3", 3),
        ("timeout_s: 2", 2.0),
        ("create: yes", True),
        ("tags: [1.10, 0123]", ["1.10", "0123"]),
        ("ports: [80, 443]", [80, 443]),
        ("labels: {release: 1.10}", {"release": "1.10"}),
    ],
)
def test_the_declared_type_decides_what_a_word_is(tmp_path: Path, text: str, value: object) -> None:
    """A parameter declared as text gets the characters as written; other types get YAML's value."""
    (found,) = read(tmp_path, text).values()
    assert found == value
    assert type(found) is type(value)


def test_an_anchor_gives_its_words_as_written(tmp_path: Path) -> None:
    """Values from anchors and merges are read by declared type like any others."""
    text = "labels: &common {release: 1.10}\n<<: {tag: 0123}\n"
    assert read(tmp_path, text) == {"tag": "0123", "labels": {"release": "1.10"}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tag: 1\ntag: 2", "a name appears twice"),
        ("tag: [", "in line 1"),
        ("- tag", "holds no parameters"),
        ("copies: 1.5", "1.5 is not of type int"),
        ("tag: null", "None is not of type str"),
        ("tag: !!binary aGk=", "tag:yaml.org,2002:binary"),
        ("copies: !!set {a}", "tag:yaml.org,2002:set"),
        ("labels: !!timestamp 2026-11-24", "tag:yaml.org,2002:timestamp"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """An invalid file or value is refused with the reason."""
    with pytest.raises(InputError, match=why):
        read(tmp_path, text)


def test_what_may_be_anything_holds_only_what_a_saved_run_can(tmp_path: Path) -> None:
    """A date is text, as papermill has it; a number that JSON has not is refused before anything runs."""
    declared = (Parameter("found", ANY, None),)
    path = tmp_path / "p.yaml"
    for text, value in (("2026-11-24", "2026-11-24"), ("{2026-11-24: [1.5]}", {"2026-11-24": [1.5]})):
        path.write_text(f"found: {text}")
        values = read_parameter_file(path, declared)
        assert read_parameters(declared, values=values, texts={}) == {"found": value}
    for text in (".nan", "[-.inf]", "{a: {b: 1.0e+400}}"):
        path.write_text(f"found: {text}")
        with pytest.raises(InputError, match="'found' refused: it contains NaN"):
            read_parameters(declared, values=read_parameter_file(path, declared), texts={})


def test_a_file_that_is_missing_is_refused_by_its_name(tmp_path: Path) -> None:
    """A missing file is refused with its name and a hint to check the path."""
    with pytest.raises(InputError, match=r"none\.yaml.*No such file.*check the path"):
        read_parameter_file(tmp_path / "none.yaml", DECLARED)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "expands to more than"),
        (MERGES, "expands to more than"),
        ("tags: &a [*a]", "contains itself"),
        ("tag: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("tag: " + "{a: " * 3000 + "}" * 3000, "nested too deeply"),
        ("tag: '" + "x" * 300_000 + "'", "more than 256 KiB"),
        ("".join(f"n{n}: 1\n" for n in range(20_000)) + "n1: 2", "a name appears twice"),
    ],
    ids=["aliases", "merges", "itself", "lists", "objects", "large", "names"],
)
def test_a_file_made_to_keep_its_reader_busy_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """A file that is large, deeply nested or expands too far through aliases is refused."""
    with pytest.raises(InputError, match=why):
        read(tmp_path, text)


def test_an_alias_used_as_meant_is_no_bomb(tmp_path: Path) -> None:
    """A few aliases are accepted."""
    text = "tags: &a [one, two]\nlabels: {x: &b y, z: *b}\nports: []\n"
    assert read(tmp_path, text) == {"tags": ["one", "two"], "labels": {"x": "y", "z": "y"}, "ports": []}
