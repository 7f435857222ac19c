"""The cell on top of a saved run: a view of header and records that people read first."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

import nbformat
import pytest
from msgspec.structs import replace

from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.model.record import RECORD_MIME, RunState
from ecr_widgets.saved_runs.reading import read_run
from ecr_widgets.saved_runs.summary import SUMMARY_ID, is_summary, put_summary
from ecr_widgets.saved_runs.writing import header_of, marked, write_header
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.audit.runs import change_record, recorded, steps_of


def run_of(kind: str, **header: Any) -> dict[str, Any]:
    """A recorded run as the engine has it in hand, its records marked."""
    notebook = recorded(kind)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if RECORD_MIME in output.get("data", {}):
                output["metadata"] = marked()
    write_header(notebook, replace(header_of(notebook), **header))
    return notebook


def shown(notebook: dict[str, Any]) -> str:
    """What a reader sees of the summary, without markup."""
    cell = notebook["cells"][0]
    assert is_summary(cell)
    return html.unescape(re.sub(r"<[^>]*>", " ", cell["source"]))


def test_a_failed_run_opens_on_its_verdict() -> None:
    """What became of it, of what, who, when, what changed, why it failed, what stands now, and what to do next."""
    notebook = run_of("failed", actor="ann", host="vm")
    assert put_summary(notebook)
    told = shown(notebook)
    for words in (
        "✗ left down",
        "xfra-wait:crash → demo/timeoutsvc",
        "ann on vm",
        "2026-11-23 16:46:26 UTC, took 4.6 s",
        "push_image, create_deploy, update_service",
        "timeout: cannot-open-config  ×3",
        "demo/timeoutsvc was left on deploy timeout.2, which it does not run",
        "ecr-widgets rollback demo timeoutsvc",
        "ecr-widgets run --resume 20261123T164626Z-1a0f65",
    ):
        assert words in told
    assert all(record["step"] in told for record, _ in steps_of(notebook))


def test_a_good_run_says_what_runs_by_digest() -> None:
    """And asks for nothing."""
    notebook = run_of("deployed")
    put_summary(notebook)
    told = shown(notebook)
    assert "demo/timeoutsvc runs deploy timeout.1" in told
    assert "sha256:d95bcb14f5e244ed336e1c9052a8abf7b378aee8f382222ccbc225b998d2f273" in told
    assert "ecr-widgets " not in told


def test_a_run_that_is_running_says_since_when() -> None:
    """Whether it still is nobody knows who only reads the file, so no end is claimed."""
    notebook = run_of("killed")
    put_summary(notebook)
    told = shown(notebook)
    assert "▶ running" in told
    assert "running since 2026-11-23" in told
    assert "--resume" not in told


def test_the_reason_is_shown_and_nothing_is_written_where_nothing_changed() -> None:
    """A second look leaves the cell alone; a note of the run is its why."""
    notebook = run_of("deployed")
    note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": "## Operation note\n\nOPS-126"}
    notebook["cells"].insert(0, note)
    assert put_summary(notebook)
    assert "OPS-126" in shown(notebook)
    assert not put_summary(notebook)
    assert sum(map(is_summary, notebook["cells"])) == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=x onerror=alert(1)>",
        "**bold** `code` $x$ \\(y\\) [a](b) ~~s~~ | c",
        "\n\n# Heading\n\n<b>x",
        "$$\n\nx",
    ],
)
def test_texts_from_outside_stay_texts(hostile: str) -> None:
    """No markup, no Markdown, no formula, and no blank line at which a front end would leave the HTML."""
    notebook = change_record(run_of("failed"), "wait", error={"message": hostile, "log": [hostile]})
    write_header(notebook, replace(header_of(notebook), actor=hostile))
    put_summary(notebook)
    source = notebook["cells"][0]["source"]
    assert not set(source) & set("*_`$\\[]~|^\n\r")
    assert set(re.findall(r"<([a-z]+)", source)) <= {
        "div",
        "span",
        "b",
        "table",
        "tr",
        "td",
        "code",
        "pre",
        "br",
    }


def test_known_secrets_are_taken_out_before_it_is_made() -> None:
    """As entities nobody would find them any more when the file is written."""
    secret = "hunter2*with_signs$"
    notebook = change_record(
        run_of("failed"), "wait", error={"message": f"refused {secret}", "log": [secret]}
    )
    known = SecretRegistry()
    known.register(secret)
    put_summary(notebook, known.redact_values)
    assert "hunter2" not in notebook["cells"][0]["source"]


def test_the_audit_neither_needs_nor_believes_it() -> None:
    """With the summary, without it, and with a forged one the verdict is the same; and the notebook is a valid one."""
    notebook = run_of("deployed")
    put_summary(notebook)
    nbformat.validate(nbformat.from_dict(notebook))
    without = {**notebook, "cells": notebook["cells"][1:]}
    forged = json.loads(json.dumps(notebook))
    forged["cells"][0]["source"] = "## Operation note\n\n✗ failed"
    found = [judge(read_content(json.dumps(each).encode(), "x")) for each in (notebook, without, forged)]
    assert found[0] == found[1] == found[2]


def test_it_is_small_and_says_the_end_of_a_long_run() -> None:
    """However long the run's texts and however many its steps."""
    notebook = change_record(
        run_of("failed"), "wait", error={"message": "x" * 90_000, "log": ["y" * 9_000] * 20}
    )
    last = notebook["cells"][-1]
    for cell in notebook["cells"]:
        last["outputs"] = [
            *last.get("outputs", ()),
            *(cell.get("outputs", ()) if cell is not last else ()),
        ] * 2
    put_summary(notebook)
    assert len(notebook["cells"][0]["source"]) < 40_000
    assert notebook["cells"][0]["id"] == SUMMARY_ID


def test_a_saved_run_with_a_summary_is_read_as_one_without(tmp_path: Any) -> None:
    """Header and records are the same."""
    notebook = run_of("deployed", state=RunState.SUCCEEDED, ended_at=datetime(2027, 1, 1, tzinfo=UTC))
    before = read_run(json.dumps(notebook).encode(), tmp_path)
    put_summary(notebook)
    assert read_run(json.dumps(notebook).encode(), tmp_path) == before
