"""The report in a real browser: whatever stands in the notebooks, nothing runs and nothing is fetched (rows 52 and 54)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.verify import verify
from tests.audit.runs import change_record, recorded, save
from tests.chromium import PROGRAM, launched

HOST = "http://127.0.0.1:9"
PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>", "</title><script>alert(1)</script>", "</style><script>alert(1)</script>",
    "</pre></code></td><iframe srcdoc='<script>parent.alert(1)</script>'>", "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>", "<body onload=alert(1)>", "<math><mtext></math><img src onerror=alert(1)>",
    "<!--><img src=x onerror=alert(1)>", "&lt;script&gt;alert(1)&lt;/script&gt;", "<template><script>alert(1)</script>",
    f"<meta http-equiv=refresh content='0;url={HOST}'>", f"<form action={HOST}><input name=body></form>",
    f"<link rel=stylesheet href={HOST}/x.css>", f"<img src={HOST}/beacon.png>", f"<style>@import '{HOST}/x'</style>",
    f"<p style='background:url({HOST}/x)'>", f"<base href={HOST}/>", f"<object data={HOST}/x></object>",
    "<form id=body><input name=attributes></form>", "\u202ealert(1)", "\x1b]8;;http://x\x07", "]]><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "\x00<script>alert(1)</script>",
]  # fmt: skip


def attack(folder: Path, payload: str) -> None:
    """A run with the payload in every place that the report could show."""
    notebook = recorded("failed")
    told = notebook["metadata"]["ecr_widgets"]
    told |= dict.fromkeys(("run_id", "runbook", "reason", "actor", "host"), payload)
    told["parameters"] = {payload: payload, "list": [payload]}
    for step in ("push_image", "create_deploy", "update_service"):
        change_record(
            notebook, step, inputs={"service": payload, "environment": payload}, outcome={payload: payload}
        )
    change_record(notebook, "wait", error={"message": payload, "log": [payload]})
    change_record(notebook, "login", step=payload)
    for cell in notebook["cells"]:
        cell["source"] = payload
        if cell["cell_type"] == "code":
            kinds = ("text/html", "image/svg+xml", "application/javascript", "text/latex", "text/markdown")
            bundle = {"data": dict.fromkeys(kinds, payload), "metadata": {}, "output_type": "display_data"}
            cell["outputs"].append(bundle)
    notebook["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": {payload: payload}}
    }
    save(
        folder,
        "failed",
        f"{len(list(folder.glob('*')))} {payload.replace('/', '_').replace(chr(0), '')[:60]}.ipynb",
        notebook,
    )


def opened(file: Path, act: Callable[[Page], object]) -> tuple[list[str], object]:
    """What went wrong while a page was opened: dialogs, requests, errors on the console."""
    wrong: list[str] = []
    with launched() as browser:
        page = browser.new_page()
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: asked.url != file.as_uri() and wrong.append(f"request {asked.url}"))
        page.on("console", lambda said: said.type == "error" and wrong.append(f"console {said.text}"))
        page.goto(file.as_uri())
        page.wait_for_load_state("networkidle")
        seen = act(page)
    return wrong, seen


needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium")


@needs_chromium
def test_no_payload_acts_and_the_control_does(tmp_path: Path) -> None:
    """Every payload in every place: no dialog, no request, no console error; unescaped, the same checker sees them."""
    for payload in PAYLOADS:
        attack(tmp_path / "runs", payload)
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        rows = list(index.rows())
        checked = verify(tmp_path / "runs", [row.path for row in rows], ring=KeyRing(tmp_path / "keys"))
        write_report(out, tmp_path / "runs", rows, checked=checked, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert sum(row.run_id is not None for row in rows) == len(PAYLOADS)

    def read(page: Page) -> object:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        return page.inner_text("body"), page.locator("script,iframe,img,form,link,object,base,a").count()

    wrong, seen = opened(out, read)
    assert wrong == []
    assert isinstance(seen, tuple)
    text, live = seen
    assert live == 0
    assert "<script>alert(1)</script>" in text
    assert "\\u202ealert(1)" in text
    control = tmp_path / "control.html"
    control.write_text("<!DOCTYPE html><meta charset=utf-8>" + "".join(PAYLOADS[:4]))
    found, _ = opened(control, lambda page: None)
    assert any(each.startswith("dialog") for each in found)


@needs_chromium
def test_the_policy_alone_stops_what_would_slip_through(tmp_path: Path) -> None:
    """With the escaping taken away by hand the policy still lets nothing run."""
    attack(tmp_path / "runs", "PLACE")
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 1, 1, tzinfo=UTC))
    out.write_text(out.read_text().replace("PLACE", "<img src=x onerror=alert(1)><script>alert(1)</script>"))
    wrong, _ = opened(out, lambda page: None)
    assert wrong
    assert not any(each.startswith("dialog") for each in wrong)


def test_the_report_tells_runs_figures_and_reasons(tmp_path: Path) -> None:
    """Verdicts with reasons, a picture, the figures by service, and the steps of each run."""
    for kind in ("deployed", "failed", "killed"):
        save(tmp_path / "runs", kind)
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 1, 1, tzinfo=UTC))
    text = out.read_text()
    for told in (
        "<svg ",
        "demo/timeoutsvc",
        "it stopped without an end at build_image",
        "50%",
        "&quot;tag&quot;: &quot;back&quot;",
    ):
        assert told in text, told
    assert text.count("<details>") == 3


@needs_chromium
def test_no_short_cell_is_broken_into_pieces(tmp_path: Path) -> None:
    """With long names and reasons beside them, verdict, time, duration and runbook stand in one line each."""
    for kind in ("deployed", "failed", "killed"):
        save(tmp_path / "runs", kind, f"{kind}-{'long' * 40}.ipynb")
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 1, 1, tzinfo=UTC))

    def heights(page: Page) -> object:
        lines = page.evaluate(
            """[...document.querySelectorAll("h2 + table tr > td.s")].map(cell => {
                const inside = document.createRange();
                inside.selectNodeContents(cell);
                return new Set([...inside.getClientRects()].map(each => Math.round(each.top))).size;
            })"""
        )
        wide = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        return lines, wide

    wrong, seen = opened(out, heights)
    assert wrong == []
    assert isinstance(seen, tuple)
    assert len(seen[0]) > 10
    assert max(seen[0]) == 1
    assert seen[1]
