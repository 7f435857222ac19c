"""Part M: runs of several hosts in one bucket, on a real S3 server."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import cycle
from typing import Any
from unittest.mock import patch

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.audit.day_files import compact
from ecr_widgets.audit.index import Index
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.seal import seal_finished_run
from ecr_widgets.audit.store_seals import StoreSeals
from ecr_widgets.errors import Replaced
from ecr_widgets.model.bucket_path import BucketPath
from tests.audit.runs import recorded
from tests.buckets import Buckets, seaweed
from tests.faults.plan import Attempt, CannotRunHere, row
from tests.faults.proxies import Asked, Behaviour, Do, proxy, refused
from tests.hosts import BIN, LEASE_S, Host, can_be_named, environ_of, hosts
from tests.notebooks.engine_runs import write_runbook

HOSTS = 4
COUNT = "open('count', 'a').write('x')"
COUNT_UNLESS_PLANNED = f"import os\nif 'ECR_WIDGETS_PLAN' not in os.environ: {COUNT}"
# Reads what is there, waits, and writes one more: what another writes in between would be lost.
CHANGER = """
import os, sys, time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from ecr_widgets.adapters import s3_store
from ecr_widgets.adapters.locks import Holder
from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.adapters.s3_leases import S3Leases, S3Locks
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.steps.shared.targets import Targets
service, place, name, guard, pause_s, wait_s, ttl_s = sys.argv[1:]
if guard == "own clock":
    s3_store.parsedate_to_datetime = lambda _: datetime.now(UTC)
leases = S3Leases(bucket_store(BucketPath.parse(place)), Holder(name, name, os.getpid()), ttl_s=float(ttl_s))
targets = Targets(S3Locks(leases, wait_s=float(wait_s)), name)
print("ready", flush=True); sys.stdin.readline()
try:
    with targets.hold("service") if guard != "none" else nullcontext() as held:
        current = Path(service).read_text().split() if Path(service).exists() else []
        print("held", flush=True)
        if pause_s == "until asked":
            sys.stdin.readline()
        else:
            time.sleep(float(pause_s))
        if guard not in ("none", "unasked"):
            held.refuse_lost()
        Path(service).write_text(" ".join([*current, name]))
        print("changed", flush=True)
except EcrWidgetsError as error:
    print(type(error).__name__, error, flush=True)
"""


@cache
def server() -> Buckets:
    """One for all rows of a process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(seaweed())


class Changer:
    """A process on a host that changes the service once it is told to."""

    def __init__(
        self, host: Host, guard: str, *, pause: str = "0.02", wait_s: float = 90, **environ: str
    ) -> None:
        self.host = host
        self.process = host.popen(
            [
                *(sys.executable, "-c", CHANGER, str(host.checkout / "service"), str(host.place), host.name),
                *(guard, pause, str(wait_s), str(LEASE_S)),
            ],
            **environ,
        )
        self.expect("ready")

    def expect(self, word: str) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(word), line

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        out, _ = self.process.communicate(timeout=120)
        return out


@contextmanager
def changers(
    at: Attempt, guard: str, count: int, environs: Sequence[Mapping[str, str]] = ({},), **more: Any
) -> Iterator[list[Changer]]:
    """Hosts with such a process each.

    Args:
        environs: Variables of their environments, one host after the other and from the beginning again.
    """
    with (
        hosts(server(), at.folder, *(f"host-{n}" for n in range(count))) as made,
        ThreadPoolExecutor(count) as pool,
    ):
        pairs = zip(made, cycle(environs), strict=False)
        yield list(pool.map(lambda pair: Changer(pair[0], guard, **more, **pair[1]), pairs))


def changes(at: Attempt) -> list[str]:
    service = at.folder / "checkout" / "service"
    return service.read_text().split() if service.exists() else []


def contested(at: Attempt, *, guard: str, environs: Sequence[Mapping[str, str]] = ({},)) -> None:
    with changers(at, guard, HOSTS, environs, pause="0.3") as started:
        for each in started:
            each.go()
        said = [each.end() for each in started]
    assert sorted(changes(at)) == [f"host-{n}" for n in range(HOSTS)], (changes(at), said)


@row(
    110,
    "S3: hosts with homes and networks of their own change one service at once: each change is there, none is lost",
    tries=50,
    quick=1,
    control=partial(contested, guard="none"),
)
def contested_by_hosts(at: Attempt) -> None:
    """Four hosts at a time; the control holds nothing."""
    contested(at, guard="asked")


def asleep(at: Attempt, *, guard: str) -> None:
    with changers(at, guard, 2, pause="1") as (one, other):
        one.go()
        one.expect("held")
        one.process.send_signal(signal.SIGSTOP)
        other.go()
        other.expect("held")
        said = other.end()
        one.process.send_signal(signal.SIGCONT)
        woken = one.end()
    assert "changed" in said, said
    assert changes(at) == ["host-1"], changes(at)
    assert woken.startswith("TargetBusy"), woken
    assert "host-1" in woken, woken


@row(
    111,
    "S3: a holder is stopped past its lease, another changes the service, the first goes on: it changes nothing",
    tries=20,
    quick=1,
    control=partial(asleep, guard="unasked"),
)
def stopped_past_its_lease(at: Attempt) -> None:
    """It says who has it; the control does not ask before its change, as with a lock that nobody can lose."""
    asleep(at, guard="asked")


def killed(at: Attempt, *, wait_s: float) -> None:
    with changers(at, "asked", 2, pause="1", wait_s=wait_s) as (one, other):
        one.go()
        one.expect("held")
        one.host.die()
        other.go()
        said = other.end()
    assert said.split() == ["held", "changed"], said
    assert changes(at) == ["host-1"]


@row(
    112,
    "S3: a holder is killed: another host has the service once the lease is over, and not before",
    tries=20,
    quick=1,
    control=partial(killed, wait_s=0),
)
def killed_holder(at: Attempt) -> None:
    """The control does not wait that long, and is told who holds it."""
    killed(at, wait_s=60)


def saved(place: BucketPath) -> list[dict[str, Any]]:
    store = server().store(place)
    return [json.loads(content) for content in store.contents(store.names())]


def through_proxy(at: Attempt, behave: Behaviour) -> None:
    upstream = server().url.removeprefix("http://")
    with (
        proxy(upstream, behave) as line,
        hosts(server(), at.folder, "host", url=f"http://{line.host}") as (host,),
    ):
        write_runbook(host.checkout, [COUNT, "print('one')", "print('two')"])
        told = host.run("book.ipynb")
    assert "unsealed" not in told, told
    [one] = saved(host.place)
    assert one["metadata"]["ecr_widgets"]["state"] == "succeeded"
    assert (host.checkout / "count").read_text() == "x"
    assert len(list(server().store(host.place).names(prefix="seals/"))) == 1


def every_put_loses_its_reply() -> Behaviour:
    """Each name's first put of a content is done, and nobody hears of it."""
    seen: set[str] = set()

    def behave(asked: Asked) -> Do:
        sent = f"{asked.target} {asked.headers.get('x-amz-meta-ecr-widgets-nonce')}"
        if asked.method != "PUT" or sent in seen:
            return Do.PASS
        seen.add(sent)
        return Do.LOST_REPLY

    return behave


def takes_none_for_its_own(_: S3Store, name: str, nonce: str) -> Any:
    raise Replaced(name)


def lost_replies_without_nonce(at: Attempt) -> None:
    place = server().new_place()
    with proxy(server().url.removeprefix("http://"), every_put_loses_its_reply()) as line:
        store = server().store(place, client=server().client(f"http://{line.host}"))
        with patch.object(S3Store, "_own", takes_none_for_its_own):
            try:
                store.put("a", b"1", replacing=None)
            except Replaced as error:
                raise AssertionError("its own success was taken for another's") from error


@row(
    113,
    "S3: the reply to every put is lost: the run succeeds, is saved once and sealed once",
    tries=10,
    quick=1,
    control=lost_replies_without_nonce,
)
def lost_replies(at: Attempt) -> None:
    """S3 says to the second try that something is there already; the control takes that for somebody else."""
    through_proxy(at, every_put_loses_its_reply())


def gone_for(duration_s: float, what: Do | bytes) -> Behaviour:
    """From some request on, for a while."""
    since: list[float] = []

    def behave(asked: Asked) -> Do | bytes:
        if asked.number < 6:
            return Do.PASS
        since.append(asked.at_s)
        return what if asked.at_s - since[0] < duration_s else Do.PASS

    return behave


NO_ANSWER = (Do.RESET, refused(503), refused(500))


def gone(at: Attempt) -> None:
    # Longer than the lease: it is had back where nobody has taken it.
    what = at.rng.choice([*NO_ANSWER, Do.SLOW])
    through_proxy(at, gone_for(at.rng.uniform(2, 2 * LEASE_S), what))


def gone_and_not_waited_for(at: Attempt) -> None:
    behave = gone_for(5, at.rng.choice(NO_ANSWER))
    with proxy(server().url.removeprefix("http://"), behave) as line:
        store = server().store(client=server().client(f"http://{line.host}"))
        stamp = None
        try:
            for number in range(10):
                stamp = store.put("a", b"%d" % number, replacing=stamp, patience_s=0.0)
        except OSError as error:
            raise AssertionError(str(error)) from error


@row(
    114,
    "S3: the store is gone, slow, throttles or fails for longer than a lease: the run waits for it, and succeeds",
    tries=20,
    quick=1,
    control=gone_and_not_waited_for,
)
def gone_for_a_while(at: Attempt) -> None:
    """Nothing is done twice; the control does not wait."""
    gone(at)


def one_slot(at: Attempt, *, shared: bool) -> None:
    names = [f"host-{n}" for n in range(HOSTS)]
    places = {} if shared else {name: server().new_place() for name in names}
    with hosts(server(), at.folder, *names, places=places) as made:
        write_runbook(made[0].checkout, [COUNT, "print('one')"])
        started = [host.start("run", "book.ipynb", "--json", "--slot", "s") for host in made]
        said = [process.communicate(timeout=120) for process in started]
    # Its own success, busy, or refused: the winner's key is not known there.
    assert {process.returncode for process in started} <= {0, 2, 5}, said
    assert (made[0].checkout / "count").read_text() == "x"
    assert len(saved(made[0].place)) == 1


@row(
    115,
    "S3: four hosts start one slot at the same time: one of them runs it",
    tries=50,
    quick=1,
    control=partial(one_slot, shared=False),
)
def one_run_for_a_slot(at: Attempt) -> None:
    """The control saves in a place for each host, as with folders of their own."""
    one_slot(at, shared=True)


def resumed_elsewhere(at: Attempt) -> None:
    """A run of one host is continued by another; the first one wakes and saves."""
    place = server().new_place()
    one, other = server().store(place), server().store(place)
    first = one.put("run.ipynb", b"began", replacing=None, final=False)
    stored = other.read("run.ipynb")
    assert stored is not None
    other.put("run.ipynb", b"resumed elsewhere", replacing=stored.stamp)
    with suppress(Replaced):
        one.put("run.ipynb", b"woke up", replacing=first)
    stored = other.read("run.ipynb")
    assert stored is not None
    assert stored.content == b"resumed elsewhere"


def overwritten(at: Attempt) -> None:
    place = server().new_place()
    store = server().store(place)
    first = store.put("run.ipynb", b"began", replacing=None, final=False)
    store.put("run.ipynb", b"resumed elsewhere", replacing=first)
    server().client().put_object(Bucket=place.bucket, Key=f"{place.key}/run.ipynb", Body=b"woke up")
    stored = store.read("run.ipynb")
    assert stored is not None
    assert stored.content == b"resumed elsewhere"


@row(
    116,
    "S3: a run is resumed on another host, and the first one saves once more: what the other has saved stays",
    tries=100,
    quick=3,
    control=overwritten,
)
def saved_once_more(at: Attempt) -> None:
    """The control writes without If-Match, as others do."""
    resumed_elsewhere(at)


def cut_off(at: Attempt, *, guard: str) -> None:
    with changers(at, guard, 2, pause="until asked") as (one, other):
        if not one.host.is_own:
            raise CannotRunHere("only root may make networks")
        one.go()
        one.expect("held")
        one.host.cut_off()
        other.go()
        other.expect("held")
        other.go()
        said = other.end()
        is_back = at.rng.random() < 0.5
        if is_back:
            one.host.reconnect()
        one.go()
        woken = one.end()
    assert "changed" in said, said
    assert changes(at) == ["host-1"], changes(at)
    assert woken.startswith("TargetBusy"), woken
    assert ("host-1" in woken) is is_back, woken


@row(
    121,
    "S3: a holder's network is cut for longer than its lease, another host changes the service: it changes nothing",
    tries=20,
    quick=1,
    control=partial(cut_off, guard="unasked"),
)
def cut_off_past_its_lease(at: Attempt) -> None:
    """Also while the store is still out of its reach; the control does not ask before its change."""
    cut_off(at, guard="asked")


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
  int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(id, at);
  if (!failed && id == CLOCK_REALTIME) at->tv_sec += atol(getenv("CLOCK_IS_OFF_S"));
  return failed;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""


def clocks_off(at: Attempt, *, guard: str) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotRunHere("a process gets another clock by a library, which needs a C compiler")
    library = at.folder / "clock.so"
    words = [compiler, "-shared", "-fPIC", "-xc", "-", "-ldl", "-o", library]
    subprocess.run(words, input=CLOCK, text=True, check=True)
    off = [{"LD_PRELOAD": str(library), "CLOCK_IS_OFF_S": str(each)} for each in (3600, -3600)]
    contested(at, guard=guard, environs=[*off, {}])


@row(
    118,
    "S3: hosts whose clocks are an hour ahead and an hour behind change one service: none is lost",
    tries=20,
    quick=1,
    control=partial(clocks_off, guard="own clock"),
)
def clocks_an_hour_off(at: Attempt) -> None:
    """Two of four are off; the control takes a lease's age from the host's own clock."""
    clocks_off(at, guard="asked")


def approved_twice(at: Attempt, *, shared: bool) -> None:
    if not can_be_named():
        raise CannotRunHere("only root may give a process a host's name")
    guarded = {"ECR_WIDGETS_APPROVAL": "prod"}
    places = {} if shared else {"other": server().new_place()}
    with hosts(server(), at.folder, "planner", "one", "other", places=places) as (planner, *approvers):
        book = ["book.ipynb", "-p", "environment", "prod"]
        write_runbook(planner.checkout, [COUNT_UNLESS_PLANNED], "environment: str = 'test'  # where")
        plan = planner.told("run", *book, code=7, **guarded)["run_id"]
        for place in places.values():
            copy_all(planner.place, place)
        for host in approvers:
            host.trust(planner)
        started = [host.start("approve", plan, "--json", **guarded) for host in approvers]
        said = [process.communicate(timeout=120) for process in started]
    assert sorted(process.returncode for process in started) == [0, 2], said
    assert (planner.checkout / "count").read_text() == "x"
    [run] = [each for each in map(ours, saved(planner.place)) if not each.get("plan")]
    assert (run["state"], run["approval"]["plan"]) == ("succeeded", plan)


def ours(notebook: dict[str, Any]) -> dict[str, Any]:
    return dict(notebook["metadata"]["ecr_widgets"])


def copy_all(source: BucketPath, to: BucketPath) -> None:
    client = server().client()
    for page in client.get_paginator("list_objects_v2").paginate(
        Bucket=source.bucket, Prefix=f"{source.key}/"
    ):
        for each in page["Contents"]:
            name = each["Key"].removeprefix(source.key)
            client.copy_object(
                Bucket=to.bucket, Key=to.key + name, CopySource={"Bucket": source.bucket, "Key": each["Key"]}
            )


@row(
    119,
    "S3: two hosts approve one plan at the same time: it is run once",
    tries=20,
    quick=1,
    control=partial(approved_twice, shared=False),
)
def approved_once(at: Attempt) -> None:
    """The other one is told who was quicker; in the control each has a copy of the plan, as with folders of their own."""
    approved_twice(at, shared=True)


def compacted(at: Attempt, *, behind: bool = True) -> None:
    """Closed days are compacted by two hosts, one of them killed; a file is torn or forged, and a seal comes late."""
    place, clock = server().new_place(), [datetime(2026, 11, 20, 12, tzinfo=UTC)]
    environ = environ_of(at.folder / "home", server().environ)
    with patch.dict(os.environ, environ), patch.object(S3Store, "now", lambda self: clock[0]):
        store = bucket_store(place)
        for number in range(4):
            seal_one(place, number)
            clock[0] += timedelta(hours=12)
        clock[0] += timedelta(days=1)
        with ThreadPoolExecutor(2) as pool:
            killed = pool.submit(compact_and_be_killed, environ, place, at.rng.uniform(0.3, 2))
            for _ in compact(store):
                pass
            killed.result()
        names = list(store.names(prefix="rows/"))
        assert len(names) == 3, names
        name = at.rng.choice(names)
        stored = store.read(name)
        assert stored is not None
        if at.rng.random() < 0.7:
            other = store.read(at.rng.choice(names))
            assert other is not None
            cut = stored.content[: at.rng.randrange(len(stored.content))]
            store.put(name, at.rng.choice((cut, other.content)), replacing=stored.stamp)
        # Of a host that asked for the time before midnight.
        clock[0], now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC), clock[0]
        seal_one(place, 9)
        clock[0] = now
        with ExitStack() as stack:
            if not behind:
                stack.enter_context(patch.object(StoreSeals, "_behind", lambda *_: []))
            with Index(place, None, ring=default_ring()) as index:
                index.update()
                listed = {row.path: row.seal for row in index.rows()}
    assert listed == {f"run-{number}.ipynb": "intact" for number in (0, 1, 2, 3, 9)}, listed


def seal_one(place: BucketPath, number: int) -> None:
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["run_id"] = f"20261120T120000Z-{number:06}"
    path = place / f"run-{number}.ipynb"
    bucket_store(place).put(path.name, json.dumps(notebook).encode(), replacing=None)
    why_not = seal_finished_run(path)
    assert why_not is None, why_not


def compact_and_be_killed(environ: dict[str, str], place: BucketPath, after_s: float) -> None:
    words = [BIN / "ecr-widgets", "audit", "compact", "--runs", str(place)]
    process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    process.wait()


@row(
    117,
    "S3: days are compacted by two hosts, one is killed; a day's file is torn or another day's; a seal is late: all runs are listed",
    tries=50,
    quick=2,
    control=partial(compacted, behind=False),
)
def listed_from_days(at: Attempt) -> None:
    """Each as it was sealed; the control looks for no seal behind a day's file."""
    compacted(at)
