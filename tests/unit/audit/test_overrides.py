"""A run that overrode a policy's refusal is marked in every view, whatever its verdict."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main
from tests.audit.attested import Attested
from tests.audit.runs import override_gate, recorded, save
from tests.unit.audit.test_attestation import SCHEMA, sealed, statement

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REASON = "INC-7: prod is down"
MARK = f"gate overridden: {REASON}"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with one run that overrode the gate, and one that did not."""
    save(tmp_path, "deployed", "marked.ipynb", override_gate(recorded("deployed"), REASON))
    save(tmp_path, "failed")
    return tmp_path


def told(runs: Path, *words: str) -> str:
    done = CliRunner().invoke(main, ["audit", *words, "--runs", str(runs)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("wide", [(), ("--wide",)])
def test_a_list_marks_the_run_that_overrode_the_gate(runs: Path, wide: tuple[str, ...]) -> None:
    """A list marks only the run that overrode the gate; its verdict is still proven."""
    marked = [line for line in told(runs, "list", *wide).splitlines() if MARK in line]
    assert len(marked) == 1
    rows: dict[str, Any] = {each["path"]: each for each in json.loads(told(runs, "list", "--json"))}
    assert (rows["marked.ipynb"]["verdict"], rows["marked.ipynb"]["overridden"]) == ("proven", REASON)
    assert rows["failed.ipynb"]["overridden"] == ""


def test_the_run_itself_and_the_figures_tell_the_reason(runs: Path) -> None:
    """`audit show` marks the run and shows the reason; the figures count overrides and show the last reason."""
    shown = told(runs, "show", "marked.ipynb")
    assert f"  {MARK}\n" in shown
    assert f"      override: {REASON}\n" in shown
    assert told(runs, "figures").splitlines()[-1].endswith(f": {REASON}")
    (figures,) = json.loads(told(runs, "figures", "--json"))
    assert figures["overrides"] == 1


def test_the_report_marks_the_run(runs: Path, tmp_path: Path) -> None:
    """The report marks the run that overrode the gate, once, in its row."""
    told(runs, "report", "--out", str(tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text()
    assert text.count(f'<span class="r">{MARK}</span>') == 1


def test_a_seal_says_where_the_gate_was_overridden_and_not_why(tmp_path: Path) -> None:
    """A seal says for which environment the gate was overridden, but not why, because seals are published."""
    line, _ = sealed(tmp_path, notebook=override_gate(recorded("deployed"), REASON))
    jsonschema.validate(statement(line), json.loads(SCHEMA.read_text()))
    assert statement(line)["predicate"]["run"]["touched"]["override"] == ["demo"]
    assert "INC-7" not in json.dumps(statement(line))


def test_what_is_read_from_a_registry_marks_it(tmp_path: Path) -> None:
    """Evidence read from a registry shows that the run overrode the policy."""
    from ecr_widgets.audit.image_lines import facts_of, lines_of

    here = Attested.in_memory(tmp_path)
    image = here.image()
    here.attach(here.seal(image, change=lambda notebook: override_gate(notebook, REASON)))
    found = here.evidence(image)
    for text in ("\n".join(lines_of(found)), str(list(facts_of(found)))):
        assert "overrode the policy for demo" in text
