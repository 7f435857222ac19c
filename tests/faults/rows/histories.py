"""Part E over time: histories of deploys, deaths, lost replies, rollbacks and strangers, against the server's journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import OutcomeUnknown, RollbackFailed
from ecr_widgets.kit import Kit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.settings import Layer0Settings
from ecr_widgets.steps.deploy_service import ServiceOutcome
from tests.fakes import FakeClock, World, digest_of
from tests.fakes.connections import FakeConnections
from tests.faults.plan import batch, leaving_sockets
from tests.sandbox.layer0.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

STEPS = 50
_PART = 40
Fault = tuple[str, int]
"""What happens at which change of a run, counted from 1."""
NONE: Fault = ("none", 0)


class Died(BaseException):
    """The run's process is killed: nothing of it goes on, and nothing catches this."""


class QuickClock(FakeClock):
    """Its own time runs ahead, and the server gets a moment of the real one."""

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s)
        sleep(min(duration_s, 0.02))


class Spoilt:
    """Changes on their way to Layer0: one dies before or after, or loses its request or its reply."""

    def __init__(self, change: Callable[..., Any]) -> None:
        self._change = change
        self.fault: Fault = NONE
        self._number = 0

    def arm(self, fault: Fault) -> None:
        """The next run has this fault."""
        self.fault, self._number = fault, 0

    def __call__(self, *args: Any, **more: Any) -> Any:
        self._number += 1
        kind = self.fault[0] if self._number == self.fault[1] else "none"
        if kind == "dies before":
            raise Died
        if kind == "request lost":
            raise OutcomeUnknown("the line broke")
        answer = self._change(*args, **more)
        if kind == "dies after":
            raise Died
        if kind == "reply lost":
            raise OutcomeUnknown("the line broke")
        return answer


FAULTS = st.one_of(
    st.just(NONE),
    st.tuples(
        st.sampled_from(("dies before", "dies after", "request lost", "reply lost")), st.integers(1, 2)
    ),
)


class History(RuleBasedStateMachine):
    """One service and one name of deploys; the model is what must stand, or may stand after a death."""

    served: Served
    journal: list[dict[str, Any]]
    blind = False
    names = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.name = f"h{next(self.names)}x"
        self.to = FakeConnections(World())
        self.to.clock = QuickClock(World())
        self.api = Layer0Api(Layer0Settings(self.served.url, self.served.token))
        self.spoilt = Spoilt(self.api._transport.change)
        self.api._transport.change = self.spoilt  # type: ignore[method-assign]
        if self.blind:
            self.api.list_deploys = lambda _: ()  # type: ignore[method-assign]
        self.to.layer0 = self.api  # type: ignore[assignment]
        self.folder = TemporaryDirectory(prefix="ft-")
        self.wanted: int | None = None
        self.may_stand: set[str | None] = {None}
        """Deploy ids on one of which the service must stand; more than one after a death or a lost request."""
        self.ids: dict[int, str] = {}
        self.contents: dict[str, str] = {}
        self.before: ServiceOutcome | None = None
        self.runs = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def kit(self) -> Kit:
        """A run of its own: nothing is known but what stands outside."""
        self.runs += 1
        return Kit(self.to, Recorder(f"run-{self.runs}", self.to.clock, QuietSink()), files=())

    def release(self, content: int) -> ServiceOutcome:
        """Store the content and bring the service to it."""
        path = Path(self.folder.name) / f"{content}.json"
        container = {"name": "a", "image": "x", "memory": 10 + content}
        path.write_text(json.dumps({"containerDefinitions": [container]}))
        kit = self.kit()
        image = f"registry.test/app@{digest_of('one image')}"
        stored = kit.create_deploy(self.name, path, image=image)
        assert self.ids.setdefault(content, stored.deploy_id) == stored.deploy_id, "stored twice"
        return kit.deploy_service("demo", self.name, stored)

    @rule(content=st.integers(0, 2), fault=FAULTS)
    def deploy(self, content: int, fault: Fault) -> None:
        """A run that may die or lose a line."""
        self.spoilt.arm(fault)
        standing = set(self.may_stand)
        self.wanted, self.before = content, None
        try:
            self.before = self.release(content)
        except (Died, OutcomeUnknown):
            self.may_stand = standing | {self.ids.get(content, "new")}
        else:
            self.may_stand = {self.ids[content]}
        finally:
            self.spoilt.arm(NONE)

    @precondition(lambda self: self.wanted is not None)
    @rule()
    def run_again(self) -> None:
        """The last run once more, with nothing in its way, and then once more again."""
        assert self.wanted is not None
        self.before = self.release(self.wanted)
        self.may_stand = {self.ids[self.wanted]}
        told = len(self.journal)
        assert not self.release(self.wanted).changed
        assert len(self.journal) == told, f"a run that had nothing to do: {self.journal[told:]}"

    @precondition(lambda self: self.before is not None and self.before.previous_deploy_id is not None)
    @rule(fault=FAULTS)
    def roll_back(self, fault: Fault) -> None:
        """Back to the deploy before; where the reply is lost, the look tells."""
        assert self.before is not None
        previous, standing = self.before.previous_deploy_id, set(self.may_stand)
        self.spoilt.arm(fault)
        try:
            with suppress(RollbackFailed):
                self.kit().rollback(self.before, timeout_s=20)
                standing = set()
        except Died:
            pass
        finally:
            self.spoilt.arm(NONE)
        self.may_stand = standing | {previous}
        self.before = None

    @precondition(lambda self: len(self.ids) > 1 and None not in self.may_stand)
    @rule(content=st.sampled_from((0, 1, 2)))
    def stranger(self, content: int) -> None:
        """Somebody else moves the service, past all locks."""
        deploy_id = self.ids.get(content)
        found = self.standing()
        if deploy_id is not None and found is not None:
            self.served.value("PUT", f"/service/{found[0]}/deploy", deploy_id=deploy_id)
            self.may_stand, self.before = {deploy_id}, None

    def standing(self) -> tuple[str, str | None] | None:
        """The service's id and the deploy that it stands on."""
        environment = self.api.find_environment("demo")
        assert environment is not None
        found = self.api.find_service(environment.environment_id, self.name)
        return (
            None if found is None else (found.service_id, found.primary.deploy_id if found.primary else None)
        )

    @invariant()
    def journal_agrees(self) -> None:
        """One deploy a content and one service, each asked for once; the service stands where the model says."""
        done = [each for each in self.journal if each["status"] in (200, 202)]
        posts = [each for each in done if each["method"] == "POST"]
        deploys = [e["deploy_id"] for e in posts if e.get("deploy_id", "").startswith(f"{self.name}.")]
        services = [e for e in posts if e.get("service_id", "").startswith(self.name)]
        for each in deploys:
            # What a deploy holds never changes, so it is read once.
            if each not in self.contents:
                self.contents[each] = str(self.served.value("GET", f"/deploy/{each}")["dockerrun"])
        contents = self.contents.values()
        assert len(set(contents)) == len(contents), f"{len(deploys)} deploys of fewer contents"
        assert len(services) <= 1, f"{len(services)} services"
        found = self.standing()
        now = found[1] if found else None
        # A deploy whose run died has an id that nobody was told of.
        new = set(deploys) - set(self.ids.values()) if "new" in self.may_stand else set()
        assert now in self.may_stand | new, f"{now} stands, not one of {self.may_stand}"


@contextmanager
def _histories(*, blind: bool) -> Iterator[type[History]]:
    journal: list[dict[str, Any]] = []
    with serve(FakeContainers(), journal=journal.append) as served:

        class Here(History):
            """On this server."""

        Here.served, Here.journal, Here.blind = served, journal, blind
        yield Here


def _failing(tries: int, number: int, *, blind: bool) -> str:
    """What a history came to that disagrees with the journal; empty where none does."""
    with leaving_sockets(), _histories(blind=blind) as machine:
        how = settings(
            max_examples=tries,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=False,
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            # Each history takes seconds: the first that fails is told as it is.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(seed(number)(machine), settings=how)
        except AssertionError as error:
            return "\n".join([str(error), *getattr(error, "__notes__", ())]) or "an assertion without a word"
    return ""


@batch(
    63,
    f"histories of up to {STEPS} deploys, deaths, lost requests and replies, reruns, rollbacks and strangers",
    tries=2000,
    quick=1,
)
def histories(tries: int, seed: int) -> tuple[int, int, str]:
    """By the server's journal one deploy a content, one service, and it stands on what the model says."""
    # A server for some: what many histories leave there would have to be listed by each that comes after.
    parts = [_failing(min(_PART, tries - at), seed + at, blind=False) for at in range(0, tries, _PART)]
    wrong = [each for each in parts if each]
    sensed = _failing(3, seed, blind=True)
    told = f"{wrong[0][:600]}; " if wrong else ""
    return len(wrong), int(bool(sensed)), f"{told}control: {sensed[:80]}"
