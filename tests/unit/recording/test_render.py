"""Records as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.ports import Progress
from ecr_widgets.recording.render import brief_text, progress_text, to_html, to_text

STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
INTENDED = StepRecord.intended("run-1", 1, "push_image", {"tag": "1"}, STARTED)
PUSHED = INTENDED.succeeded({"digest": "sha256:ab"}, changed=True, ended_at=STARTED + timedelta(seconds=2))


def test_plain_text_tells_step_state_and_values() -> None:
    """The plain text names the step, its state, whether it changed anything, its inputs and its outcome."""
    assert to_text(PUSHED) == "✓ push_image succeeded in 2.0 s, changed: true\n  tag: 1\n  digest: sha256:ab"


def test_a_wait_shows_the_rollout_as_a_picture() -> None:
    """A wait's HTML shows old and new copies over time as a picture with alternative text; the plain text leaves them out."""
    outcome = {
        "deploy_id": "web.5",
        "desired_count": 2,
        "copies_by_s": [[0.0, 2, 0], [1.5, 1, 1], [4.0, 0, 2]],
    }
    record = replace(PUSHED, step="wait", outcome=outcome, changed=False)
    shown = to_html(record)
    assert 'src="data:image/svg+xml,' in shown
    assert "Running copies over 4 s: deploy web.5 from 0 to 2, others from 2 to 0" in shown
    assert "copies" not in to_text(record)
    assert "<img" not in to_html(replace(record, outcome={**outcome, "copies_by_s": []}))


def test_a_plan_has_a_sign_a_line() -> None:
    """A plan's HTML marks each difference with a sign instead of colour and escapes it; its text is unchanged."""
    lines = ["added /a: 1", "removed /b: <img src=x>", "changed /c: 1 → 2"]
    record = replace(PUSHED, outcome={"differences": lines, "warnings": ["mind the gap"]})
    assert re.findall("<b>([^<]*) </b>([a-z]+)", to_html(record)) == [
        ("+", "added"),
        ("−", "removed"),
        ("~", "changed"),
    ]
    assert "<img" not in to_html(record)
    assert "added /a: 1\n" in to_text(record)


def test_an_unchanged_step_says_so() -> None:
    """A step that changed nothing says that its result already existed, or after a deletion that it was already gone."""
    unchanged = replace(PUSHED, changed=False)
    assert "changed: false, it already existed" in to_text(unchanged)
    assert "changed: false, it was already gone" in to_text(replace(unchanged, step="delete_service"))
    assert "already" not in to_text(replace(unchanged, step="delete_images"))


def test_a_failed_step_shows_its_error_and_log() -> None:
    """Both forms show a failed step's error message and log lines."""
    failed = INTENDED.ended_badly(StepState.FAILED, {"message": "boom", "log": ["a", "b"]}, ended_at=STARTED)
    for form in (to_text(failed), to_html(failed)):
        assert "boom" in form
        assert re.search(r"a\n *b", form)


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</code><svg onload=alert(1)>"]
)
def test_html_escapes_everything_from_outside(hostile: str) -> None:
    """No value from outside can open a tag or leave an attribute."""
    record = replace(PUSHED, step=hostile, inputs={hostile: hostile}, outcome={"x": [hostile]})
    html = to_html(record, (Progress(hostile, hostile),))
    assert hostile not in html
    assert "<script" not in html
    assert "<img" not in html
    assert "<svg" not in html


def test_control_and_direction_characters_are_shown_not_sent() -> None:
    """Terminal escapes and bidirectional marks are shown as escapes."""
    shown = to_text(replace(PUSHED, inputs={"tag": "a\x1b[31mb\u202ec"}))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\u001b[31mb\\u202ec" in shown


def test_html_needs_no_style_sheet() -> None:
    """The HTML has no style element, class, id, position or script, which JupyterLab removes from untrusted outputs."""
    html = to_html(INTENDED, (Progress("layer", "pushing", 5, 10, "bytes"),))
    assert not any(banned in html for banned in ("<style", "class=", " id=", "position:", "<script"))


def test_progress_is_told_in_human_units() -> None:
    """Progress in bytes is shown in decimal units."""
    assert progress_text(Progress("1a2b", "pushing", 1_500_000, 3_000_000_000, "bytes")) == (
        "1a2b: pushing 1.5 MB of 3.00 GB"
    )


@pytest.mark.parametrize(
    "step", ["find_uses", "find_unused_images", "find_findings", "check_repository", "verify"]
)
def test_a_look_says_nothing_of_what_already_existed(step: str) -> None:
    """A step that only looks does not say that anything already existed."""
    told = to_text(replace(PUSHED, step=step, changed=False))
    assert told.startswith(f"✓ {step} succeeded")
    assert "already" not in told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"web": 0, "log": 1}, "web=0, log=1"),
        ({"a": "x" * 50, "b": "y" * 50}, f"a={'x' * 50}\nb={'y' * 50}"),
        ([{"a": 1, "b": ["x", "y"], "c": 3, "d": None, "e": 5}, {"a": 2}], "a=1, b=x; y, c=3, e=5\na=2"),
    ],
    ids=["few members", "long members", "a list of objects"],
)
def test_values_are_shown_a_line_each_where_they_are_long(value: object, shown: str) -> None:
    """A short value is shown on one line, a long one with an item per line; an object in a list stays on its line."""
    told = to_text(replace(PUSHED, inputs={}, outcome={"value": value}))
    lines = shown.split("\n")
    assert told.split("value:", 1)[1] == (
        f" {shown}" if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)
    )


@pytest.mark.parametrize(
    ("step", "changed", "said"),
    [
        ("push_image", True, "would change something"),
        ("push_image", False, "nothing to change"),
        ("verify", False, "only looks"),
    ],
)
def test_a_plan_says_what_its_steps_would_do(step: str, changed: object, said: str) -> None:
    """A plan says of each step whether it would change something, has nothing to change, or only looks."""
    planned = replace(
        INTENDED,
        step=step,
        outcome={"planned": True},
        changed=bool(changed),
        ended_at=STARTED + timedelta(seconds=1),
    )
    assert to_text(planned).splitlines()[0].endswith(f"{step} planned: {said}")


def test_warnings_are_shown_even_where_a_step_takes_one_line() -> None:
    """The one-line form of a step still shows its warnings."""
    text = to_text(replace(PUSHED, outcome={"deploy_id": "web.1", "warnings": ["drops /x", "drops /y"]}))
    assert brief_text(text).splitlines()[1:] == ["  ! drops /x", "  ! drops /y"]
