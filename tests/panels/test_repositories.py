"""The repository panel in a real browser; then the saved file with nothing running."""

from __future__ import annotations

import json
import subprocess

import boto3
from playwright.sync_api import Browser, expect

from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME
from tests.panels.conftest import BIN, KIT, Lab, shoot
from tests.panels.looks import in_view, least_contrast, make_dark


def test_a_repository_is_created_by_hand_and_the_saved_file_tells(lab: Lab, browser: Browser) -> None:
    """By keyboard alone, seen, recorded; the same file without a kernel, untrusted, and as HTML without JavaScript."""
    path = lab.write("panel.ipynb", KIT, "kit.repositories()")
    page = lab.open("panel.ipynb")
    lab.run_all(page)
    opener = page.get_by_role("button", name="New repository …")
    opener.focus()
    page.keyboard.press("Enter")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    page.keyboard.type("Panels//by-hand")
    expect(page.get_by_text("not a repository name that ECR accepts").first).to_be_visible()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_disabled()
    name.fill("panels/by-hand")
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_enabled()
    key = page.get_by_label("KMS key")
    expect(key).to_be_hidden()
    for _ in range(3):  # two boxes to tick, then the encryption
        page.keyboard.press("Tab")
    expect(page.get_by_label("Encryption")).to_be_focused()
    page.keyboard.press("ArrowDown")  # a key of its own: the notebook takes none that is pressed in a panel
    expect(key).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("team")
    expect(page.get_by_text("'team' is not a KMS key").first).to_be_visible()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_disabled()
    key.fill("alias/team")
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("for the new team")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("create_repository").first).to_be_visible()
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    row = page.get_by_role("button", name="panels/by-hand", exact=True)
    row.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Lifecycle policy …").click()
    page.get_by_label("Keep newest").fill("1")
    page.get_by_role("button", name="Preview policy …").click()
    confirm = page.get_by_role("button", name="Confirm: set the lifecycle policy of panels/by-hand")
    in_view(confirm)
    shoot(page, "repositories", cell=2)
    page.get_by_role("button", name="Discard plan").click()
    saved = lab.save(page, path, "create_repository succeeded")
    outputs = [output["data"] for output in saved["cells"][1]["outputs"]]
    assert "panels/by-hand" in "".join(outputs[0][PANEL_MIME])
    (record,) = ["".join(each[RECORD_MIME]) for each in outputs if RECORD_MIME in each]
    assert '"step":"create_repository","state":"succeeded","changed":true' in record
    assert '"encryption":"KMS","kms_key":"arn:aws:kms:' in record
    assert len(json.dumps(saved["cells"][1]["outputs"])) < 50_000  # the picture, and places for records

    page = lab.open_untrusted(path)
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible()
    expect(page.get_by_text("run the cell to work with it")).to_be_visible()
    shoot(page, "reopened")
    assert least_contrast(page, ".jp-RenderedHTML *, .ecrw *") >= 4.5
    make_dark(page)
    shoot(page, "dark")
    assert least_contrast(page, ".jp-RenderedHTML *, .ecrw *") >= 4.5

    subprocess.run([BIN / "jupyter-nbconvert", "--to", "html", path], capture_output=True, check=True)
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": 1200, "height": 900}
    )
    page = context.new_page()
    page.goto(path.with_suffix(".html").as_uri())
    expect(page.get_by_role("cell", name="panels/by-hand", exact=True).first).to_be_visible()
    expect(page.get_by_text("create_repository").first).to_be_visible()
    shoot(page, "without-javascript")
    context.close()
    assert lab.complaints == []


def test_a_repository_that_is_deleted_elsewhere_is_said(lab: Lab, sandbox_environ: dict[str, str]) -> None:
    """The panel keeps what it saw, says what happened, and goes on."""
    lab.write("gone.ipynb", KIT, "kit.create_repository('panels/gone')", "kit.images('panels/gone')")
    page = lab.open("gone.ipynb")
    lab.run_all(page)
    refresh = page.get_by_role("button", name="Refresh", exact=True)
    expect(refresh).to_be_visible()
    session = boto3.Session(
        aws_access_key_id=sandbox_environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=sandbox_environ["AWS_SECRET_ACCESS_KEY"],
        region_name=sandbox_environ["AWS_REGION"],
    )
    ecr = session.client("ecr", endpoint_url=sandbox_environ["AWS_ENDPOINT_URL"])
    ecr.delete_repository(repositoryName="panels/gone")
    refresh.click()
    expect(page.get_by_text("'panels/gone' does not exist").first).to_be_visible()
    ecr.create_repository(repositoryName="panels/gone")
    refresh.click()
    expect(page.get_by_text("'panels/gone' does not exist")).to_have_count(0)
    ecr.close()
    assert lab.complaints == []
