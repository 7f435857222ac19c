"""Rows 87 to 89 and 96 to 103: what Amazon ECS does to a deploy, by our adapter on the sandbox's ECS, without an engine."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    EcsError,
    OutcomeUnknown,
    TargetBusy,
    VerifyError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.recording.earlier import EarlierRecords
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import digest_of
from tests.faults.plan import Attempt, row
from tests.sandbox.ecs.adapted import HERE, Adapted, HurriedClock, adapted, release, until, write_document

CHANGES = ("RegisterTaskDefinition", "CreateService", "UpdateService", "RunTask", "StopServiceDeployment")
CONCURRENT = "Too many concurrent attempts to create a new revision of the specified family."
LONG_S = 3000.0
"""Of a hurried clock: five minutes."""


def naive_client(to: Adapted, *, attempts: int = 3) -> Any:
    """The SDK as scripts use it."""
    return to.way.session().client("ecs", config=Config(retries={"total_max_attempts": attempts}))


def raised(call: Callable[[], object]) -> BaseException | None:
    """What a call ended with; None where it ended well."""
    try:
        call()
    except (EcrWidgetsError, ClientError, BotoCoreError) as error:
        return error
    return None


def _moved_to_bad(to: Adapted, folder: Path) -> tuple[Kit, Any]:
    """A service that runs well and was just moved to a deploy whose containers end at once."""
    kit = to.kit(folder)
    release(kit, to.image("good"))
    stored = kit.create_deploy("web", "app.json", image=to.crashes("bad"), environment=HERE)
    return kit, kit.deploy_service(HERE, "web", stored)


def _run(kit: Kit, to: Adapted) -> None:
    """All five changes: a service is created, moved to a deploy that waits, and taken back; and a task."""
    for text in ("good", "other"):
        image = to.image(text)
        stored = kit.create_deploy("web", "app.json", image=image, environment=HERE)
        service = kit.deploy_service(HERE, "web", stored)
        if text == "good":
            kit.wait(service, timeout_s=LONG_S)
    kit.rollback(service, deploy_id="web:1", timeout_s=LONG_S)
    kit.create_task(HERE, "once", "web:1", wait=False)


def _lost(at: Attempt, *, naive: bool) -> None:
    operation = CHANGES[at.rng.randrange(len(CHANGES))]
    with adapted() as to:
        # The second deploy never gets ready, so that there is something to stop.
        to.way.served.containers.missing.add(str(to.image("other")))
        to.way.served.containers.pull_error = "CannotPullContainerError: 429 Too Many Requests"
        write_document(at.folder)
        to.way.lost.add(operation)
        if naive:
            to.way.lost.add("RegisterTaskDefinition")
            container = {"name": "app", "image": "app", "memory": 64}
            raised(
                lambda: naive_client(to).register_task_definition(
                    family="web", containerDefinitions=[container]
                )
            )
            assert to.way.changes() == ["RegisterTaskDefinition"], to.way.changes()
            return
        attempts: list[Any] = []
        for _ in range(2):
            recorder = Recorder("run-1", HurriedClock(), QuietSink(), earlier=EarlierRecords(attempts))
            error = raised(partial(_run, Kit(to, recorder, files=(at.folder,)), to))
            attempts.append(tuple(recorder.records))
            if error is None:
                break
            assert isinstance(error, OutcomeUnknown), f"{operation}: {error}"
        assert error is None, f"{operation}: {error}"
        made = Counter(to.way.changes())
        wanted = Counter(CHANGES) + Counter(["RegisterTaskDefinition"])
        assert made == wanted, f"{operation} was lost: {made}"


@row(
    87,
    "ECS: the reply to a change is lost: a revision, a service, an update, a task, a deployment that is stopped",
    tries=50,
    quick=2,
    control=lambda at: _lost(at, naive=True),
)
def lost(at: Attempt) -> None:
    """Exactly one of each, after a resume where it takes one; the SDK's own retry registers again."""
    _lost(at, naive=False)


FAILURES = (
    [{"reason": "RESOURCE:MEMORY"}],
    [{"reason": "AGENT", "arn": "arn:aws:ecs:us-east-1:111222333444:container-instance/demo/1"}],
    [{"reason": "Capacity is unavailable at this time. Please try again later or in a different zone"}],
    [],
)


def _failures(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit = to.kit(at.folder)
        stored = kit.create_deploy("web", "app.json", image=to.image("a"), environment=HERE)
        given = at.rng.choice(FAILURES)
        to.way.answers["RunTask"] = [(200, {"tasks": [], "failures": given})]
        if naive:
            error = raised(lambda: naive_client(to).run_task(cluster="demo", taskDefinition="web:1"))
            assert error is not None, "a task that was not started is taken for one that was"
            return
        error = raised(lambda: kit.create_task(HERE, "once", stored))
        assert isinstance(error, DeploymentFailed), error
        assert given[0]["reason"] in str(error) if given else "gave no reason" in str(error), error
        to.way.answers["DescribeServices"] = [(200, {"services": [], "failures": [{"reason": "ODD"}]})]
        error = raised(lambda: kit.deploy_service(HERE, "web", stored))
        assert isinstance(error, EcsError), f"{error}: what cannot be described is no service to be created"
        assert to.way.changes() == ["RegisterTaskDefinition"], to.way.changes()


@row(
    88,
    "ECS answers 200 with `failures`, or with nothing at all",
    tries=100,
    quick=4,
    control=lambda at: _failures(at, naive=True),
)
def failures(at: Attempt) -> None:
    """What was not started has failed, with the reason; what cannot be described is not taken for missing."""
    _failures(at, naive=False)


def _throttled(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit = to.kit(at.folder)
        throttled = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
        busy = (400, {"__type": "ClientException", "message": CONCURRENT})
        times = at.rng.randrange(1, 3)
        for operation in (*CHANGES[:3], "DescribeServices", "DescribeTasks", "ListTasks"):
            to.way.answers[operation] = [throttled] * times
        to.way.answers["RegisterTaskDefinition"] = [busy] * times
        if naive:
            container = {"name": "app", "image": "app", "memory": 64}
            error = raised(
                lambda: naive_client(to).register_task_definition(
                    family="web", containerDefinitions=[container]
                )
            )
            assert error is None, str(error)
            return
        release(kit, to.image("a"))
        assert to.way.changes() == ["RegisterTaskDefinition", "CreateService"], to.way.changes()


@row(
    89,
    "ECS refuses calls for their number: throttling, and too many who register a revision",
    tries=50,
    quick=1,
    control=lambda at: _throttled(at, naive=True),
)
def throttled(at: Attempt) -> None:
    """They are asked for again with pauses, and done once; the second kind no SDK repeats."""
    _throttled(at, naive=False)


def _looks_stable(to: Adapted) -> bool:
    """By the rule of `services-stable`: one deployment, and as many copies as wanted."""
    service = to.way.served.service()
    return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]


def _brought_back(at: Attempt, *, naive: bool) -> None:
    breaker = {
        "enable": True,
        "rollback": True,
        "thresholdConfiguration": {"type": "COUNT", "value": at.rng.randrange(1, 3)},
    }
    with adapted() as to:
        write_document(at.folder)
        settings = {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}
        (at.folder / "service.json").write_text(json.dumps(settings))
        kit = to.kit(at.folder)
        release(kit, to.image("good"), service_file="service.json")
        to.way.served.containers.missing.add(str(to.image("bad")))
        to.way.served.containers.pull_error = "CannotPullContainerError: 429 Too Many Requests"
        stored = kit.create_deploy("web", "app.json", image=to.image("bad"), environment=HERE)
        moved = kit.deploy_service(HERE, "web", stored)
        if naive:
            until(lambda: len(to.way.served.service()["deployments"]) > 1)
            until(lambda: _looks_stable(to))
            assert to.way.served.service()["taskDefinition"].endswith("web:2"), "it is stable on the old one"
            return
        if at.rng.random() < 0.5:
            until(lambda: _looks_stable(to))
        error = raised(lambda: kit.wait(moved, timeout_s=LONG_S))
        assert isinstance(error, DeploymentFailed), error
        assert "ECS brought it back to web:1: ECS deployment circuit breaker" in str(error), error


@row(
    96,
    "ECS's circuit breaker brings back what ran before, which runs well",
    tries=50,
    quick=1,
    control=lambda at: _brought_back(at, naive=True),
)
def brought_back(at: Attempt) -> None:
    """Never a success, also where nobody looked before it was over; the reason is the breaker's."""
    _brought_back(at, naive=False)


def _crash_loop(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit, moved = _moved_to_bad(to, at.folder)
        if naive:
            until(lambda: len(to.way.served.tasks(serviceName="web", desiredStatus="STOPPED")) > 1)
            failed = to.way.served.service()["deployments"][0]["failedTasks"]
            assert failed, "ECS counts no failed task"
            return
        error = raised(lambda: kit.wait(moved, timeout_s=LONG_S))
        assert isinstance(error, DeploymentFailed), error
        assert "app ended with code 1" in str(error), error
        back = kit.rollback(moved, after_failure=True, timeout_s=LONG_S)
        assert back.deploy_id == "web:1", back


@row(
    97,
    "ECS: a container without health check that ends again and again after it ran",
    tries=50,
    quick=1,
    control=lambda at: _crash_loop(at, naive=True),
)
def crash_loop(at: Attempt) -> None:
    """Its stopped tasks say it, with the exit code; ECS itself counts none of them."""
    _crash_loop(at, naive=False)


def _theirs(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit, moved = _moved_to_bad(to, at.folder)
        looks = at.rng.randrange(1, 4)

        def they_move() -> None:
            nonlocal looks
            looks -= 1
            if looks:
                to.way.before["ListTasks"] = they_move
            else:
                to.way.served.ask("UpdateService", cluster="demo", service="web", taskDefinition="web:1")

        if naive:
            looks = 1
            they_move()
            until(lambda: _looks_stable(to))
            assert to.way.served.service()["taskDefinition"].endswith("web:2"), "it is stable on theirs"
            return
        to.way.before["ListTasks"] = they_move
        error = raised(lambda: kit.wait(moved, timeout_s=LONG_S))
        assert isinstance(error, TargetBusy), error
        before = to.way.changes()
        error = raised(lambda: kit.rollback(moved, after_failure=True, timeout_s=LONG_S))
        assert to.way.changes() == before, "theirs was taken back"


@row(
    98,
    "ECS: somebody else deploys while a run waits",
    tries=50,
    quick=2,
    control=lambda at: _theirs(at, naive=True),
)
def theirs(at: Attempt) -> None:
    """Busy, and what they deployed is left alone, by the way back too."""
    _theirs(at, naive=False)


def _inactive(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit = to.kit(at.folder)
        for text in ("a", "b"):
            release(kit, to.image(text))
        to.way.served.ask("DeregisterTaskDefinition", taskDefinition="web:1")
        if naive:
            client = naive_client(to)
            error = raised(
                lambda: client.update_service(cluster="demo", service="web", taskDefinition="web:1")
            )
            assert error is None, str(error)
            return
        error = raised(lambda: kit.deploy_service(HERE, "web", "web:1"))
        assert isinstance(error, EcsError), error
        assert "TaskDefinition is inactive" in str(error), error
        back = kit.rollback(kit.find_service(HERE, "web"), deploy_id="web:1", timeout_s=LONG_S)
        assert (back.deploy_id, back.stored_again) == ("web:3", "web:1"), back


@row(
    99,
    "ECS: the revision to go back to was deregistered by another tool",
    tries=50,
    quick=1,
    control=lambda at: _inactive(at, naive=True),
)
def inactive(at: Attempt) -> None:
    """Its document is registered again; a plain deploy of it is refused and changes nothing."""
    _inactive(at, naive=False)


def _two_register(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        image, busy = to.image("a"), (400, {"__type": "ClientException", "message": CONCURRENT})
        # Either is refused once while the other is at it.
        to.way.answers["RegisterTaskDefinition"] = [busy] * at.rng.randrange(1, 3)
        stored: list[str] = []
        errors: list[BaseException] = []

        def register(run_id: str) -> None:
            try:
                if naive:
                    container = {"name": "app", "image": "app", "memory": 64}
                    naive_client(to).register_task_definition(family="web", containerDefinitions=[container])
                else:
                    kit = to.kit(at.folder, run_id)
                    made = kit.create_deploy("web", "app.json", image=image, environment=HERE)
                    stored.append(made.deploy_id)
            except (EcrWidgetsError, ClientError) as error:
                errors.append(error)

        runs = [threading.Thread(target=register, args=(f"run-{number}",)) for number in (1, 2)]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        assert not errors, str(errors[0])
        images = {
            BotoEcs(HurriedClock(), to.way.session()).read_deploy(each).dockerrun for each in set(stored)
        }
        assert all(str(image).encode() in (each or b"") for each in images)
        assert len(to.way.changes()) == len(set(stored)), to.way.changes()
        again = to.kit(at.folder, "run-3").create_deploy("web", "app.json", image=image, environment=HERE)
        assert not again.changed, again


@row(
    100,
    "ECS: two runs register a revision of one family at once",
    tries=50,
    quick=2,
    control=lambda at: _two_register(at, naive=True),
)
def two_register(at: Attempt) -> None:
    """Both end with a revision of what they meant, at most one each; the next run uses it again."""
    _two_register(at, naive=False)


def _moved_tag(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit = to.kit(at.folder)
        pushed, moved = to.image("pushed"), to.image("moved")
        to.way.served.containers.tags[str(pushed)] = str(moved)
        error = raised(lambda: release(kit, pushed))
        if naive:
            # The document says what was pushed.
            (container,) = to.way.served.ask("DescribeTaskDefinition", taskDefinition="web")[
                "taskDefinition"
            ]["containerDefinitions"]
            assert container["image"] != str(pushed), "the definition names what was pushed"
            return
        assert isinstance(error, VerifyError), error
        assert f"runs {digest_of('moved')}, not {digest_of('pushed')}" in str(error), error


@row(
    101,
    "ECS resolves an image to another digest than the one that was pushed",
    tries=20,
    quick=1,
    control=lambda at: _moved_tag(at, naive=True),
)
def moved_tag(at: Attempt) -> None:
    """What the tasks report decides; the task definition alone names the right one."""
    _moved_tag(at, naive=False)


def _stopped(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        write_document(at.folder)
        kit = to.kit(at.folder)
        stored = kit.create_deploy("web", "app.json", image=to.image("a"), environment=HERE)

        def stop_all() -> None:
            for each in to.way.served.ask("ListTasks", cluster="demo")["taskArns"]:
                to.way.served.ask("StopTask", cluster="demo", task=each, reason="Host is retired")

        if naive:
            client = naive_client(to)
            (task,) = client.run_task(cluster="demo", taskDefinition="web:1")["tasks"]
            stop_all()
            pace = {"Delay": 0, "MaxAttempts": 1000}
            client.get_waiter("tasks_stopped").wait(
                cluster="demo", tasks=[task["taskArn"]], WaiterConfig=pace
            )
            raise AssertionError("a task that was stopped has stopped, and nothing more is asked")
        to.way.before["DescribeTasks"] = stop_all
        error = raised(lambda: kit.create_task(HERE, "once", stored))
        assert isinstance(error, DeploymentFailed), error
        assert "Host is retired" in str(error), error
        service = kit.deploy_service(HERE, "web", stored)
        for _ in range(at.rng.randrange(3, 5)):
            until(lambda: to.way.served.tasks(serviceName="web"))
            stop_all()
        assert kit.wait(service, timeout_s=LONG_S).running_count == 1


@row(
    102,
    "ECS: tasks are stopped for no fault of theirs",
    tries=30,
    quick=1,
    control=lambda at: _stopped(at, naive=True),
)
def stopped(at: Attempt) -> None:
    """A task of its own has failed, with the reason; a service's copies are no crash loop."""
    _stopped(at, naive=False)


def _no_log(at: Attempt, *, naive: bool) -> None:
    with adapted() as to:
        exists = at.rng.random() < 0.5 and not naive
        options = {
            "awslogs-group": "/ecs/demo" if exists else "/ecs/none",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "web",
        }
        log = {"logDriver": "awslogs", "options": options}
        write_document(at.folder, container={"logConfiguration": log})
        kit = to.kit(at.folder)
        missing = (400, {"__type": "ResourceNotFoundException", "message": "The log stream does not exist."})
        to.way.answers["GetLogEvents"] = [missing] * 100
        if naive:
            to.way.served.define("web", container={"logConfiguration": log})
            given = {"serviceName": "web", "taskDefinition": "web", "desiredCount": 1}
            to.way.served.ask("CreateService", cluster="demo", **given)
            until(lambda: to.way.served.tasks(serviceName="web", desiredStatus="STOPPED"))
            logs = to.way.session().client("logs")
            error = raised(lambda: logs.get_log_events(logGroupName="/ecs/none", logStreamName="web/app/1"))
            assert error is None, f"all that is known is {error}"
            return
        error = raised(lambda: release(kit, to.crashes("bad", 3)))
        assert isinstance(error, DeploymentFailed), error
        why = "ended with code 3" if exists else "The specified log group does not exist"
        assert why in str(error), error


@row(
    103,
    "ECS: the log group, or a log stream, is missing",
    tries=40,
    quick=2,
    control=lambda at: _no_log(at, naive=True),
)
def no_log(at: Attempt) -> None:
    """The reason is the task's own, and no reading of logs hides it."""
    _no_log(at, naive=False)
