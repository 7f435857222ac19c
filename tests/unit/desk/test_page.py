"""The start page."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ecr_widgets import open_desk
from ecr_widgets.audit.sealing import seal_finished_run
from ecr_widgets.desk import page as module
from ecr_widgets.desk.page import look
from ecr_widgets.doctor import Finding
from ecr_widgets.errors import DeployTargetUnavailable
from ecr_widgets.steps.shared.service_list import ListedService
from tests.audit.runs import save
from tests.fakes import FakeLayer0, World

FINDINGS = (Finding("AWS identity", ok=True, told="me"), Finding("Layer0", ok=False, told="it is not set up"))


@pytest.fixture
def layer0() -> FakeLayer0:
    fake = FakeLayer0(World())
    fake.create_environment("demo")
    (place,) = fake.list_environments()
    image = b"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/<web>:1.10"
    stored = fake.create_deploy("web", b'{"containerDefinitions": [{"name": "web", "image": "%s"}]}' % image)
    fake.create_service(place.environment_id, "timeoutsvc", stored.deploy_id)
    return fake


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch, layer0: FakeLayer0) -> None:
    monkeypatch.setattr(module, "examine", lambda: FINDINGS)
    monkeypatch.setattr(module, "deploy_targets", lambda _: (layer0,))


def test_the_page_answers_what_runs_what_waits_and_what_was_done(tmp_path: Path) -> None:
    """The page shows the checks, running services, pending approvals and runs, with links, and escapes outside text."""
    save(tmp_path / "runs", "deployed", "20261123T1-release.ipynb")
    html = look(tmp_path, tmp_path / "runs").bundle()["text/html"]
    assert "✓ AWS identity" in html
    assert "✗ Layer0: it is not set up" in html
    assert "demo/timeoutsvc" in html
    assert "team/&lt;web&gt;:1.10" in html
    assert "nothing waits" in html
    for path in ("forms/release.ipynb", "runbooks/release.ipynb", "runs/20261123T1-release.ipynb"):
        assert f'href="{path}"' in html


def test_what_does_not_answer_is_said_and_the_rest_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is shown as its text, and a check that takes too long is not waited for; the rest is shown."""
    held = threading.Event()

    def unavailable(_: object) -> tuple[ListedService, ...]:
        raise DeployTargetUnavailable("no way to Layer0")

    monkeypatch.setattr(module, "list_with_state", unavailable)
    monkeypatch.setattr(module, "examine", held.wait)
    try:
        bundle = look(tmp_path, tmp_path / "runs", longest_s=0.2).bundle()
    finally:
        held.set()
    for text in bundle.values():
        assert "no answer yet" in text
        assert "no way to Layer0" in text
    assert "no runs yet" in bundle["text/html"]


def test_runs_elsewhere_are_listed_without_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs outside the desk are listed without links, since JupyterLab cannot open them."""
    save(tmp_path / "elsewhere", "deployed", "one.ipynb")
    monkeypatch.setenv("ECR_WIDGETS_RUNS", str(tmp_path / "elsewhere"))
    page = open_desk(tmp_path / "desk")
    assert [row.path for row in page.runs if not isinstance(row, str)] == ["one.ipynb"]
    assert "one.ipynb" not in page.bundle()["text/html"]


def test_a_run_that_was_changed_since_it_was_sealed_is_shown_as_that(tmp_path: Path) -> None:
    """A run that was changed after it was sealed is shown as tampered, without its claimed state."""
    path = save(tmp_path / "runs", "deployed", "20261123T1-release.ipynb")
    assert seal_finished_run(path) is None
    path.write_text(path.read_text().replace("timeoutsvc", "anothersvc"))
    bundle = look(tmp_path, tmp_path / "runs").bundle()
    for text in bundle.values():
        assert "tampered" in text
        assert "succeeded" not in text
