"""A run's outcome from its records, classified in one place for all views."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecr_widgets.model.record import RunState, StepRecord, StepState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.saved_runs.outcome import SIGNS, Outcome, RunOutcome, outcome_of
from ecr_widgets.saved_runs.reading import note_among

START = datetime(2026, 11, 1, tzinfo=UTC)
SERVICE = {"environment": "demo", "service": "web"}
DIGEST = "sha256:" + "4a5d05f4de50" + "0" * 52


def step(
    number: int, name: str, *, outcome: dict[str, Any] | None = None, changed: bool = False
) -> StepRecord:
    record = StepRecord.intended("r", number, name, SERVICE, START + timedelta(seconds=number))
    return record.succeeded(outcome or {}, changed=changed, ended_at=record.started_at + timedelta(seconds=1))


def failed(number: int, name: str, error: str, inputs: dict[str, Any] = SERVICE) -> StepRecord:
    record = StepRecord.intended("r", number, name, inputs, START + timedelta(seconds=number))
    return record.ended_badly(
        StepState.FAILED, {"type": error, "message": "no"}, ended_at=record.started_at + timedelta(seconds=1)
    )


LOOKED = step(1, "check_target")
PUSHED = step(
    2, "push_image", outcome={"image": f"r.example/team/web@{DIGEST}", "tag": "2.0.1"}, changed=True
)
MOVED = step(3, "update_service", outcome={"deploy_id": "web.5"}, changed=True)
WAITED = failed(4, "wait", "DeploymentFailed")
BACK = step(5, "rollback", outcome={"deploy_id": "web.4"}, changed=True)
CANNOT = failed(5, "rollback", "RollbackFailed")
VERIFIED = step(6, "verify", outcome={"deploy_id": "web.5"})


def told(state: str, *steps: StepRecord, parameters: dict[str, Any] | None = None, **more: Any) -> RunOutcome:
    header = RunHeader(
        version=1,
        run_id="r",
        runbook="release",
        state=RunState(state),
        parameters=parameters or {},
        started_at=START,
    )
    return outcome_of(header, steps, **more)


@pytest.mark.parametrize(
    ("state", "steps", "outcome", "words"),
    [
        ("succeeded", (PUSHED, MOVED, VERIFIED), Outcome.SUCCEEDED, "succeeded"),
        ("failed", (failed(1, "check_repository", "RepositoryNotFound"),), Outcome.REFUSED, "refused: nothing changed"),
        ("failed", (LOOKED, failed(2, "push_image", "TagImmutable")), Outcome.REFUSED, "refused: nothing changed"),
        ("failed", (LOOKED, failed(2, "build_image", "BuildError")), Outcome.FAILED, "failed: nothing changed"),
        ("failed", (LOOKED, failed(2, "login", "RegistryUnavailable")), Outcome.FAILED, "failed: nothing changed"),
        ("failed", (), Outcome.FAILED, "failed: nothing changed"),
        ("failed", (LOOKED, WAITED), Outcome.FAILED, "failed: nothing changed"),
        ("failed", (failed(1, "delete_images", "RegistryError"),), Outcome.FAILED, "failed: may have changed something"),
        ("failed", (PUSHED, failed(3, "create_deploy", "InputError")), Outcome.FAILED, "failed: changed something"),
        ("failed", (MOVED, failed(6, "verify", "VerifyError")), Outcome.FAILED, "failed: changed something"),
        ("failed", (MOVED, failed(4, "wait", "TargetBusy")), Outcome.FAILED, "failed: changed something"),
        ("failed", (PUSHED, MOVED, WAITED), Outcome.LEFT_DOWN, "left down"),
        ("failed", (MOVED, WAITED, CANNOT), Outcome.LEFT_DOWN, "left down"),
        ("failed", (CANNOT,), Outcome.LEFT_DOWN, "left down"),
        ("failed", (MOVED, WAITED, BACK), Outcome.ROLLED_BACK, "rolled back"),
        ("succeeded", (BACK, VERIFIED), Outcome.SUCCEEDED, "succeeded"),
        ("interrupted", (PUSHED, MOVED), Outcome.INTERRUPTED, "interrupted"),
        ("running", (PUSHED,), Outcome.KILLED, "killed"),
        ("unknown", (MOVED,), Outcome.UNKNOWN, "unknown"),
    ],
)  # fmt: skip
def test_one_word_says_what_became_of_a_run(
    state: str, steps: tuple[StepRecord, ...], outcome: Outcome, words: str
) -> None:
    """A refusal, a failure, a service left down and one rolled back are told apart by the records alone."""
    found = told(state, *steps)
    assert (found.outcome, found.words) == (outcome, words)


def test_a_run_that_is_held_is_running_and_one_that_only_looked_is_planned() -> None:
    """A locked run is running, an unlocked one was killed at its open step, and a plan is planned."""
    open_step = StepRecord.intended("r", 2, "push_image", {}, START)
    assert told("running", LOOKED, held=True).outcome is Outcome.RUNNING
    assert told("running", LOOKED, open_step).words == "killed at push_image"
    planned = MOVED.planned({}, changed=True, ended_at=START)
    found = told("succeeded", LOOKED, planned, is_plan=True)
    assert (found.outcome, found.changed, found.fates) == (Outcome.PLANNED, (), ())


def test_what_an_earlier_attempt_changed_counts() -> None:
    """A service moved by an earlier attempt is left down, although the resumed attempt changed nothing."""
    found = step(3, "update_service", outcome={"deploy_id": "web.5"})
    header = RunHeader(
        version=1,
        run_id="r",
        runbook="release",
        state=RunState.FAILED,
        parameters={},
        started_at=START,
        attempts=[{"records": [MOVED.to_builtins()]}, {"records": "no list"}, 3],
    )
    assert told("failed", found, WAITED).outcome is Outcome.FAILED
    assert outcome_of(header, (found, WAITED)).outcome is Outcome.LEFT_DOWN


def test_what_and_where_are_told_by_the_records() -> None:
    """A run's subject is its repository, tag and service from the records; changes are those outside this machine."""
    built = step(1, "build_image", outcome={"image": "local/thing"}, changed=True)
    found = told("succeeded", built, PUSHED, MOVED, parameters={"repository": "other", "tag": "0"})
    assert (found.what, found.digest) == ("team/web:2.0.1 → demo/web", DIGEST)
    assert found.changed == ("push_image", "update_service")
    assert (
        told("succeeded", step(1, "verify", outcome={"image": f"r.example/web@{DIGEST}"})).image
        == "web@4a5d05f4de50"
    )


def test_a_run_that_was_refused_at_once_tells_what_was_asked_for() -> None:
    """If no record names the subject, it is taken from the parameters."""
    asked = {"repository": "team/wbe", "tag": "1", "environment": "demo", "service": "web", "other": 3}
    refused = failed(1, "check_repository", "RepositoryNotFound", {"repository": "team/wbe"})
    assert told("failed", refused, parameters=asked).what == "team/wbe:1 → demo/web"
    assert told("failed", parameters={"repository": ["x"], "tag": 1}).what == ""


def test_how_long_a_service_was_away_is_from_its_move_until_it_was_back() -> None:
    """The time to restore is from a service's move to its rollback in one run; a run without such a move has none."""
    found = told("failed", MOVED, WAITED, BACK)
    assert (found.restored_s, found.services("back", was_down=True)) == (3.0, ("demo/web",))
    found = told("succeeded", BACK)
    assert (found.restored_s, found.services("back", was_down=False)) == (None, ("demo/web",))


@pytest.mark.parametrize("value", [["x"], {"a": 1}, None, 3])
def test_records_of_other_shapes_break_nothing(value: Any) -> None:
    """Records with unexpected values raise nothing."""
    odd = failed(4, "wait", value, {"environment": value, "service": value})
    odd_outcome = step(
        3, "rollback", outcome={"deploy_id": value, "image": value, "tag": value}, changed=True
    )
    assert told("failed", odd, odd_outcome, WAITED, parameters={"repository": value}).words


def test_each_outcome_has_a_sign() -> None:
    """Each outcome has a sign, so that none depends on colour."""
    assert set(SIGNS) == set(Outcome)


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("## Operation note\n\nOPS-126", "OPS-126"),
        (["## Operation note\n", "\n", "two\n", "lines"], "two\nlines"),
        (
            "## Operation note\n\n*Why this run: write the reason and the ticket here before you run it by hand.*",
            "",
        ),
        ("# Other\n\nOPS-1", ""),
        (3, ""),
    ],
)
def test_why_a_run_was_made_is_its_operation_note(source: Any, note: str) -> None:
    """A run's reason is its operation note, or nothing if that was not filled in."""
    assert note_among([source]) == note
