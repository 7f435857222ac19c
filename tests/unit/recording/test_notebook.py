"""Records as cell outputs: who worked, and where."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from ecr_widgets.actor import actor
from ecr_widgets.channel import RunChannel
from ecr_widgets.errors import RunError
from ecr_widgets.model.record import RECORD_MIME
from ecr_widgets.ports import Progress, ProgressSink
from ecr_widgets.recording import notebook
from ecr_widgets.recording.notebook import NotebookSink, Places
from ecr_widgets.recording.recorder import Recorder, RecordSink
from tests.fakes import FakeClock, World


class Announced(RunChannel):
    """An engine that receives every intent and every outcome."""

    def __init__(self, *, until_outcome: bool = False) -> None:
        self.heard: list[tuple[str, str]] = []
        self.until_outcome = until_outcome

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        self.heard.append((display_id, json.loads(bundle[RECORD_MIME])["state"]))

    def conclude(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        if self.until_outcome:
            raise RunError("gone", run_id="run-1")
        self.announce(display_id, bundle)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the metadata of everything that was displayed."""
    kept: list[dict[str, Any]] = []

    def show(_: object, *, metadata: dict[str, Any] | None = None, **__: object) -> None:
        kept.append(metadata or {})

    monkeypatch.setattr(notebook, "display", show)
    monkeypatch.setattr(notebook, "update_display", show)
    monkeypatch.setattr(notebook, "_SECONDS_BETWEEN_UPDATES", 0.0)
    return kept


def perform(sink: RecordSink) -> None:
    def act(progress: ProgressSink) -> None:
        progress(Progress("sheep", "counting"))

    Recorder("run-1", FakeClock(World()), sink).perform("count", {}, act)


@pytest.mark.parametrize("sink", [NotebookSink(None), Places(["place"])], ids=["cell", "panel"])
def test_work_by_hand_says_who_did_it_and_where(shown: list[dict[str, Any]], sink: RecordSink) -> None:
    """A record made by hand names the person and host with the intent, during the work, and with the outcome."""
    perform(sink)
    assert len(shown) == 3
    by = {"actor": actor(), "host": socket.gethostname()}
    assert [each["ecr_widgets"] for each in shown] == [by] * 3
    assert "sheep" in shown[1]["ecr_widgets_progress"]


def test_a_run_that_an_engine_saves_says_it_once_in_the_notebook(shown: list[dict[str, Any]]) -> None:
    """In a run saved by an engine, the records' displays do not repeat the person and host."""
    channel = Announced()
    perform(NotebookSink(channel))
    assert channel.heard == [("ecrw-run-1-1", "intended"), ("ecrw-run-1-1", "succeeded")]
    assert [each.get("ecr_widgets") for each in shown] == [None] * 3


def test_a_step_ends_though_its_engine_is_gone(shown: list[dict[str, Any]]) -> None:
    """A step ends and displays its outcome even if its engine is gone."""
    channel = Announced(until_outcome=True)
    perform(NotebookSink(channel))
    assert channel.heard == [("ecrw-run-1-1", "intended")]
    assert len(shown) == 3
