"""The summary cell on top of a saved run, made from header and records."""

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
    """A recorded run as the engine holds it, with marked records."""
    notebook = recorded(kind)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if RECORD_MIME in output.get("data", {}):
                output["metadata"] = marked()
    write_header(notebook, replace(header_of(notebook), **header))
    return notebook


def shown(notebook: dict[str, Any]) -> str:
    """Return the summary's text without markup."""
    cell = notebook["cells"][0]
    assert is_summary(cell)
    return html.unescape(re.sub(r"<[^>]*>", " ", cell["source"]))


def test_a_failed_run_opens_on_its_verdict() -> None:
    """A failed run's summary says what happened, who ran it, what changed, why it failed, and what to do next."""
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
    """A successful run's summary says what runs, by digest, and suggests no command."""
    notebook = run_of("deployed")
    put_summary(notebook)
    told = shown(notebook)
    assert "demo/timeoutsvc runs deploy timeout.1" in told
    assert "sha256:d95bcb14f5e244ed336e1c9052a8abf7b378aee8f382222ccbc225b998d2f273" in told
    assert "ecr-widgets " not in told


def test_a_run_that_is_running_says_since_when() -> None:
    """A running run's summary says since when, and suggests no resume."""
    notebook = run_of("killed")
    put_summary(notebook)
    told = shown(notebook)
    assert "▶ running" in told
    assert "running since 2026-11-23" in told
    assert "--resume" not in told


def test_the_reason_is_shown_and_nothing_is_written_where_nothing_changed() -> None:
    """The summary shows the operation note, and putting it again changes nothing."""
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
    """Text from outside cannot add markup, Markdown or formulas to the summary."""
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
    """Known secrets are removed before the summary is made."""
    secret = "hunter2*with_signs$"
    notebook = change_record(
        run_of("failed"), "wait", error={"message": f"refused {secret}", "log": [secret]}
    )
    known = SecretRegistry()
    known.register(secret)
    put_summary(notebook, known.redact_values)
    assert "hunter2" not in notebook["cells"][0]["source"]


def test_the_audit_neither_needs_nor_believes_it() -> None:
    """The audit's verdict is the same with the summary, without it, and with a forged one."""
    notebook = run_of("deployed")
    put_summary(notebook)
    nbformat.validate(nbformat.from_dict(notebook))
    without = {**notebook, "cells": notebook["cells"][1:]}
    forged = json.loads(json.dumps(notebook))
    forged["cells"][0]["source"] = "## Operation note\n\n✗ failed"
    found = [judge(read_content(json.dumps(each).encode(), "x")) for each in (notebook, without, forged)]
    assert found[0] == found[1] == found[2]


def test_it_is_small_and_says_the_end_of_a_long_run() -> None:
    """The summary stays under 40 kB, however long the run's texts and however many its steps."""
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
    """A summary does not change the header and records that are read."""
    notebook = run_of("deployed", state=RunState.SUCCEEDED, ended_at=datetime(2027, 1, 1, tzinfo=UTC))
    before = read_run(json.dumps(notebook).encode(), tmp_path)
    put_summary(notebook)
    assert read_run(json.dumps(notebook).encode(), tmp_path) == before
