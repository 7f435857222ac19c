"""The report in a real browser: whatever stands in the notebooks, nothing runs and nothing is fetched (rows 52 and 54)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.verify import verify
from tests.audit.runs import change_record, recorded, save
from tests.chromium import PROGRAM, launched

LINKS = "[...document.querySelectorAll('a')].map(each => each.getAttribute('href'))"
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests here; skips by name where there is no Chromium."""
    if PROGRAM is None:
        pytest.skip("chromium is not installed: apt-get install chromium-headless-shell")
    with launched() as started:
        yield started


def opened(browser: Browser, file: Path, act: Callable[[Page], object]) -> tuple[list[str], object]:
    """What went wrong while a page was opened: dialogs, requests, errors on the console."""
    wrong: list[str] = []
    page = browser.new_page()
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda asked: asked.url != file.as_uri() and wrong.append(f"request {asked.url}"))
    page.on("console", lambda said: said.type == "error" and wrong.append(f"console {said.text}"))
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    seen = act(page)
    page.close()
    return wrong, seen


SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def test_no_payload_acts_and_the_control_does(browser: Browser, tmp_path: Path) -> None:
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
        return (
            page.inner_text("body"),
            page.locator("script,iframe,img,form,link,object,base").count(),
            page.evaluate(LINKS),
        )

    wrong, seen = opened(browser, out, read)
    assert wrong == []
    assert isinstance(seen, tuple)
    text, live, links = seen
    assert live == 0
    assert all(link.startswith(("#run-", "./runs/")) for link in links)
    assert len(links) > 2 * len(PAYLOADS)
    assert "<script>alert(1)</script>" in text
    assert "\\u202ealert(1)" in text
    control = tmp_path / "control.html"
    control.write_text("<!DOCTYPE html><meta charset=utf-8>" + "".join(PAYLOADS[:4]))
    found, _ = opened(browser, control, lambda page: None)
    assert any(each.startswith("dialog") for each in found)


def test_the_policy_alone_stops_what_would_slip_through(browser: Browser, tmp_path: Path) -> None:
    """With the escaping taken away by hand the policy still lets nothing run."""
    attack(tmp_path / "runs", "PLACE")
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 1, 1, tzinfo=UTC))
    out.write_text(out.read_text().replace("PLACE", "<img src=x onerror=alert(1)><script>alert(1)</script>"))
    wrong, _ = opened(browser, out, lambda page: None)
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
    assert text.count("<details ") == 3


def many(folder: Path, count: int) -> None:
    """Runs of five services over four weeks, as a team leaves them: each with its reason, some refused, some rolled back."""
    folder.mkdir()
    for number in range(count):
        started = datetime(2026, 11, 26, 12, tzinfo=UTC) - timedelta(hours=number * 660 / count)
        service, who = ("web", "api", "worker", "jobs", "mail")[number % 5], ("ann", "kim")[number % 2]
        kind = ("failed", "interrupted", "deployed", "proven", "deployed")[number % 7 % 5]
        old = recorded(kind)
        text, header = json.dumps(old), old["metadata"]["ecr_widgets"]
        run_id = f"{started:%Y%m%dT%H%M%SZ}-{number:06x}"
        for before, after in (
            (header["run_id"], run_id), (header["started_at"][:16], f"{started:%Y-%m-%dT%H:%M}"),
            ("timeoutsvc", service), ("xfra-wait", f"team/{service}"),
        ):  # fmt: skip
            text = text.replace(before, after)
        notebook = json.loads(text)
        notebook["metadata"]["ecr_widgets"]["actor"] = who
        note = {
            "cell_type": "markdown",
            "id": "note",
            "metadata": {},
            "source": f"## Operation note\n\nOPS-{number}",
        }
        notebook["cells"].insert(0, note)
        save(folder, kind, f"{run_id}-release.ipynb", notebook)


def test_the_first_screen_answers_who_what_where_when_and_whether_it_worked(
    browser: Browser, tmp_path: Path
) -> None:
    """For 300 runs, with nothing opened: the newest runs, what runs now, the figures and the grid of days are in view, at
    either width and in both themes.
    """
    many(tmp_path / "runs", 300)
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(
            out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 11, 27, tzinfo=UTC)
        )
    page = browser.new_page()
    for width, scheme in product((1400, 900), SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto(out.as_uri())
        row = page.locator("tr", has_text="OPS-0").first
        for words in ("left down", "2026-11-26 12:00", "team/web:crash", "demo/web", "ann", "OPS-0"):
            expect(row.get_by_text(words).first).to_be_in_viewport()
        for words in ("deploys a week", "to restore", "By day", "Now", "verified"):
            expect(page.get_by_text(words).first).to_be_in_viewport()
        link = row.get_by_role("link", name="2026-11-26 12:00")
        link.click()
        expect(page.locator(":target")).to_be_in_viewport()
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SHOTS / f"report-{width}-{scheme}.png")
    page.close()


def test_no_short_cell_is_broken_into_pieces(browser: Browser, tmp_path: Path) -> None:
    """With long names and reasons beside them, verdict, time, duration and runbook stand in one line each."""
    for kind in ("deployed", "failed", "killed"):
        save(tmp_path / "runs", kind, f"{kind}-{'long' * 40}.ipynb")
    out = tmp_path / "report.html"
    with open_index(tmp_path / "runs") as index:
        write_report(out, tmp_path / "runs", index.rows(), checked=None, now=datetime(2026, 1, 1, tzinfo=UTC))

    def heights(page: Page) -> object:
        lines = page.evaluate(
            """[...document.querySelectorAll("h2 + table tr > td.s")].filter(cell => cell.checkVisibility()).map(cell => {
                const inside = document.createRange();
                inside.selectNodeContents(cell);
                return new Set([...inside.getClientRects()].map(each => Math.round(each.top))).size;
            })"""
        )
        wide = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        return lines, wide

    wrong, seen = opened(browser, out, heights)
    assert wrong == []
    assert isinstance(seen, tuple)
    assert len(seen[0]) > 10
    assert max(seen[0]) == 1
    assert seen[1]
