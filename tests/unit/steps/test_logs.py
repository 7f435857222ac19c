"""Log lines of several copies, merged and followed."""

from __future__ import annotations

from datetime import timedelta

from ecr_widgets.model.services import ContainerLog
from ecr_widgets.steps.shared.logs import Follower, follow, merge
from tests.fakes import NOW
from tests.fakes.connections import FakeConnections


def test_copies_are_told_apart_in_a_merged_log() -> None:
    """Copies with the same container name are numbered in a merged log, the oldest first."""
    logs = [ContainerLog("web", ("b1", "b2")), ContainerLog("web", ("a1",)), ContainerLog("side", ("s",))]
    assert [str(line) for line in merge(logs)] == ["[side] s", "[web] a1", "[web-2] b1", "[web-2] b2"]


def test_copies_whose_lines_have_times_are_merged_by_them() -> None:
    """Lines with times are merged by time, and each copy keeps its number while the log is followed."""

    def log(copy_id: str, *seconds: int) -> ContainerLog:
        times = tuple(NOW + timedelta(seconds=each) for each in seconds)
        return ContainerLog("web", tuple(f"{copy_id}{each}" for each in seconds), copy_id, times)

    follower = Follower()
    assert [line.text for line in follower.news([log("b", 2, 4), log("a", 1, 3)])] == ["a1", "b2", "a3", "b4"]
    later = follower.news([log("b", 2, 4, 6), log("a", 1, 3, 5)])
    assert [str(line) for line in later] == ["[web] a5", "[web-2] b6"]


def test_times_at_the_beginnings_of_lines_count_where_the_target_tells_none() -> None:
    """Without times from the target, those at the start of lines are used; a line without one stays below the one before."""
    logs = [
        ContainerLog("web", ("2026-11-23T17:00:02Z b", "[2026-11-23 17:00:04,5] B")),
        ContainerLog("web", ("starting", "2026-11-23T18:00:01+01:00 a", "  of a", "2026-11-23T17:00:03 A")),
    ]
    assert [line.text.strip()[-1] for line in merge(logs)] == ["g", "a", "a", "b", "A", "B"]


def test_a_copy_that_tells_no_times_does_not_put_the_others_out_of_order() -> None:
    """A copy without times comes first, and the others are still merged by time."""
    logs = [
        ContainerLog("web", ("2026-11-23T17:00:02Z b", "2026-11-23T17:00:04Z d")),
        ContainerLog("web", ("starting", "refused")),
        ContainerLog("web", ("2026-11-23T17:00:01Z a", "2026-11-23T17:00:03Z c")),
    ]
    assert [line.text.rpartition(" ")[2] for line in merge(logs)] == [
        "starting",
        "refused",
        "a",
        "b",
        "c",
        "d",
    ]


def test_a_followed_log_gives_each_line_once(to: FakeConnections) -> None:
    """A followed log shows each line once, also when copies come and go."""
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
        ["[web] start", "[web] a1"],
        ["[web] a2", "[web-2] start"],
        ["[web-2] b1"],
        ["[web-2] b2"],
    ]
    left = iter(rounds)
    over = iter([False, False, False, True])
    lines = list(follow(to.clock, lambda: next(left), lambda: next(over), timeout_s=60))
    assert [line.text for line in lines] == ["start", "a1", "a2", "start", "b1", "b2"]


def test_following_ends_at_its_deadline(to: FakeConnections) -> None:
    """Following a service's log ends at its deadline."""
    logs = (ContainerLog("web", ("one",)),)
    assert len(list(follow(to.clock, lambda: logs, lambda: False, timeout_s=5))) == 1
