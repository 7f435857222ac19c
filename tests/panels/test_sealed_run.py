"""A sealed run opened and saved in a real JupyterLab: by itself no alarm, and with a change one that names the place."""

from __future__ import annotations

import time
from pathlib import Path

from ecr_widgets.audit.findings import Finding
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from tests.audit.faults import NOW
from tests.audit.runs import save
from tests.panels.conftest import Lab


def saved_again(lab: Lab, name: str, *, typed: str = "") -> None:
    """Open the notebook, type into its first cell where something is to be, and save until the file is written."""
    path = lab.folder / name
    before_ns = path.stat().st_mtime_ns
    page = lab.open(name, kernel=False)
    if typed:
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.type(typed)
    save = page.get_by_role("button", name="Save and create checkpoint")
    deadline_s = time.monotonic() + 60
    while path.stat().st_mtime_ns == before_ns or (typed and typed not in path.read_text()):
        assert time.monotonic() < deadline_s
        save.click()
        page.wait_for_timeout(500)


def test_saving_in_jupyterlab_is_no_alarm_and_typing_there_is(quiet_lab: Lab, tmp_path: Path) -> None:
    """Recorded runs, saved again, say the same; one character more is found in its cell."""
    ring = KeyRing(tmp_path / "keys")
    names = [save(quiet_lab.folder, kind).name for kind in ("deployed", "failed")]
    for name in names:
        seal_run(quiet_lab.folder, name, ring=ring, now=NOW)
        saved_again(quiet_lab, name)
    found = verify(quiet_lab.folder, names, ring=ring)
    assert {each.finding for each in found.files} == {Finding.RESAVED}
    assert found.ok
    saved_again(quiet_lab, names[0], typed="x")
    changed = [
        each for each in verify(quiet_lab.folder, names, ring=ring).files if each.finding is Finding.CHANGED
    ]
    (one,) = changed
    assert one.path == names[0]
    assert one.what[0].endswith(": source changed")
