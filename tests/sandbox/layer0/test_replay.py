"""The recordings of a real Layer0, asked of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sandbox.layer0.fake_containers import FakeContainers
from tests.sandbox.layer0.replay import RECORDINGS, Exchange, Replay, exchanges
from tests.sandbox.layer0.served import serve

DELIBERATE: list[tuple[str, str, str]] = []


def is_deliberate(exchange: Exchange, difference: str) -> bool:
    return any(
        re.search(call, exchange.call) and re.search(what, difference) for call, what, _ in DELIBERATE
    )


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda each: each.stem)
def test_a_recording_gets_the_same_answers(recording: Path) -> None:
    """Status, shape, values and errors are the real server's, but for the listed differences."""
    unexpected = []
    with serve(FakeContainers(), standing=()) as served:
        replay = Replay(served)
        for exchange in exchanges(recording):
            unexpected += [
                f"{exchange.command}: {exchange.call}: {difference}"
                for difference in replay.differences(exchange)
                if not is_deliberate(exchange, difference)
            ]
    assert unexpected == []
