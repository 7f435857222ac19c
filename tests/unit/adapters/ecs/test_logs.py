"""Log lines from CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from tests.fakes import NOW
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import AT, WEB, dead, definition, task
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws

TASK = ADDRESS.task("demo", "1f")
PREFIXED = {"awslogs-group": "/ecs/demo", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"}


def lines(*texts: str, back: str = "b", forward: str = "f") -> dict[str, Any]:
    events = [{"timestamp": 1000 * n, "message": text} for n, text in enumerate(texts)]
    return {"events": events, "nextBackwardToken": back, "nextForwardToken": forward}


@pytest.fixture
def ended(aws: ScriptedAws) -> ScriptedAws:
    """A task whose container logs to CloudWatch."""
    aws.answer("DescribeTasks", {"tasks": [task(status="STOPPED")]})
    aws.answer("DescribeTaskDefinition", definition(log=PREFIXED))
    aws.answer("GetLogEvents", lines())
    return aws


def test_the_last_lines_are_asked_for(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """The last lines come from the stream in the container's options, each with its time and its task."""
    ended.answer("GetLogEvents", lines("one", "two"))
    web, side = ecs.task_logs(TASK, tail=2)
    assert (web.name, web.lines, web.copy_id) == ("web", ("one", "two"), TASK)
    assert web.times == (datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(1, UTC))
    assert (side.name, side.lines) == ("side", ("its log goes to splunk",))
    assert ended.asked_for("GetLogEvents") == [
        {"logGroupName": "/ecs/demo", "logStreamName": "web/web/1f", "startFromHead": False, "limit": 2}
    ]


def test_more_lines_than_a_page_holds_are_put_together(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """Pages are read backwards, over empty ones, to the number of lines wanted or until a token repeats."""
    ended.answer("GetLogEvents", lines("c", "d", back="1"), lines(back="2"), lines("a", "b", back="3"))
    assert ecs.task_logs(TASK, tail=3)[0].lines == ("b", "c", "d")
    ended.answer("GetLogEvents", lines("d", back="1"), lines(back="1"))
    assert ecs.task_logs(TASK, tail=3)[0].lines == ("d",)


def test_all_lines_are_read_from_the_head(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """All lines are read forwards to the end of the stream, and the window includes its end time."""
    ended.answer("GetLogEvents", lines("a", forward="1"), lines("b", forward="2"), lines(forward="2"))
    assert ecs.task_logs(TASK, start=NOW, end=NOW)[0].lines == ("a", "b")
    asked = ended.asked_for("GetLogEvents")
    assert [each.get("nextToken") for each in asked] == [None, "1", "2"]
    assert (asked[0]["startTime"], asked[0]["endTime"]) == (int(AT * 1000), int(AT * 1000) + 1)
    assert asked[0]["startFromHead"] is True


@pytest.mark.parametrize("what", ["group", "stream"])
def test_a_log_that_does_not_exist_has_no_lines(ended: ScriptedAws, ecs: BotoEcs, what: str) -> None:
    """A log group or stream that does not exist yields no lines: a container that printed nothing has no stream yet."""
    missing = Refused("ResourceNotFoundException", f"The specified log {what} does not exist.")
    ended.answer("GetLogEvents", missing)
    assert [each.name for each in ecs.task_logs(TASK, tail=5)] == ["side"]


def test_who_may_not_read_a_log_is_told_so(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """If reading a log is forbidden, a line that says so takes the place of the container's lines."""
    ended.answer("GetLogEvents", Refused("AccessDeniedException", "no"))
    (line,) = ecs.task_logs(TASK, tail=5)[0].lines
    assert line.startswith("its log group /ecs/demo cannot be read: AWS refused logs:GetLogEvents")


def test_without_a_prefix_the_stream_is_the_containers_id(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """Without a stream prefix, the stream is named after the container's Docker id."""
    options = {name: value for name, value in PREFIXED.items() if "prefix" not in name}
    ended.answer("DescribeTaskDefinition", definition(log=options))
    ecs.task_logs(TASK, tail=1)
    assert ended.asked_for("GetLogEvents")[0]["logStreamName"] == "c0ffee"


def test_a_container_without_a_driver_says_where_its_log_is(ended: ScriptedAws, ecs: BotoEcs) -> None:
    """A container without a log driver yields a line that says so, instead of no lines."""
    ended.answer("DescribeTaskDefinition", definition())
    assert ecs.task_logs(TASK)[0].lines == ("its log stays where it runs: no log driver is set",)


@pytest.fixture
def crashing(ended: ScriptedAws) -> ScriptedAws:
    """A service whose two copies died."""
    crashed = [dead(number, "", "", at=AT + int(number)) for number in ("2", "1")]
    ended.answer("ListTasks", {"taskArns": ["x"]})
    ended.answer("DescribeTasks", {"tasks": crashed})
    ended.answer("GetLogEvents", lines("last words"), lines())
    return ended


def test_what_crashed_last_is_asked_for_its_last_lines(crashing: ScriptedAws, ecs: BotoEcs) -> None:
    """The last lines of a crash are those of the given deployment's last stopped copy, and none if no copy of it stopped."""
    web, _ = ecs.crash_logs(WEB, "ecs-svc/2", tail=20)
    assert (web.copy_id, web.lines) == (ADDRESS.task("demo", "2"), ("last words",))
    assert ecs.crash_logs(WEB, "ecs-svc/1", tail=20) == ()


def test_the_last_lines_are_of_a_copy_that_ended_by_itself(crashing: ScriptedAws) -> None:
    """A copy that crashed is preferred to one that the scheduler stopped later, which is used only if there is no other."""
    crashed = dead("1", "EssentialContainerExited", "Essential container in task exited", at=AT)
    stopped = dead("2", "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment)", at=AT + 1)
    for tasks, number in (([stopped, crashed], "1"), ([stopped], "2")):
        crashing.answer("DescribeTasks", {"tasks": tasks})
        ecs = crashing.ecs()
        assert ecs.crash_logs(WEB, "ecs-svc/2", tail=20)[0].copy_id == ADDRESS.task("demo", number)


def test_a_services_log_is_that_of_its_copies(crashing: ScriptedAws, ecs: BotoEcs) -> None:
    """A service's log has its running copies and those that ended in the requested time, each under its id."""
    dying = {"tasks": [dead("2", "", "", at=AT + 60), dead("1", "", "", at=AT)]}
    crashing.answer("GetLogEvents", lines("a word"))
    crashing.answer("DescribeTasks", {"tasks": [task("7"), task("8")]}, dying)
    logs = ecs.service_logs(WEB, tail=1, start=NOW + timedelta(seconds=30))
    assert [each.copy_id.rpartition("/")[2] for each in logs if each.name == "web"] == ["2", "7", "8"]


def test_where_no_copy_runs_the_last_one_speaks(crashing: ScriptedAws, ecs: BotoEcs) -> None:
    """When no copy runs, as between two crashes, the log is that of the copy that died last."""
    crashing.answer("ListTasks", {}, {"taskArns": ["x"]})
    logs = ecs.service_logs(WEB, tail=1)
    assert [each.copy_id.rpartition("/")[2] for each in logs if each.name == "web"] == ["2"]
