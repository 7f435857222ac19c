"""The record of a step."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import RecordError
from ecr_widgets.model.record import RECORD_VERSION, StepRecord, StepState

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
INTENDED = StepRecord.intended("run-1", 1, "push_image", {"tag": "1.10"}, STARTED)
SUCCEEDED = INTENDED.succeeded({"digest": "sha256:…"}, changed=True, ended_at=ENDED)
FAILED = INTENDED.ended_badly(StepState.FAILED, {"type": "PushError", "message": "no"}, ended_at=ENDED)


@pytest.mark.parametrize("record", [INTENDED, SUCCEEDED, FAILED], ids=lambda r: r.state.value)
def test_a_record_is_read_back_as_written(record: StepRecord) -> None:
    """A record in any state is read back as it was written."""
    assert StepRecord.from_json(record.to_json()) == record


def test_the_members_stand_in_the_contracts_order() -> None:
    """A record is one compact line of JSON with its members in the contract's order."""
    text = SUCCEEDED.to_json()
    assert list(json.loads(text)) == [
        "version",
        "run_id",
        "sequence",
        "step",
        "state",
        "changed",
        "inputs",
        "outcome",
        "error",
        "started_at",
        "ended_at",
    ]
    assert "\n" not in text
    assert '"started_at":"2026-01-01T00:00:00.000Z"' in text


def test_an_outcome_leaves_the_intent_as_it_was() -> None:
    """Concluding a record leaves the intended one unchanged and keeps its run, number and inputs."""
    assert INTENDED.state is StepState.INTENDED
    assert INTENDED.changed is None
    assert (SUCCEEDED.run_id, SUCCEEDED.sequence, SUCCEEDED.inputs) == ("run-1", 1, {"tag": "1.10"})
    assert FAILED.changed is None


def altered(**members: Any) -> str:
    return json.dumps(json.loads(SUCCEEDED.to_json()) | members)


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.0])
def test_a_record_of_another_version_is_refused_by_name(version: Any) -> None:
    """A record of another version is refused with the version that this release reads."""
    with pytest.raises(RecordError, match=f"this release reads {RECORD_VERSION}; upgrade"):
        StepRecord.from_json(altered(version=version))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"version": 1}',
        "[" * 100_000,
        altered(state="done"),
        altered(run_id=1),
        altered(sequence="1"),
        altered(sequence=True),
        altered(changed="yes"),
        altered(inputs=None),
        altered(outcome=[]),
        altered(error="boom"),
        altered(started_at=None),
        altered(started_at="yesterday"),
        altered(ended_at="2026-01-01T00:00:00"),
    ],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    """Invalid JSON, or a member that is missing or of the wrong type, is refused on reading."""
    with pytest.raises(RecordError, match="a record that cannot be read"):
        StepRecord.from_json(text)


@given(st.text(max_size=50))
def test_any_text_is_a_record_or_refused(text: str) -> None:
    """Any text that is not a record raises RecordError and nothing else."""
    with pytest.raises(RecordError):
        StepRecord.from_json(text)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.dictionaries(
        TEXT, TEXT | st.integers() | st.booleans() | st.none() | st.lists(TEXT, max_size=3), max_size=4
    )
)
def test_any_inputs_survive(inputs: dict[str, Any]) -> None:
    """Any inputs are read back unchanged."""
    record = StepRecord.intended("r", 1, "login", inputs, STARTED)
    assert StepRecord.from_json(record.to_json()).inputs == inputs
