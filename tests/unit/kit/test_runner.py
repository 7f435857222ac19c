"""How steps run: with a target that may be lost, and with a record of every failure."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from ecr_widgets.errors import (
    DeployTargetUnavailable,
    EcrWidgetsError,
    LimitReached,
    OutcomeUnknown,
    RegistryUnavailable,
    TargetBusy,
)
from ecr_widgets.kit import Kit
from tests.fakes import World
from tests.fakes.connections import FakeConnections
from tests.fakes.gate import FakeGate


@pytest.mark.parametrize("answers", [0, 1])
def test_whoever_lost_the_target_changes_nothing(
    kit: Kit, to: FakeConnections, world: World, answers: int
) -> None:
    """If the target's lock is lost before a change, nothing is changed, and the record has the new holder."""
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    before = list(world.changes)
    to.locks.lease.held_for = answers
    with pytest.raises(TargetBusy, match=r"no longer held by this run.*: run run-0 on other-host holds it"):
        kit.deploy_service("demo", "web", "web.7")
    assert world.changes == before
    assert [each.state for each in kit.recorder.records] == ["failed"]
    assert kit.recorder.records[0].error["type"] == "TargetBusy"


def test_what_came_of_a_change_is_unknown_where_the_target_was_lost_meanwhile(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """If the lock is lost during a change, its outcome is unknown; if nothing was changed, the step succeeded."""
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    to.locks.lease.held_for = 2
    with pytest.raises(OutcomeUnknown, match="was lost to another run while it was being changed"):
        kit.deploy_service("demo", "web", "web.7")
    to.locks.lease.held_for = 2
    kit.deploy_service("demo", "web", "web.7")
    assert [each.state for each in kit.recorder.records] == ["unknown", "succeeded"]


def test_a_record_says_which_limit_ended_its_step(
    kit: Kit, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that finds no more open files leaves that in its record, in words, and so does one that only plans."""

    def full() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "sts.json")

    monkeypatch.setattr(to.ecr, "authorization_token", full)
    for planning in (False, True):
        kit._runner.planning = planning
        with pytest.raises(LimitReached):
            kit.login()
    for record in kit.recorder.records:
        assert (record.state, record.error["type"]) == ("failed", "LimitReached")
        assert "files at a time" in record.error["message"]


def no_token() -> None:
    raise RegistryUnavailable("no answer from ECR")


def no_answer(*_: object) -> None:
    raise DeployTargetUnavailable("no answer from Layer0")


@pytest.mark.parametrize(
    ("step", "call", "inputs"),
    [
        ("push_image", lambda kit: kit.push_image("app", repository="app", tag="1"), {"repository": "app", "tag": "1"}),
        ("copy_image", lambda kit: kit.ecr.copy_image("app", "1", to_repository="other", to_tag="1"), {"to_tag": "1"}),
        ("scale_service", lambda kit: kit.layer0.scale_service("demo", "web", 2), {"service": "web", "count": 2}),
        ("build_image", lambda kit: kit.build_image(".", name="app", cache_from="app:cache"), {}),
    ],
    ids=["its names", "its copy", "what the policy is asked about", "its inputs"],
)  # fmt: skip
def test_a_step_leaves_its_record_also_where_it_fails_before_it_begins(
    kit: Kit,
    to: FakeConnections,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    call: Callable[[Kit], Any],
    inputs: dict[str, Any],
) -> None:
    """A step that fails before it starts, as when a registry does not answer, still leaves a record with its inputs."""
    to.gate = FakeGate()
    monkeypatch.setattr(to.ecr, "authorization_token", no_token)
    monkeypatch.setattr(to.layer0, "find_environment", no_answer)
    with pytest.raises(EcrWidgetsError, match="no answer from"):
        call(kit)
    (record,) = kit.recorder.records
    assert (record.step, record.state) == (step, "failed")
    assert "no answer from" in record.error["message"]
    assert record.inputs.items() >= inputs.items()
