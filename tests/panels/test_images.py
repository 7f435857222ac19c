"""The image panel in a real browser: an index with its images, what runs, a push with its progress, an error."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.panels.conftest import KIT, Lab, shoot

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
    push = page.get_by_role("button", name="Push", exact=True)
    expect(push).to_be_visible()
    expect(page.get_by_role("cell", name="service demo/images").first).to_be_visible()
    local, tag = page.get_by_placeholder("its name or id"), page.get_by_placeholder("such as 2026.11")
    local.fill("panels/nobody")
    tag.fill("not a tag")
    expect(page.get_by_text("'not a tag' is not a tag").first).to_be_visible()
    expect(push).to_be_disabled()
    tag.fill("1.10")
    push.click()
    said = page.get_by_text("no local image 'panels/nobody' on the engine; build or pull it first")
    expect(said.first).to_be_visible()
    shoot(page, "error", cell=3)
    local.fill("panels/local")
    push.click()
    expect(page.get_by_text("MB of 80.0 MB").first).to_be_visible()
    shoot(page, "push", cell=3)
    expect(page.get_by_text("3 in all").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    shoot(page, "images", cell=3)
    filter_by = page.get_by_placeholder("tag or digest", exact=True)
    filter_by.fill("multi")
    filter_by.press("Enter")
    expect(page.get_by_text("2 of 3 for 'multi'").first).to_be_visible()
    digest = page.locator("details", has_text="sha256:").first
    assert not re.search("sha256:[0-9a-f]{64}", digest.inner_text())
    digest.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(digest).to_have_attribute("open", "")
    assert re.search("sha256:[0-9a-f]{64}", digest.inner_text())
    saved = lab.save(page, path, "push_image succeeded")
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
    push = page.get_by_role("button", name="Push", exact=True)
    expect(push).to_be_visible()
    page.get_by_placeholder("its name or id").fill("busybox")
    page.get_by_placeholder("such as 2026.11").fill("1")
    push.click()
    expect(page.get_by_text("failed in").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    shoot(page, "engine-down", cell=3)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.get_by_text("0 in all").first).to_be_visible()
    assert lab.complaints == []
