"""The differences between two runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.audit.compare import Difference, differences
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.outputs import differing_lines, outputs_of
from ecr_widgets.audit.run_files import FolderFiles
from ecr_widgets.audit.showing import show_run
from ecr_widgets.cli import main
from tests.audit.runs import change_record, recorded, save

PORT = "containerDefinitions/timeout/portMappings"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A run, one that differs in a parameter, a digest and a Dockerrun, and one that failed."""
    folder = tmp_path / "runs"
    save(folder, "deployed", "a.ipynb")
    other = recorded("deployed")
    other["metadata"]["ecr_widgets"]["run_id"] = "20261201T000000Z-aaaaaa"
    other["metadata"]["ecr_widgets"]["parameters"]["tag"] = "2"
    change_record(other, "push_image", outcome={"digest": "sha256:" + "1" * 64})
    change_record(other, "create_deploy", outcome={"dockerrun_sha256": "2" * 64, "settings": {PORT: "8081"}})
    save(folder, "deployed", "b.ipynb", other)
    save(folder, "failed", "c.ipynb")
    return folder


def found(runs: Path, older: str, newer: str) -> dict[str, Difference]:
    with open_index(runs) as index:
        told = [show_run(runs, index.find(each)) for each in (older, newer)]
    return {each.what: each for each in differences(told[0], told[1])}


def test_a_run_and_itself_differ_in_nothing(runs: Path) -> None:
    """A run compared with itself has no differences."""
    assert found(runs, "a.ipynb", "a.ipynb") == {}


def test_parameters_digests_and_the_dockerrun_are_compared(runs: Path) -> None:
    """Different parameters, digests and Dockerrun settings are reported, each by its place."""
    told = found(runs, "a.ipynb", "b.ipynb")
    assert set(told) == {
        "parameter tag",
        "step push_image digest",
        "step create_deploy dockerrun_sha256",
        f"step create_deploy {PORT}",
        # Its records name another run now.
        "verdict",
    }
    assert told["parameter tag"].newer == "2"
    # Runs made before settings were recorded have none.
    assert told[f"step create_deploy {PORT}"].newer == "8081"


def test_what_only_one_run_has_is_a_difference(runs: Path) -> None:
    """Steps that only one of two runs reached are differences."""
    told = found(runs, "a.ipynb", "c.ipynb")
    assert told["state"] == Difference("state", "succeeded", "failed")
    assert any(each.newer is None for each in told.values())


def test_the_command_compares(runs: Path) -> None:
    """`audit compare` prints the differences as lines, and exits with 1 for a run that does not exist."""
    run = CliRunner().invoke
    done = run(main, ["audit", "compare", "a.ipynb", "b.ipynb", "--runs", str(runs)])
    assert done.exit_code == 0
    assert " → 2\n" in done.output
    assert run(main, ["audit", "compare", "a.ipynb", "nobody", "--runs", str(runs)]).exit_code == 1


def test_what_cells_printed_is_compared(tmp_path: Path) -> None:
    """Printed lines that only one run has are differences."""
    for name, lines in (("a", "built 1\nsame\n"), ("b", ["built 2\n", "same\n", "more\n"])):
        notebook = recorded("deployed")
        cell = next(cell for cell in notebook["cells"] if cell["id"] == "verify-step")
        cell["outputs"].append({"output_type": "stream", "name": "stdout", "text": lines})
        save(tmp_path, "deployed", f"{name}.ipynb", notebook)
    done = CliRunner().invoke(main, ["audit", "compare", "a.ipynb", "b.ipynb", "--runs", str(tmp_path)])
    assert done.output == (
        "output of cell verify-step: built 1 → built 2\noutput of cell verify-step: - → more\n"
    )


def test_a_result_that_is_no_text_is_compared_as_it_stands(tmp_path: Path) -> None:
    """A plain result that is not text is compared as JSON, and hides nothing else that was printed."""
    for name, value in (("a", 5), ("b", {"x": "é"})):
        notebook = recorded("deployed")
        cell = next(cell for cell in notebook["cells"] if cell["id"] == "verify-step")
        cell["outputs"] += [
            {"output_type": "display_data", "metadata": {}, "data": {"text/plain": value}},
            {"output_type": "stream", "name": "stdout", "text": name},
        ]
        save(tmp_path, "deployed", f"{name}.ipynb", notebook)
    one, other = (outputs_of(FolderFiles(tmp_path), f"{name}.ipynb")["verify-step"] for name in "ab")
    assert list(differing_lines(one, other)) == [("5", '{"x":"é"}'), ("a", "b")]
