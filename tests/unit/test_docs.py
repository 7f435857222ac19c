"""What the documents say is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets import NotebookKit
from ecr_widgets.runbooks import list_runbooks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def test_every_make_target_of_the_readme_exists() -> None:
    """`make X` in the documents is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = set(re.findall(r"\bmake ([a-z]+)\b", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert told <= targets


def test_every_call_of_the_readme_exists() -> None:
    """`kit.something(` in the README is a method of the kit."""
    told = set(re.findall(r"\bkit\.([a-z_]+)\(", README))
    assert told
    assert told <= set(dir(NotebookKit))


def test_every_command_of_the_readme_exists() -> None:
    """`ecr-widgets something` in the README is a command."""
    told = set(re.findall(r"\becr-widgets ([a-z]+)\b", README))
    usage = subprocess.run([BIN / "ecr-widgets", "--help"], capture_output=True, text=True, check=True).stdout
    assert told
    assert told <= set(re.findall(r"^  ([a-z]+) ", usage, re.MULTILINE))


def test_every_linked_file_exists() -> None:
    """Links and pictures of the README are files of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_release_parameters_default_to_the_walk_through() -> None:
    """Names and values of the old page are the runbook's defaults."""
    (release,) = [book for book in list_runbooks() if book.name == "release"]
    defaults = {parameter.name: parameter.default for parameter in release.parameters}
    assert (defaults["repository"], defaults["deploy"], defaults["environment"], defaults["service"]) == (
        "xfra-wait", "timeout", "demo", "timeoutsvc",
    )  # fmt: skip
    assert all(parameter.comment for parameter in release.parameters)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_shipped_runbooks_hold_no_outputs_and_no_logic(path: Path) -> None:
    """A shipped runbook narrates and calls: cleared outputs, no shell lines, no control flow."""
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            assert not re.search(r"^\s*(?:[!%]|for |if |while |def |try)", source, re.MULTILINE)


def test_no_file_records_an_address_of_a_package_index() -> None:
    """Constraints hold names, versions and hashes only."""
    constraints = (ROOT / "constraints.txt").read_text()
    assert "://" not in constraints
    assert constraints.count("--hash=sha256:") > constraints.count("==")
