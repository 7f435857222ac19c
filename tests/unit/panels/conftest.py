"""A desk on an empty world."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes.action_runs import FakeActionRuns
from tests.fakes.connections import FakeConnections
from tests.unit.panels.desk import Desk


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path) -> NotebookKit:
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    return NotebookKit(
        to, Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,), actions=FakeActionRuns
    )


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, kit: NotebookKit) -> Desk:
    return Desk(monkeypatch, kit)
