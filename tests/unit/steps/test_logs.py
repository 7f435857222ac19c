"""Log lines of several copies, together and as they come."""

from __future__ import annotations

from ecr_widgets.model.services import ContainerLog
from ecr_widgets.steps.shared.logs import Follower, follow, merge
from tests.fakes.connections import FakeConnections


def test_copies_are_told_apart_in_a_merged_log() -> None:
    """Oldest first, though Layer0 gives the newest first; one container alone keeps its plain name."""
    logs = [ContainerLog("web", ("b1", "b2")), ContainerLog("web", ("a1",)), ContainerLog("side", ("s",))]
    assert [str(line) for line in merge(logs)] == ["side | s", "web | a1", "web-2 | b1", "web-2 | b2"]


def test_a_followed_log_gives_each_line_once(to: FakeConnections) -> None:
    """Copies are known again by what they said before, also where a new one joins in front or one is gone."""
    follower = Follower()
    a, b = ("start", "a1"), ("start", "b1")
    rounds = [
        [ContainerLog("web", a)],
        [ContainerLog("web", b[:1]), ContainerLog("web", (*a, "a2"))],
        [ContainerLog("web", b), ContainerLog("web", (*a, "a2"))],
        [ContainerLog("web", (*b, "b2"))],
    ]
    news = [[str(line) for line in follower.news(each)] for each in rounds]
    assert news == [
        ["web | start", "web | a1"],
        ["web | a2", "web-2 | start"],
        ["web-2 | b1"],
        ["web-2 | b2"],
    ]
    left = iter(rounds)
    over = iter([False, False, False, True])
    lines = list(follow(to.clock, lambda: next(left), lambda: next(over), timeout_s=60))
    assert [line.text for line in lines] == ["start", "a1", "a2", "start", "b1", "b2"]


def test_following_ends_at_its_deadline(to: FakeConnections) -> None:
    """A service has no end of its own."""
    logs = (ContainerLog("web", ("one",)),)
    assert len(list(follow(to.clock, lambda: logs, lambda: False, timeout_s=5))) == 1
