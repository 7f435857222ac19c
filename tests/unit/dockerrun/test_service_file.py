"""Service files: CreateService's input without what the kit sets itself."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from ecr_widgets.dockerrun.service_file import (
    _SET_BY_THE_KIT,
    FOR_TASKS,
    SETTINGS,
    difference_lines,
    differing,
    for_a_task,
    read_service_file,
)
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.services import FIXED_SETTINGS

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}}


def members(operation: str) -> set[str]:
    model = botocore.session.get_session().get_service_model("ecs")
    return set(model.operation_model(operation).input_shape.members)


def test_the_settings_are_those_of_ecs() -> None:
    """The settings match botocore's model of CreateService, UpdateService and RunTask."""
    created, updated, run = map(members, ("CreateService", "UpdateService", "RunTask"))
    assert created - _SET_BY_THE_KIT.keys() == SETTINGS
    assert SETTINGS - updated | {"deploymentController"} == FIXED_SETTINGS
    # A service's `propagateTags` has a value that a task's lacks.
    assert (SETTINGS & run) - {"propagateTags"} == FOR_TASKS


@pytest.mark.parametrize("name", sorted(_SET_BY_THE_KIT))
def test_what_the_kit_sets_is_refused(name: str) -> None:
    """A setting that the kit sets itself is refused with its pointer."""
    with pytest.raises(InvalidDockerrun, match="a service file must not set it") as refused:
        read_service_file(json.dumps({name: "x"}).encode())
    assert refused.value.pointer == f"/{name}"


def test_a_misspelt_setting_is_refused_and_a_new_one_kept() -> None:
    """A misspelled setting is refused with a suggestion; an unknown one is kept."""
    with pytest.raises(InvalidDockerrun, match="did you mean networkConfiguration"):
        read_service_file(b'{"networkConfigurations": {}}')
    assert read_service_file(b'{"somethingOfNextYear": 1}') == {"somethingOfNextYear": 1}


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"tags": [], "tags": []}', b"\\xff"])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    """A service file that is not a JSON object, or has a member twice, is refused."""
    with pytest.raises(InvalidDockerrun):
        read_service_file(content)


def test_a_task_takes_only_what_holds_for_it() -> None:
    """A task takes only settings that apply to it, such as the network."""
    settings = {"networkConfiguration": NETWORK, "loadBalancers": [], "deploymentConfiguration": {}}
    assert for_a_task(settings) == {"networkConfiguration": NETWORK}


@pytest.mark.parametrize(
    ("current", "wanted", "differs"),
    [
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2", "subnet-1"],
          "assignPublicIp": "DISABLED"}}}, {"networkConfiguration": NETWORK}, False),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}, {"networkConfiguration": NETWORK}, True),
        ({}, {"loadBalancers": []}, False),
        ({"loadBalancers": [{"containerPort": 80}]}, {"loadBalancers": []}, True),
        ({"desiredCount": 4}, {"desiredCount": 1}, False),
        ({"launchType": "EC2"}, {"launchType": "FARGATE"}, True),
    ],
)  # fmt: skip
def test_only_what_is_wanted_and_is_not_so_differs(
    current: dict[str, Any], wanted: dict[str, Any], *, differs: bool
) -> None:
    """Only wanted settings are compared, without ECS's defaults, the order of subnets or the number of copies."""
    assert bool(differing(current, wanted)) is differs


def test_a_difference_says_what_cannot_be_applied() -> None:
    """A difference is one line per setting, and one that only applies to a new service says so."""
    changes = {"launchType": "FARGATE", "enableExecuteCommand": True}
    assert difference_lines({"launchType": "EC2"}, changes) == (
        "launchType: EC2 becomes FARGATE (only for a new service)",
        "enableExecuteCommand: nothing becomes True",
    )
