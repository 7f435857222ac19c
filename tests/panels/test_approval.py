"""A panel's plan that another person has to approve: asked for by hand, approved by command, seen to go on."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from ecr_widgets.sandbox import Sandbox
from tests.faults import forked
from tests.panels.conftest import BIN, KIT, Lab, shoot
from tests.panels.looks import check, in_view
from tests.panels.test_deploys import FIRST, PREPARE
from tests.people import Two


def test_a_panels_plan_goes_on_with_a_second_persons_yes(
    lab: Lab, sandbox: Sandbox, sandbox_environ: dict[str, str], two: Two
) -> None:
    """Nothing is changed before; then the first person's panel shows what runs, and the saved run names both and the reason."""
    engine = Path(sandbox.env()["DOCKER_HOST"].removeprefix("unix://"))
    engine.parent.chmod(0o711)
    engine.chmod(0o666)
    runs = two.shared / "runs"
    runs.mkdir()
    runs.chmod(0o2775)
    shared = (
        f"import os\nos.umask(0o002)\nos.chdir({str(two.shared)!r})\n"
        f"os.environ |= {{'ECR_WIDGETS_APPROVAL': 'demo', 'ECR_WIDGETS_RUNS': {str(runs)!r}}}"
    )
    prepare = f"{PREPARE}{FIRST}".replace("panels/served", "panels/second").replace("clicks", "second")
    lab.write("approval.ipynb", shared, KIT, prepare, "kit.deploys('demo', 'second')")
    page = lab.open("approval.ipynb", page=lab.page(1400))
    lab.run_all(page)
    expect(page.get_by_text("serving version 1.0").first).to_be_visible()
    page.get_by_role("button", name="Deploy …").click()
    page.get_by_role("option", name="2.0 ·").click()
    page.get_by_role("button", name="Plan deploy …").click()
    ask = page.get_by_role("button", name="Ask for approval: deploy panels/second:2.0 to demo/second")
    in_view(ask)
    expect(ask).to_be_disabled()  # it needs a reason
    page.get_by_label("Reason", exact=True).last.fill("OPS-9")
    check(page)
    ask.click()
    said = page.get_by_text("nothing was changed: environment demo requires an approval")
    in_view(said)
    shoot(page, "approval", cell=4)
    (run_id,) = re.findall(r"`ecr-widgets approve (\S+)`", said.inner_text())
    assert page.get_by_text("serving version 2.0").count() == 0
    page.get_by_label("watch").check()

    environ = {name: value for name, value in sandbox_environ.items() if not name.startswith("XDG_")}
    server = {**sandbox_environ, "HOME": str(lab.folder.parents[1] / "home")}
    export = [BIN / "ecr-widgets", "audit", "key", "export"]
    two.bob.trusts_keys(
        forked.run(export, env=server, capture_output=True, text=True, check=True).stdout, cwd=two.shared
    )
    own = environ | two.bob.environ | {"DOCKER_CONFIG": str(two.bob.home)}
    done = two.bob.ours("approve", run_id, "--json", "--runs", runs, cwd=two.shared, environ=own)
    run = json.loads(done.stdout)
    assert run["state"] == "succeeded", run["reason"]

    expect(page.get_by_text("serving version 2.0").first).to_be_visible()
    in_view(page.get_by_text("● stable").first)
    saved = json.loads(Path(run["notebook"]).read_text())
    header = saved["metadata"]["ecr_widgets"]
    assert header["approval"]["plan"] == run_id
    assert (header["approval"]["requested_by"], header["approval"]["approved_by"]) == (
        "root",
        f"uid {two.bob.uid}",
    )
    shown = json.dumps(saved["cells"])
    assert f"approved by uid {two.bob.uid}" in shown
    assert "OPS-9" in shown
    assert lab.complaints == []
