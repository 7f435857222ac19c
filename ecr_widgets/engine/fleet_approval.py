"""Approvals of fleets: one for the whole fleet, which also covers each target's run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ecr_widgets.engine.approval_rules import who_asks
from ecr_widgets.engine.results import find_run, holder_of, open_run
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.fleet import slot_of, target_sha256
from ecr_widgets.model.parameters import computed_names, default_values
from ecr_widgets.model.paths import exists, path_of
from ecr_widgets.model.record import StepState
from ecr_widgets.model.target_lists import Source, read_targets, source_of
from ecr_widgets.runbooks import Runbook, find_runbook, shipped_folder

_RUNBOOK = "fleet"


def is_fleet(runbook: Runbook) -> bool:
    """Whether it is the shipped fleet runbook, whose targets are known before it runs."""
    return runbook.name == _RUNBOOK and runbook.path.parent == shipped_folder()


def who_asks_of_fleet(values: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """What requires an approval of a fleet: its runbook, or one of its targets; None if nothing does.

    Args:
        values: All parameters of the fleet's run.

    Raises:
        InputError: Its runbook or its targets are refused.
    """
    runbook = find_runbook(str(values["runbook"]))
    if runbook.approval:
        return f"runbook {runbook.name}"
    seen = set()
    for given in _sets(values, runbook):
        all_values = default_values(runbook.parameters) | dict(given)
        place = (all_values.get("environment"), all_values.get("cluster"))
        if place in seen:
            continue
        seen.add(place)
        asked_by = who_asks(
            runbook.name,
            all_values,
            environ,
            required=False,
            computed=computed_names(runbook.parameters) - set(given),
        )
        if asked_by is not None:
            return asked_by
    return None


def approval_of_fleet(
    fleet_run: str, runbook: Runbook, parameters: Mapping[str, Any], slot: str, runs: Place
) -> Mapping[str, Any] | None:
    """The approval of the fleet that started this run, if exactly this target was approved; else None.

    Args:
        fleet_run: Id of the fleet's own run, which must be running.

        slot: The slot of this run.
    """
    with suppress(InputError, KeyError, TypeError):
        fleet = open_run(find_run(fleet_run, runs))
        approval = fleet.header.approval
        is_under_way = fleet.header.runbook == _RUNBOOK and not fleet.header.plan and holder_of(fleet.path)
        if not is_under_way or not approval["approved_by"]:
            return None
        plan = next(
            each.outcome
            for each in fleet.records
            if each.step == "plan_fleet" and each.state is StepState.SUCCEEDED
        )
        target = slot.removeprefix(slot_of(plan["fleet"], ""))
        if (
            plan["runbook_sha256"] == runbook.sha256
            and target_sha256(target, parameters) in plan["approved_targets"]
        ):
            return {
                **{name: value for name, value in approval.items() if name != "files"},
                "fleet": fleet_run,
            }
    return None


def _sets(values: Mapping[str, Any], runbook: Runbook) -> list[Mapping[str, Any]]:
    targets, common = str(values["targets"]), values["parameters"]
    source = source_of(targets)
    if source is Source.SERVICES:
        return [{**common, "environment": targets.rpartition("/")[0]}]
    text = targets
    if source is Source.FILE:
        text = _read(targets)
    return [each.parameters for each in read_targets(text, runbook.parameters, common=common, named=targets)]


def _read(name: str) -> str:
    """A file's text, looked up where the run's steps will look it up."""
    given = path_of(name)
    path = next((each for each in (given, shipped_folder() / given) if exists(each)), given)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {name!r}: {error}", hint="check the path") from error
