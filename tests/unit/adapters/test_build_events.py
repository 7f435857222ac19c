"""The output of BuildKit's client as progress and log."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ecr_widgets.adapters.build_events import BuildEvents
from ecr_widgets.ports import Progress

STEP = {"digest": "sha256:1", "name": "[2/2] RUN make", "started": "2026-11-26T08:00:00Z"}
SAID: list[dict[str, Any]] = [
    {"vertexes": [{"digest": "sha256:0", "name": "[internal] load metadata", "started": "x"}]},
    {"vertexes": [{"digest": "sha256:1", "name": "[2/2] RUN make"}]},
    {"vertexes": [STEP], "statuses": [{"id": "transferring context:", "current": 512, "vertex": "sha256:0"}]},
    {
        "logs": [
            {"vertex": "sha256:1", "stream": 1, "data": base64.b64encode(b"one\r\n\x1b[1mtwo}\n").decode()}
        ]
    },
    {"statuses": [{"id": "sha256:2", "current": 5, "total": 9}, {"id": "exporting", "current": 0}]},
    {"vertexes": [{**STEP, "error": "exit code: 1"}], "warnings": None, "logs": ["odd"], "statuses": 7},
]
FAILURE = [
    "------",
    " > [2/2] RUN make:",
    "------",
    "ERROR: failed to build: failed to solve: it did not work",
]


def heard(lines: list[str]) -> tuple[BuildEvents, list[Progress]]:
    seen: list[Progress] = []
    events = BuildEvents(seen.append)
    for line in lines:
        events.add_json(line)
    return events, seen


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_on_a_line_and_over_many_say_the_same(indent: int | None) -> None:
    """JSON events on one line or several give the same steps, output and bytes as progress, and the same log and error."""
    lines = [line for each in SAID for line in json.dumps(each, indent=indent).splitlines()]
    events, seen = heard(lines + FAILURE)
    assert [(each.what, each.message, each.done, each.total) for each in seen[:6]] == [
        ("build", "sending the context", None, None),
        ("build", "[2/2] RUN make", None, None),
        ("transferring context:", "transferring", 512, None),
        ("build", "one", None, None),
        ("build", "two}", None, None),
        ("sha256:2", "transferring", 5, 9),
    ]
    assert events.log == ("[2/2] RUN make", "one", "two}", *FAILURE)
    assert events.error == "it did not work"


def test_an_object_that_never_ends_hides_no_error() -> None:
    """If the client dies in the middle of a JSON object, its last line is still reported as the error."""
    events, _ = heard(['{"vertexes": [', "  {", "ERROR: the engine is gone"])
    assert events.error == "the engine is gone"


def test_text_of_an_older_client_is_taken_as_it_is() -> None:
    """Plain text loses its step numbers and times, and control characters are shown as escapes."""
    seen: list[Progress] = []
    events = BuildEvents(seen.append)
    for line in ("#5 [2/2] RUN make", "#5 0.312 one\x07", "", "error: failed to solve: exit code: 1"):
        events.add_plain(line)
    assert [each.message for each in seen[1:3]] == ["[2/2] RUN make", "one\\u0007"]
    assert events.error == "exit code: 1"


def test_while_nothing_is_said_the_last_is_told_again() -> None:
    """While the client is silent, the last progress is repeated, so that an observer can still stop the build."""
    seen: list[Progress] = []
    events = BuildEvents(seen.append)
    events.add_plain("#5 [2/2] RUN sleep")
    events.go_on()
    assert seen[-1] == seen[-2]


def test_what_was_said_last_is_the_reason_where_none_is_marked() -> None:
    """Without a line marked as an error, the last line of output is the reason."""
    events = BuildEvents(lambda _: None)
    assert events.error == ""
    events.add_plain("unexpected end")
    assert events.error == "unexpected end"
