"""Target lists as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ecr_widgets.engine.slots import check_slot
from ecr_widgets.errors import InputError
from ecr_widgets.model.declarations import found_parameters
from ecr_widgets.model.fleet import TargetRun, longest_fleet_name, name_targets, sha256_of, slot_of
from ecr_widgets.model.target_lists import read_targets

DECLARED = found_parameters(
    'environment: str = "demo"\nservice: str = "web"\ncount: int = 1  # 0 or more\nports: list[int] = []\n'
)


def read(text: str, **common: str) -> list[Mapping[str, Any]]:
    return [each.parameters for each in read_targets(text, DECLARED, common=common, named="t")]


@pytest.mark.parametrize(
    "text",
    [
        '{"service": "a", "count": 2}\n\n{"service": "b", "count": 3}\n',
        '[{"service": "a", "count": 2},\n {"service": "b", "count": 3}]',
        "service,count\na,2\n\nb,3\n",
        'service , count\r\n"a",2\r\nb,3\r\n',
    ],
)
def test_json_and_csv_mean_the_same(text: str) -> None:
    """JSON lines, a JSON list and CSV give the same targets, with the declared types and without empty lines."""
    assert read(text) == [{"service": "a", "count": 2}, {"service": "b", "count": 3}]


def test_a_targets_own_parameter_wins_over_the_common_one() -> None:
    """A target's own parameter overrides the common one, which is given as text and read by its type."""
    assert read('{"service": "a"}\n{"service": "b", "count": 5}', count="2") == [
        {"service": "a", "count": 2},
        {"service": "b", "count": 5},
    ]
    assert read("service,count\na,7\n", count="2", environment="prod") == [
        {"service": "a", "count": 7, "environment": "prod"}
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t: no target"),
        ("service,count\n", "t: no target"),
        ("[]", "t: no target"),
        ('{"service": "a"}\n{"sevice": "b"}', "t, line 2: the runbook declares no parameter 'sevice'"),
        ('{"service": "a"}\n\n{"service": "a"}', "t, line 3: the same target as in line 1"),
        ("service,count\na,1\na,1\n", "t, line 3: the same target as in line 2"),
        ('{"service": "web"}\n{"count": 1}', "t, line 2: the same target as in line 1"),
        ('{"count": "1"}', "t, line 1: parameter 'count' refused"),
        ("count\n1\n-1\n", "t, line 3: parameter 'count' refused"),
        ("count\nx\n", "t, line 2: parameter 'count' refused"),
        ('{"service": 1}', "t, line 1: parameter 'service' refused"),
        ('{"service": "a"}\n{"service": ', "t, line 2: not JSON"),
        ('{"service": "a", "service": "b"}', "t, line 1: an object gives a parameter twice"),
        ('{"service": "a"}\n"b"', "t, line 2: not a JSON object"),
        ("service,count\na\n", "t, line 2: 1 values for 2 parameters"),
        ("service,service\na,b\n", "t, line 1: a column without a name"),
        ("service,\na,b\n", "t, line 1: a column without a name"),
        ('service\n"a\n', "t, line 2: not CSV"),
    ],
)
def test_what_is_wrong_is_one_error_with_its_line(text: str, message: str) -> None:
    """An invalid target list is an error with its line: unknown parameters, repeated targets, wrong types or bad syntax."""
    with pytest.raises(InputError) as raised:
        read(text)
    assert raised.value.message.startswith(message)


def test_a_set_is_checked_before_its_values_are_shown() -> None:
    """Each target is passed to the check before it is read, and a refusal has the line."""

    def refuse(given: Mapping[str, Any]) -> None:
        if "hush" in given.values():
            raise InputError("a secret")

    with pytest.raises(InputError, match="t, line 2: a secret"):
        read_targets('{"count": 1}\n{"count": "hush"}', DECLARED, common={}, check=refuse, named="t")


def test_targets_are_named_by_what_differs() -> None:
    """Targets are named by the parameters that differ, with characters that a slot allows."""
    names = [
        each.name
        for each in name_targets(
            [
                {"environment": "ecs:prod", "service": "web"},
                {"environment": "ecs:prod", "service": "a/b"},
            ]
        )
    ]
    assert names == ["web", "a-b"]
    both = [{"service": f"web-{n}", "deploy": f"web-{n}"} for n in range(2)]
    assert [each.name for each in name_targets(both)] == ["web-0", "web-1"]
    crossed = [{"environment": e, "service": s} for e in "ab" for s in "xy"]
    assert [each.name for each in name_targets(crossed)] == ["a-x", "a-y", "b-x", "b-y"]
    assert [each.name for each in name_targets([{"service": "web"}])] == ["web"]


@pytest.mark.parametrize(
    "sets",
    [
        [{"service": "a/b"}, {"service": "a-b"}],
        [{"service": "x" * 90 + "1"}, {"service": "x" * 90 + "2"}],
        [{"service": "é"}, {"service": "ü"}],
        [{}, {"service": "a"}],
        [{"ports": [1, 2]}, {"ports": [1, 3]}],
        [{"service": ""}, {"service": ".."}],
    ],
)
def test_names_of_targets_are_different_slots(sets: list[dict[str, Any]]) -> None:
    """Targets get different slots even if they differ only in characters that slots do not allow, or late in long names."""
    slots = {slot_of("f" * longest_fleet_name(), each.name) for each in name_targets(sets)}
    assert len(slots) == len(sets)
    for slot in slots:
        check_slot(slot)


def test_the_digest_of_a_fleet_is_of_all_that_it_runs() -> None:
    """A fleet's digest depends on the runbook, the targets and their order."""
    one, two = name_targets([{"service": "a"}, {"service": "b"}])
    assert (
        len(
            {
                sha256_of("1", (one, two)),
                sha256_of("2", (one, two)),
                sha256_of("1", (two, one)),
                sha256_of("1", (one,)),
            }
        )
        == 4
    )


def test_a_targets_run_is_one_command() -> None:
    """A target's run is one command, with the runs' bucket if there is one."""
    run = TargetRun("a", "deploy", {"service": "a", "count": 2, "ports": [80]}, "f:a", "runs", ".")
    assert run.command() == (
        "ecr-widgets", "run", "deploy", "-p", "service", "a", "-p", "count", "2", "-p", "ports", "[80]", "--slot", "f:a",
    )  # fmt: skip
    assert replace(run, runs="s3://team/prod").command() == (*run.command(), "--runs", "s3://team/prod")
