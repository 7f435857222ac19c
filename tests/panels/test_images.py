"""The image panel in a real browser: an index with its images, what runs, a push with its progress, an error."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.panels.conftest import KIT, Lab, shoot
from tests.panels.looks import in_view

PREPARE = """
import json
import boto3
kit.create_repository("panels/images")
open("Dockerfile", "w").write("FROM busybox\\nRUN head -c 3000000 /dev/urandom > /noise\\nCMD sleep 600\\n")
built = kit.build_image(".", name="panels/local")
pushed = kit.push_image(built, repository="panels/images", tag="1.9")
child = {"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": pushed.digest, "size": 1}
child["platform"] = {"os": "linux", "architecture": "amd64"}
kind = "application/vnd.oci.image.index.v1+json"
index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [child]})
boto3.client("ecr").put_image(
    repositoryName="panels/images", imageManifest=index, imageManifestMediaType=kind, imageTag="multi"
)
web = {"name": "web", "image": "busybox", "essential": True, "memory": 32}
json.dump({"AWSEBDockerrunVersion": 2, "containerDefinitions": [web]}, open("Dockerrun.aws.json", "w"))
deploy = kit.create_deploy("images", "Dockerrun.aws.json", image=pushed.image)
kit.wait(kit.deploy_service("demo", "images", deploy))
open("Dockerfile", "a").write("LABEL another=1\\nRUN head -c 80000000 /dev/urandom > /more\\n")
kit.build_image(".", name="panels/local")
"""


def test_images_are_looked_at_and_pushed_by_hand(lab: Lab) -> None:
    """What runs is told; an error is said in the panel, which goes on; a push ends in a record and a new row."""
    path = lab.write("images.ipynb", KIT, PREPARE, "panel = kit.images('panels/images')\npanel")
    page = lab.open("images.ipynb")
    lab.run_all(page)
    expect(page.get_by_role("cell", name="demo/images").first).to_be_visible()
    page.get_by_role("button", name="Push …").click()
    push = page.get_by_role("button", name="Push", exact=True)
    local, tag = page.get_by_label("Local image"), page.get_by_label("Tag", exact=True)
    local.fill("panels/nobody")
    tag.fill("not a tag")
    expect(page.get_by_text("'not a tag' is not a tag").first).to_be_visible()
    expect(push).to_be_disabled()
    tag.fill("1.10")
    push.click()
    said = page.get_by_text("no local image 'panels/nobody' on the engine; build or pull it first")
    in_view(said.first)
    shoot(page, "error", cell=3)
    local.fill("panels/local")
    push.click()
    in_view(page.get_by_text("MB of 80.0 MB").first)
    in_view(page.get_by_role("button", name="Cancel"))
    shoot(page, "push", cell=3)
    expect(page.get_by_text("3 in all").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    shoot(page, "images", cell=3)
    in_view(page.get_by_text("✓ push panels/local to panels/images:1.10: done"))
    page.get_by_role("searchbox", name="Filter rows").fill("multi")
    expect(page.locator(".ecrw tbody tr")).to_have_count(2)
    row = page.get_by_role("button", name="multi", exact=True)
    assert not re.search("sha256:[0-9a-f]{64}", page.locator(".ecrw").inner_text())
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".ecrw dd", has_text=re.compile("@sha256:[0-9a-f]{64}")).first).to_be_visible()
    saved = lab.save(page, path, " for 'multi'")
    assert "push_image succeeded" in json.dumps(saved)
    assert "no local image" not in "".join(saved["cells"][2]["outputs"][0]["data"]["text/html"])
    assert lab.complaints == []


def test_an_engine_that_is_down_is_said(lab: Lab) -> None:
    """With what to try, and the panel goes on."""
    broken = (
        "import os\nos.environ['DOCKER_HOST'] = 'unix:///nowhere.sock'\n"
        "kit = connect()\nkit.create_repository('panels/down')"
    )
    lab.write("down.ipynb", KIT, broken, "kit.images('panels/down')")
    page = lab.open("down.ipynb")
    lab.run_all(page)
    page.get_by_role("button", name="Push …").click()
    page.get_by_label("Local image").fill("busybox")
    page.get_by_label("Tag", exact=True).fill("1")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("failed in").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    shoot(page, "engine-down", cell=3)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.get_by_text("0 in all").first).to_be_visible()
    assert lab.complaints == []
