"""Texts from outside in a panel's picture, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from ecr_widgets.panels.picture import Part, Picture


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
