"""What the documents say is true. The blocks that need a sandbox are run by `tests/sandbox/test_docs.py`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from ecr_widgets import NotebookKit
from ecr_widgets.cli import main
from ecr_widgets.dockerrun.service_file import SETTINGS, read_service_file
from ecr_widgets.runbooks import list_runbooks
from tests.documents import DOCS, PAGES, ROOT, blocks, commands, inline, reader_folder

BIN = Path(sys.executable).parent

TEXTS = {page.name: page.read_text() for page in PAGES}
EVERYTHING = "\n".join(TEXTS.values())
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_every_make_target_of_the_documents_exists() -> None:
    """`make X` in the documents is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", EVERYTHING, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_call_of_the_documents_exists() -> None:
    """`kit.something(` in the documents is a method of the kit."""
    named = set(re.findall(r"\bkit\.([a-z_]+)\(", EVERYTHING))
    assert named
    assert named <= set(dir(NotebookKit))


def leaf(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that these words name and the remaining words; fail if there is no such command."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        group, name, *words = command, *words
        found = group.get_command(click.Context(group), name)
        assert found, f"{group.name} has no command {name!r}"
        command = found
    return command, words


@each_page
def test_every_command_line_of_a_block_is_taken(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each `ecr-widgets …` line in a shell block names a command and has only options and arguments that it accepts."""
    reader_folder(tmp_path)
    for name in ("backup.ipynb", "colleague.key", "head.txt"):  # made by earlier lines of a page
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        for words in commands(block) if block.language == "sh" else ():
            if words[:1] == ["ecr-widgets"]:
                command, rest = leaf(words[1:])
                # `--help` is printed while the words are parsed.
                with suppress(click.exceptions.Exit), command.make_context(" ".join(words), rest):
                    pass


@each_page
def test_every_command_in_a_text_exists_with_its_options(page: Path) -> None:
    """Each `ecr-widgets …` between backticks names a command, and only options that it has."""
    for code in inline(page):
        first, *words = re.sub(r"[\[\]…]", "", code).split() or [""]
        if first == "ecr-widgets":
            command, rest = leaf(words)
            options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            assert {word for word in rest if word.startswith("-")} <= options | {"--help"}, code


@each_page
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    """Each block is shell or Python and is run by the sandbox's test, or says why not, or is a drawing without a language."""
    for block in blocks(page):
        assert block.not_run or block.language in {"sh", "python", ""}, block.text
        assert block.language or not re.search(r"^(?:ecr-widgets|make|python|pip) ", block.text, re.MULTILINE)


@each_page
def test_every_linked_file_and_heading_exists(page: Path) -> None:
    """Each link and picture of a page is a file of the repository, and each linked heading exists."""
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page.name]):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w]+", "-", title.lower()).strip("-") for title in titles}


def test_every_page_is_in_the_navigation_and_in_the_readme() -> None:
    """Each page is in the navigation and linked from the README."""
    navigation = (ROOT / "docs" / "zensical.toml").read_text()
    for page in DOCS:
        assert f'"{page.name}"' in navigation
        assert f"](docs/{page.name})" in TEXTS["README.md"]


def test_every_variable_of_the_kit_is_in_the_settings() -> None:
    """Each ECR_WIDGETS_ variable for users is in settings.md; those that the engine sets for a kernel are not."""
    inside = set(re.findall(r'"(ECR_WIDGETS_[A-Z_]+)"', (ROOT / "ecr_widgets/channel.py").read_text()))
    named = {
        name
        for file in (ROOT / "ecr_widgets").rglob("*.py")
        for name in re.findall(r"\bECR_WIDGETS_[A-Z_]*[A-Z]\b", file.read_text())
    }
    assert inside
    assert named - inside == set(re.findall(r"`(ECR_WIDGETS_[A-Z_]+)`", TEXTS["settings.md"]))


@pytest.mark.skipif(not (BIN / "zensical").exists(), reason="the extra `docs` is not installed")
def test_the_pages_are_built_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    """`make docs` builds a page for each document and a search index, and loads nothing from other hosts."""
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    subprocess.run([tmp_path / "scripts/docs", BIN.parent], cwd=tmp_path, capture_output=True, check=True)
    built = tmp_path / "build" / "docs"
    assert {file.stem for file in built.glob("*.html")} == {
        *(page.stem for page in DOCS), "index", "contributing", "changelog", "404",
    }  # fmt: skip
    assert "rollback" in (built / "search.js").read_text()
    for file in built.glob("*.html"):
        assert (
            re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(?:https?:)?//", file.read_text())
            == []
        )


def test_the_release_parameters_default_to_the_walk_through() -> None:
    """The release runbook's defaults are the names and values of the original walk-through."""
    (release,) = [book for book in list_runbooks() if book.name == "release"]
    defaults = {parameter.name: parameter.default for parameter in release.parameters}
    assert (defaults["repository"], defaults["deploy"], defaults["environment"], defaults["service"]) == (
        "xfra-wait", "timeout", "demo", "timeoutsvc",
    )  # fmt: skip
    assert all(parameter.comment for parameter in release.parameters)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_shipped_runbooks_hold_no_outputs_and_no_logic(path: Path) -> None:
    """A shipped runbook has no outputs, shell lines or control flow."""
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            assert not re.search(r"^\s*(?:[!%]|for |if |while |def |try)", source, re.MULTILINE)


def test_no_file_records_an_address_of_a_package_index() -> None:
    """The constraints file holds names, versions and hashes, and no address."""
    constraints = (ROOT / "constraints.txt").read_text()
    assert "://" not in constraints
    assert constraints.count("--hash=sha256:") > constraints.count("==")


def test_the_files_that_the_contributing_page_leads_to_exist() -> None:
    """Each file named in the table of CONTRIBUTING.md exists."""
    table = (ROOT / "CONTRIBUTING.md").read_text().split("## Where to look")[1].split("## ")[0]
    named = re.findall(r"`([\w/]+\.py)`", table)
    assert len(named) >= 12
    assert [name for name in named if not (ROOT / "ecr_widgets" / name).is_file()] == []


def test_each_tick_of_the_comparison_is_proved_by_a_test_that_exists() -> None:
    """Each row of the comparison in ecs.md names an existing test."""
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", TEXTS["ecs.md"])
    rows = [
        line for line in TEXTS["ecs.md"].partition("## Compared")[2].splitlines() if line.startswith("| ")
    ]
    assert len(named) == len(rows) - 1 > 15
    for test, path in named:
        assert f"def {test}(" in (ROOT / path).read_text(), test


def test_the_service_file_of_the_documents_is_one() -> None:
    """The service file shown in ecs.md has only known settings."""
    (shown,) = (block for block in blocks(ROOT / "docs" / "ecs.md") if block.language == "json")
    assert read_service_file(shown.text.encode()).keys() <= SETTINGS
