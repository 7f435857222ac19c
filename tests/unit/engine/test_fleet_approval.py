"""Approvals for a whole fleet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.fleet_approval import approval_of_fleet, is_fleet, who_asks_of_fleet
from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import copy_runbooks, find_runbook

GUARDED = {"ECR_WIDGETS_APPROVAL": "prod, ecs:live"}


def asked(targets: Any, runbook: str = "deploy", **parameters: str) -> str | None:
    text = targets if isinstance(targets, str) else json.dumps(targets)
    return who_asks_of_fleet({"runbook": runbook, "targets": text, "parameters": parameters}, GUARDED)


@pytest.mark.parametrize(
    ("targets", "parameters", "asks"),
    [
        ([{"service": "a"}], {}, None),
        ([{"environment": "test"}, {"environment": "prod"}], {}, "environment prod"),
        ([{"service": "a"}], {"environment": "prod"}, "environment prod"),
        ([{"service": "a", "environment": "test"}], {"environment": "prod"}, None),
        ([{"environment": "ecs:live"}], {}, "environment ecs:live"),
        ("prod/web*", {}, "environment prod"),
        ("ecs:live/web*", {"environment": "test"}, "environment ecs:live"),
        ("test/web*", {"environment": "prod"}, None),
    ],
)
def test_a_target_in_a_guarded_environment_asks(
    targets: Any, parameters: dict[str, str], asks: str | None
) -> None:
    """A fleet asks if a target's own environment, the common one or its service pattern is guarded; a target's own wins."""
    assert asked(targets, **parameters) == asks


def test_the_targets_of_a_file_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets in a file are read from the current folder, and a missing file is an error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("environment\nprod\n")
    assert asked("t.csv") == "environment prod"
    with pytest.raises(InputError, match=r"cannot read 'none\.csv'"):
        asked("none.csv")


def test_a_runbook_that_asks_makes_its_fleet_ask(tmp_path: Path) -> None:
    """A fleet of a runbook that requires an approval requires one, whatever its targets."""
    book = json.loads(find_runbook("login").content)
    book["metadata"]["ecr_widgets"] = {"approval": "required"}
    (tmp_path / "mine.ipynb").write_text(json.dumps(book))
    assert asked([{}], runbook=str(tmp_path / "mine.ipynb")) == "runbook mine"


def test_only_the_shipped_fleet_has_targets_that_are_known_before(tmp_path: Path) -> None:
    """Only the shipped fleet runbook counts as a fleet; a copy does not, since it may compute its targets."""
    list(copy_runbooks(tmp_path))
    assert is_fleet(find_runbook("fleet"))
    assert not is_fleet(find_runbook(tmp_path / "fleet.ipynb"))


def test_a_fleet_that_there_is_not_approves_nothing(tmp_path: Path) -> None:
    """A made-up fleet id approves nothing."""
    assert approval_of_fleet("nobody", find_runbook("deploy"), {}, "f:a", tmp_path) is None
