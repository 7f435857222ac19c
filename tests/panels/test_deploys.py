"""The deploy panel in a real browser: plan, deploy, see it run, go back, see an error."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from ecr_widgets.model.record import PANEL_MIME, RECORD_MIME
from tests.faults import forked
from tests.panels.conftest import KIT, Lab, shoot
from tests.panels.looks import check, in_view

FIRST = """
found = kit.find_image("panels/clicks", "1.0")
stored = kit.create_deploy("clicks", "Dockerrun.aws.json", image=found.image)
kit.wait(kit.deploy_service("demo", "clicks", stored))
"""
PREPARE = """
import json
for version in ("1.0", "2.0"):
    command = f"CMD echo serving version {version}; exec sleep 600"
    open("Dockerfile", "w").write(f"FROM busybox\\n{command}\\n")
    kit.create_repository("panels/served")
    kit.push_image(kit.build_image(".", name=f"panels/served:{version}"), repository="panels/served", tag=version)
web = {"name": "web", "image": "busybox", "essential": True, "memory": 32}
json.dump({"AWSEBDockerrunVersion": 2, "containerDefinitions": [web]}, open("Dockerrun.aws.json", "w"))
"""


def plan(page: Page, version: str) -> None:
    """Open the form where it is closed, name an image for a file, and look what would change."""
    image, document = page.get_by_label("Image", exact=True), page.get_by_label("Document", exact=True)
    if not (image.is_visible() or document.is_visible()):
        page.get_by_role("button", name="Deploy …").click()
    if document.is_visible():
        document.select_option("a file")
    image.fill(f"panels/served:{version}")
    page.get_by_role("button", name="Plan deploy …").click()


def deploy(page: Page, version: str) -> None:
    """Plan and confirm."""
    plan(page, version)
    confirm = page.get_by_role("button", name=f"Confirm: deploy panels/served:{version} to demo/panels")
    expect(confirm).to_be_visible()
    confirm.click()


def records(saved: dict[str, Any], cell: int) -> list[dict[str, Any]]:
    """Of a cell, from the top."""
    found = (output["data"].get(RECORD_MIME) for output in saved["cells"][cell]["outputs"])
    return [json.loads("".join(each)) for each in found if each]


def test_a_service_is_deployed_and_brought_back_by_hand(lab: Lab) -> None:
    """Each change is planned, confirmed by a button that names the target, watched and recorded below the panel."""
    path = lab.write("deploys.ipynb", KIT, PREPARE, "kit.deploys('demo', 'panels')")
    page = lab.open("deploys.ipynb")
    lab.run_all(page)
    expect(page.get_by_text("does not exist yet: a first deploy creates it").first).to_be_visible()
    deploy(page, "1.0")
    expect(page.get_by_text("1 of 1 copies run").first).to_be_visible()
    expect(page.get_by_text("serving version 1.0").first).to_be_visible()
    expect(page.get_by_text("verify").first).to_be_visible()
    # The form closes when the deploy has ended.
    expect(page.get_by_role("button", name="Plan deploy …")).to_have_count(0)

    page.get_by_role("button", name="Deploy …").click()
    expect(page.get_by_label("Document", exact=True)).to_be_visible()  # once it knows what runs
    plan(page, "9.9")
    refusal = page.get_by_text("'panels/served' has no image '9.9'; push it first, or list the images")
    in_view(refusal.first)
    check(page)
    shoot(page, "deploy-error", cell=3)

    page.get_by_label("Document", exact=True).select_option("what runs now")
    page.get_by_label("Reason", exact=True).fill("OPS-126")
    page.get_by_role("option", name="2.0 ·").click()
    page.get_by_role("button", name="Plan deploy …").click()
    in_view(page.get_by_text("changed /containerDefinitions/0/image").first)
    shoot(page, "deploy-plan", cell=3)
    page.get_by_role("button", name="Confirm: deploy panels/served:2.0 to demo/panels").click()
    expect(page.get_by_text("serving version 2.0").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()

    in_view(page.get_by_text("✓ deploy panels/served:2.0 to demo/panels: done"))
    expect(page.get_by_text("● stable").first).to_be_visible()
    page.get_by_role("button", name="Roll back …").click()
    expect(page.get_by_label("Back to").locator("option")).to_have_text(
        re.compile("panels.1 · 1.0 · verified .* by ")
    )
    page.get_by_role("button", name="Plan rollback …").click()
    page.get_by_role("button", name="Confirm: roll demo/panels back to panels.1").click()
    expect(page.locator(".ecrw-record", has_text="verify succeeded")).to_have_count(3)
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    saved = lab.save(page, path, "rollback succeeded")
    folded = page.locator(".ecrw-record summary", has_text="deploy id").first
    assert folded.evaluate("each => each.getBoundingClientRect().height") < 24  # one line
    shoot(page, "deploys", cell=3)
    steps = [(each["step"], each["state"], each["changed"]) for each in records(saved, 2)]
    assert [step for step, _, _ in steps] == [
        *("find_image", "create_deploy", "create_service", "wait", "verify"),
        *("find_image", "create_deploy", "update_service", "wait", "verify"),
        *("find_service", "rollback", "verify"),
    ]
    assert {state for _, state, _ in steps} == {"succeeded"}
    picture = json.loads("".join(saved["cells"][2]["outputs"][0]["data"][PANEL_MIME]))
    assert picture["rows"][0][:2] == ["panels.1", "primary"]
    runs = audited(lab)
    assert [(each["runbook"], each["verdict"]) for each in runs] == [
        ("panel-rollback", "proven"),
        ("panel-deploy", "proven"),
        ("panel-deploy", "proven"),
    ]
    assert all(each["actor"] and each["services"] == ["demo/panels"] for each in runs)
    assert [each["note"] for each in runs] == ["", "OPS-126", ""]
    assert lab.complaints == []


def audited(lab: Lab) -> list[dict[str, Any]]:
    """What the audit says of the runs beside the notebook, newest first."""
    words = [Path(sys.executable).with_name("ecr-widgets"), "audit", "list", "--json", "--runs", "runs"]
    done = forked.run(words, cwd=lab.folder, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_another_tag_runs_after_four_clicks_and_its_run_opens(lab: Lab) -> None:
    """Open, choose, plan, confirm: nothing is typed, and nothing has to be scrolled for; then the run is one click away."""
    lab.write(
        "clicks.ipynb",
        KIT,
        PREPARE.replace("panels/served", "panels/clicks"),
        FIRST,
        "kit.deploys('demo', 'clicks')",
    )
    page = lab.open("clicks.ipynb", page=lab.page(1400))
    lab.run_all(page)
    expect(page.get_by_text("1 of 1 copies run").first).to_be_visible()
    page.get_by_role("button", name="Deploy …").click()
    tag = page.get_by_role("option", name="2.0 ·")
    in_view(tag)
    tag.click()
    page.get_by_role("button", name="Plan deploy …").click()
    confirm = page.get_by_role("button", name="Confirm: deploy panels/clicks:2.0 to demo/clicks")
    in_view(confirm)
    check(page)
    shoot(page, "deploy-by-tag", cell=4)
    confirm.click()
    in_view(page.get_by_text("✓ deploy panels/clicks:2.0 to demo/clicks: done"))
    expect(page.get_by_text("serving version 2.0").first).to_be_visible()
    page.get_by_role("button", name="Open run").click()
    expect(page.get_by_role("heading", name="Deploy an image to a service")).to_be_visible()
    (run,) = audited(lab)
    assert (run["runbook"], run["verdict"]) == ("panel-deploy", "proven")
    assert lab.complaints == []


HOSTILE = "<img src=http://127.0.0.1:9/x onerror=alert(1)>"
PREPARE_ROUGH = f"""
import json
kit.create_repository("panels/rough")
for version, command in (("good", "sleep 600"), ("bad", "exit 3")):
    open("Dockerfile", "w").write(f"FROM busybox\\nCMD echo '{HOSTILE} {{version}}'; {{command}}\\n")
    kit.push_image(kit.build_image(".", name="panels/rough"), repository="panels/rough", tag=version)
web = {{"name": "web", "image": "busybox", "essential": True, "memory": 32}}
json.dump({{"AWSEBDockerrunVersion": 2, "containerDefinitions": [web]}}, open("Dockerrun.aws.json", "w"))
found = kit.find_image("panels/rough", "good")
stored = kit.create_deploy("rough", "Dockerrun.aws.json", image=found.image)
kit.wait(kit.deploy_service("demo", "rough", stored))
"""


def test_a_failed_deploy_goes_back_by_itself_then_the_service_is_scaled_and_a_task_run(lab: Lab) -> None:
    """Why containers stopped stays in view; what they wrote, however hostile, does nothing; exit codes are told."""
    path = lab.write("rough.ipynb", KIT, PREPARE_ROUGH, "kit.deploys('demo', 'rough')")
    page = lab.open("rough.ipynb")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    lab.run_all(page)
    expect(page.get_by_text("1 of 1 copies run").first).to_be_visible()
    expect(page.get_by_text(f"{HOSTILE} good").first).to_be_visible()
    page.get_by_role("button", name="Deploy …").click()
    page.get_by_role("option", name="bad ·").click()
    page.get_by_role("button", name="Plan deploy …").click()
    page.get_by_role("button", name="Confirm: deploy panels/rough:bad to demo/rough").click()
    expect(page.get_by_text("the service was rolled back to deploy rough.1").first).to_be_visible(
        timeout=120_000
    )
    expect(page.get_by_text("Why containers stopped").first).to_be_visible()
    expect(page.get_by_text("Essential container in task exited (web exit code 3)").first).to_be_visible()

    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    page.get_by_role("button", name="Scale …").click()
    expect(page.get_by_label("Copies", exact=True)).to_have_value("1")
    page.get_by_label("Copies", exact=True).fill("2")
    page.get_by_role("button", name="Plan scaling …").click()
    page.get_by_role("button", name="Confirm: scale demo/rough to 2").click()
    expect(page.get_by_text("scale_service succeeded").first).to_be_visible()
    expect(page.get_by_text("2 of 2 copies run").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()

    page.get_by_role("button", name="Run a task …").click()
    page.get_by_label("Run deploy").fill("rough.2")
    page.get_by_label("As task").fill("rough-once")
    page.get_by_role("button", name="Plan task …").click()
    page.get_by_role("button", name="Confirm: run task rough-once of rough.2 in demo").click()
    expect(page.get_by_text("create_task failed").first).to_be_visible()
    shoot(page, "rough", cell=3)
    saved = lab.save(page, path, "create_task failed")
    ended = [(each["step"], each["state"]) for each in records(saved, 2)]
    assert ended == [
        *(("find_image", "succeeded"), ("create_deploy", "succeeded"), ("update_service", "succeeded")),
        *(
            ("wait", "failed"),
            ("rollback", "succeeded"),
            ("scale_service", "succeeded"),
            ("create_task", "failed"),
        ),
    ]
    task = json.dumps(records(saved, 2)[-1]["error"])
    assert "web with code 3" in task
    assert HOSTILE in task
    assert not [each for each in asked if "127.0.0.1:9/" in each]
    assert lab.complaints == []
