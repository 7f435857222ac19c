"""Panels as people use them: JupyterLab, a real browser, the sandbox; then the saved file with nothing running."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME
from ecr_widgets.panels.picture import Picture
from tests.panels.conftest import BIN, Lab, shoot

KIT = "from ecr_widgets import connect\nkit = connect()"


def test_a_repository_is_created_by_hand_and_the_saved_file_tells(lab: Lab, browser: Browser) -> None:
    """Typed, clicked, seen, recorded; the same file without a kernel, untrusted, and as HTML without JavaScript."""
    path = lab.write("panel.ipynb", KIT, "kit.repositories()")
    page = lab.open("panel.ipynb")
    lab.run_all(page)
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_visible(timeout=60_000)
    name = page.get_by_placeholder("team/project")
    name.press_sequentially("Panels//by-hand")
    expect(page.get_by_text("not a repository name that ECR accepts").first).to_be_visible()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_disabled()
    name.fill("panels/by-hand")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("create_repository").first).to_be_visible(timeout=30_000)
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible(timeout=30_000)
    shoot(page, "repositories")
    saved = lab.save(page, path, "create_repository succeeded")
    outputs = [output["data"] for output in saved["cells"][1]["outputs"]]
    assert "panels/by-hand" in "".join(outputs[0][PANEL_MIME])
    (record,) = ["".join(each[RECORD_MIME]) for each in outputs if RECORD_MIME in each]
    assert '"step":"create_repository","state":"succeeded","changed":true' in record
    page.context.close()

    # A copy that nobody trusts, in a page whose kernel has never run.
    (lab.folder / "copy.ipynb").write_text(path.read_text())
    page = lab.open("copy.ipynb", kernel=False)
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible(timeout=30_000)
    page.context.close()

    subprocess.run([BIN / "jupyter-nbconvert", "--to", "html", path], capture_output=True, check=True)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.with_suffix(".html").as_uri())
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible()
    expect(page.get_by_text("create_repository").first).to_be_visible()
    assert lab.complaints == []


def test_an_image_is_pushed_by_hand_and_an_error_is_said_in_the_panel(lab: Lab) -> None:
    """The panel goes on after an error: what happened, what to try, then the push that works."""
    prepare = (
        "kit.create_repository('panels/images')\n"
        "open('Dockerfile', 'w').write('FROM busybox\\nLABEL panel=1\\n')\n"
        "built = kit.build_image('.', name='panels/local')"
    )
    path = lab.write("images.ipynb", KIT, prepare, "panel = kit.images('panels/images')\npanel")
    page = lab.open("images.ipynb")
    lab.run_all(page)
    push = page.get_by_role("button", name="Push", exact=True)
    expect(push).to_be_visible(timeout=60_000)
    page.get_by_placeholder("name or id of a local image").fill("panels/nobody")
    page.get_by_placeholder("2026.11").fill("1.10")
    push.click()
    expect(
        page.get_by_text("no local image 'panels/nobody' on the engine; build or pull it first").first
    ).to_be_visible(timeout=30_000)
    shoot(page, "error")
    page.get_by_placeholder("name or id of a local image").fill("panels/local")
    push.click()
    expect(page.get_by_text("1 in all").first).to_be_visible(timeout=30_000)
    shoot(page, "images")
    saved = lab.save(page, path, "push_image succeeded")
    assert "no local image" not in "".join(saved["cells"][2]["outputs"][0]["data"]["text/html"])
    assert lab.complaints == []


def test_hostile_texts_do_nothing_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    """No dialog, no request, no error in the console, from any field of a picture."""
    payloads = [
        "<script>alert(1)</script>", "<img src=http://127.0.0.1:9/x onerror=alert(1)>", "<svg/onload=alert(1)>",
        '"><iframe src=javascript:alert(1)>', "<form action=http://127.0.0.1:9><input autofocus onfocus=alert(1)>",
        "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9'>", "<style>@import 'http://127.0.0.1:9'</style>",
        "<a id=document name=cookie>", "</td></tr></table><script>alert(2)</script>", "\x1b]8;;http://x\x07y\u202e\0",
    ]  # fmt: skip
    rows = tuple((payload, payload) for payload in payloads)
    said: list[str] = []
    page = browser.new_context().new_page()
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None
    )
    for payload in payloads:
        hostile = Picture(
            "k", payload, datetime.now(UTC), (payload, "b"), rows, note=payload, problem=payload
        )
        (tmp_path / "p.html").write_text(f"<!doctype html><meta charset=utf-8>{hostile.to_html()}")
        page.goto((tmp_path / "p.html").as_uri())
        expect(page.get_by_role("row").nth(3)).to_be_visible()
    page.context.close()
    assert said == []
