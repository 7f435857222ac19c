"""Records of steps in JupyterLab and Notebook 7: drawn from their JSON, live and in saved files; elsewhere their picture."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from ecr_widgets.model.record import RECORD_MIME, StepRecord, StepState
from ecr_widgets.recording.notebook import bundle
from tests.fakes import digest_of
from tests.panels.conftest import Lab, shoot
from tests.panels.looks import check, in_view, make_dark
from tests.panels.test_saved_panel import HOSTILE

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=1.4)
RECORD = ".ecrw-record"
WITHIN = """
card => [...card.querySelectorAll("summary, dd, li, .note, img")].every(
    each => each.getBoundingClientRect().right <= card.getBoundingClientRect().right)
"""
"""Whether nothing of a card is beyond its right edge."""


def intended(step: str, **inputs: Any) -> StepRecord:
    return StepRecord.intended("20261123T120000Z-a1b2c3", 1, step, inputs, BEGAN)


PUSHED = intended("push_image", source="app", repository="team/app", tag="1.9").succeeded(
    {
        "image": f"registry.test/team/app@{digest_of('1.9')}",
        "digest": digest_of("1.9"),
        "warnings": ["a slow push"],
    },
    changed=True,
    ended_at=ENDED,
)
FAILED = intended("wait", environment="demo", service="web", deploy_id="web.7").ended_badly(
    StepState.FAILED,
    {
        "type": "DeploymentFailed",
        "message": "service 'web' cannot run deploy web.7; see why: `ecr-widgets logs demo web`, then deploy again",
        "hint": "see why: `ecr-widgets logs demo web`, then deploy again",
        "reasons": ["Essential container in task exited (web exit code 3)"],
        "log": [f"web | line {number}" for number in range(30)],
    },
    ended_at=ENDED,
)
WAITED = intended("wait", environment="demo", service="web", deploy_id="web.8").succeeded(
    {"deploy_id": "web.8", "desired_count": 2, "copies_by_s": [[0.0, 2, 0], [1.0, 1, 1], [2.0, 0, 2]]},
    changed=False,
    ended_at=ENDED,
)
LISTED = intended("create_deploy", name="web").planned(
    {"differences": ["added /memory: 8", "removed /cpu: 1", 'changed /image: "a" → "b"']},
    changed=True,
    ended_at=ENDED,
)


def write(lab: Lab, *outputs: dict[str, Any]) -> None:
    """A notebook that nobody trusts, a cell for each output."""
    cells = [
        nbformat.v4.new_code_cell("1/0", outputs=[nbformat.v4.new_output("display_data", each)])
        for each in outputs
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.folder / "records.ipynb")


@pytest.mark.parametrize(("app", "width", "then"), [("doc/tree", 900, 1400), ("notebooks", 1400, 900)])
def test_saved_records_are_folded_with_what_matters_on_top(
    quiet_lab: Lab, app: str, width: int, then: int
) -> None:
    """Untrusted, without a kernel: how a step ended, its error with what to try and log lines in view; all else by one press
    or key, whole and to be copied; readable whatever the theme and the width.
    """
    write(quiet_lab, *map(bundle, (PUSHED, FAILED, WAITED, LISTED)))
    page = quiet_lab.page(width)
    quiet_lab.open("records.ipynb", kernel=False, page=page, app=app)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = page.locator(RECORD)
    expect(shown).to_have_count(4)
    pushed, failed, waited, listed = (shown.nth(number) for number in range(4))
    in_view(pushed.get_by_text("push_image succeeded in 1.4 s, changed: true"))
    in_view(pushed.get_by_text("! a slow push"))
    in_view(failed.get_by_text("service 'web' cannot run deploy web.7", exact=True))
    in_view(failed.get_by_text("to try: see why"))
    in_view(failed.get_by_text("Essential container in task exited"))
    in_view(failed.get_by_text("line 0"))
    expect(waited.get_by_role("img", name="Running copies over 2 s")).to_be_visible()
    for line in ("added /memory", "removed /cpu", "changed /image"):
        expect(listed.locator("li", has_text=line)).to_be_visible()
    copied = "navigator.clipboard.readText()"
    pushed.get_by_role("button", name="Copy digest").first.click()
    expect(pushed.get_by_text("✓ copied")).to_be_visible()
    assert page.evaluate(copied) == digest_of("1.9")
    failed.get_by_role("button", name="Copy command").click()
    expect(failed.get_by_text("✓ copied")).to_be_visible()
    assert page.evaluate(copied) == "ecr-widgets logs demo web"
    fold = pushed.locator("summary", has_text="outcome")
    value = pushed.locator("dd", has_text=f"registry.test/team/app@{digest_of('1.9')}")
    expect(value).to_be_hidden()
    fold.focus()
    page.keyboard.press("Enter")
    expect(value).to_be_visible()
    for number in range(2):
        check(page, RECORD)
        for each in shown.all():
            assert each.evaluate(WITHIN)
        if number == 0:
            make_dark(page)
            page.set_viewport_size({"width": then, "height": 900})
    page.mouse.move(0, 0)
    shoot(page, f"records-{app.replace('/', '-')}")
    assert quiet_lab.complaints == []


def test_a_step_at_work_shows_its_progress_and_then_its_outcome(quiet_lab: Lab) -> None:
    """While it works its picture, with a bar for each part; once it has ended, the record, and what was opened stays open."""
    prepare = "\n".join(
        (
            "import time",
            "from tests.panels.test_records import ENDED, intended",
            "from ecr_widgets.ports import Progress",
            "from ecr_widgets.recording.notebook import NotebookSink",
            "record = intended('push_image', repository='team/app')",
            "view = NotebookSink(None).open(record)",
            "time.sleep(0.5)",
            "view.progress(Progress('layer 1', 'pushing', 30, 60, 'bytes'))",
        )
    )
    end = "view.close(record.succeeded({'digest': 'sha256:' + 64 * 'a'}, changed=True, ended_at=ENDED))"
    path = quiet_lab.write("live.ipynb", prepare, "input()", end, end)
    page = quiet_lab.open("live.ipynb")
    quiet_lab.run_all(page)
    expect(page.get_by_text("layer 1: pushing 30 B of 60 B")).to_be_visible()
    expect(page.locator(RECORD)).to_have_count(0)
    page.locator(".jp-Stdin-input").press("Enter")
    expect(page.locator(RECORD).get_by_text("push_image succeeded in 1.4 s, changed: true")).to_be_visible()
    expect(page.get_by_text("layer 1: pushing")).to_have_count(0)
    page.locator(f"{RECORD} summary", has_text="inputs").click()
    page.get_by_text("view.close").last.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-InputPrompt", has_text="[5]:")).to_be_visible()
    expect(page.locator(f"{RECORD} dd", has_text="team/app")).to_be_visible()
    saved = quiet_lab.save(page, path, "push_image succeeded")
    outputs = saved["cells"][0]["outputs"][0]["data"]
    assert {RECORD_MIME, "text/html", "text/plain"} <= set(outputs)
    assert quiet_lab.complaints == []


def test_a_click_during_which_a_record_is_drawn_again_counts(quiet_lab: Lab) -> None:
    """What changes while a fold is pressed is drawn after the release, which still opens the fold."""
    begin = "\n".join(
        (
            "from tests.panels.test_records import ENDED, intended",
            "from ecr_widgets.recording.notebook import NotebookSink",
            "record = intended('push_image', repository='team/app')",
            "view = NotebookSink(None).open(record)",
            "def close(tag): view.close(record.succeeded({'tag': tag}, changed=True, ended_at=ENDED))",
            "close('first')",
        )
    )
    quiet_lab.write("pressed.ipynb", begin, "input()", "close('second')")
    page = quiet_lab.open("pressed.ipynb")
    quiet_lab.run_all(page)
    expect(page.locator(RECORD).get_by_text("tag first")).to_be_visible()
    asked = page.locator(".jp-Stdin-input")
    expect(asked).to_be_visible()
    fold = page.locator(f"{RECORD} summary", has_text="inputs")
    fold.hover()
    page.mouse.down()
    asked.press("Enter")
    expect(page.locator(".jp-InputPrompt", has_text="[3]:")).to_be_visible()
    expect(page.locator(RECORD).get_by_text("tag first")).to_be_visible()
    page.mouse.up()
    expect(page.locator(RECORD).get_by_text("tag second")).to_be_visible()
    expect(page.locator(f"{RECORD} dd", has_text="team/app")).to_be_visible()
    assert quiet_lab.complaints == []


def test_what_is_no_record_shows_its_picture_and_hostile_texts_do_nothing(quiet_lab: Lab) -> None:
    """No dialog, no request, nothing hidden or turned around; a record of a later version shows what it brings along."""
    hostile = HOSTILE[0] + HOSTILE[2]
    good = bundle(PUSHED)
    record = json.loads(good[RECORD_MIME])
    odd = [
        None,
        7,
        [],
        "{",
        {**record, "version": 2},
        {**record, "outcome": {"a": 1}, "error": {"message": 7, "hint": "x"}},
    ]
    rough = {
        **record,
        "step": hostile,
        "state": "__proto__",
        "inputs": {name: list(HOSTILE) for name in HOSTILE},
        "error": {"message": hostile, "hint": hostile, "reasons": list(HOSTILE), "log": [{"a": [hostile]}]},
    }
    outputs = [{**good, RECORD_MIME: each if isinstance(each, str) else json.dumps(each)} for each in odd]
    # JupyterLab itself asks for the pictures of any output, to look for headings in it.
    rough_html = '<img src="data:text/html,x"><p>the picture</p>'
    rough_output = {RECORD_MIME: json.dumps(rough), "text/html": rough_html, "text/plain": hostile}
    write(quiet_lab, *outputs, rough_output)
    page = quiet_lab.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    quiet_lab.open("records.ipynb", kernel=False, page=page)
    expect(page.locator(RECORD)).to_have_count(1)
    card = page.locator(RECORD)
    card.locator("summary").first.click()
    text = card.inner_text()
    assert not set("\x1b\u202e\0\u200b") & set(text)
    assert "\\u{202e}" in text
    expect(card.locator("img, script, iframe, a")).to_have_count(0)
    expect(page.locator(".jp-RenderedHTML", has_text="push_image succeeded")).to_have_count(len(odd))
    assert not [each for each in asked if "127.0.0.1:9/" in each]
    assert quiet_lab.complaints == []
