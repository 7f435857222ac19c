"""Texts from outside in a panel's picture, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from ecr_widgets.panels.picture import Part, Picture
from tests.panels.conftest import KIT, Lab, shoot

PAYLOADS = [
    "<script>alert(1)</script>", "<img src=http://127.0.0.1:9/x onerror=alert(1)>", "<svg/onload=alert(1)>",
    '"><iframe src=javascript:alert(1)>', "<form action=http://127.0.0.1:9><input autofocus onfocus=alert(1)>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9'>", "<style>@import 'http://127.0.0.1:9'</style>",
    "<a id=document name=cookie>", "</td></tr></table><script>alert(2)</script>", "\x1b]8;;http://x\x07y\u202e\0",
]  # fmt: skip
TYPED = "<img src=http://127.0.0.1:9/x onerror=alert(1)><script>alert(2)</script>"


def test_hostile_texts_do_nothing_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    """No dialog, no request, no error in the console, from any field of a picture."""
    rows = tuple((payload, payload) for payload in PAYLOADS)
    said: list[str] = []
    page = browser.new_context().new_page()
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None
    )
    for payload in PAYLOADS:
        hostile = Picture(
            "k",
            payload,
            datetime.now(UTC),
            (payload, "b"),
            rows,
            note=payload,
            problem=payload,
            status=payload,
            parts=(Part(payload, (payload, "b"), rows),),
        )
        (tmp_path / "p.html").write_text(f"<!doctype html><meta charset=utf-8>{hostile.to_html()}")
        page.goto((tmp_path / "p.html").as_uri())
        expect(page.get_by_role("row").nth(3)).to_be_visible()
    page.context.close()
    assert said == []


def test_hostile_texts_typed_into_a_live_panel_do_nothing(lab: Lab) -> None:
    """In every field, in what is said about them, and in the saved picture: no dialog, no request, no console error."""
    path = lab.write(
        "typed.ipynb",
        KIT,
        "for name in ('typed', 'typed-too'):  # a panel of one row has no filter\n    kit.create_repository(f'panels/{name}')\nkit.images('panels/typed')",
        "kit.deploys('demo', 'typed')",
        "kit.repositories()",
    )
    page = lab.open("typed.ipynb")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    lab.run_all(page)
    expect(page.get_by_role("button", name="New repository …")).to_be_visible()
    typed = 0
    for opener in ("Push …", "Build …", "Deploy …", "New repository …"):
        page.get_by_role("button", name=opener).click()
        form = page.locator(".ecrw form").last
        if opener == "New repository …":
            form.get_by_label("Encryption").select_option(
                "KMS"
            )  # the key's field shows with this choice only
        fields = form.locator("input:not([type]), textarea")
        for payload in (*PAYLOADS[1:], TYPED):
            for number in range(fields.count()):
                fields.nth(number).fill(payload)
        for number in range(fields.count()):
            fields.nth(number).press("Enter")
        typed += fields.count()
    assert typed >= 10
    boxes = page.get_by_role("searchbox")
    for number in range(boxes.count()):
        boxes.nth(number).fill(TYPED)
    page.get_by_role("button", name="Push …").click()
    page.get_by_label("Tag", exact=True).fill("1")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("no local image '<img src").first).to_be_visible()
    expect(page.get_by_text("no row matches").first).to_be_visible()
    shoot(page, "hostile")
    saved = lab.save(page, path, "push_image failed")
    shown = "".join(
        text for output in saved["cells"][1]["outputs"] for text in output["data"].get("text/html", "")
    )
    assert "&lt;img src" in shown
    assert "<img" not in shown
    assert not [each for each in asked if "127.0.0.1:9/" in each]
    assert lab.complaints == []
