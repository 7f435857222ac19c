"""Part M: leases on one target in a real S3 server, contested by hosts of one team."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any

from tests.buckets import shared_seaweed
from tests.faults.plan import Attempt, CannotRunHere, row
from tests.hosts import LEASE_S, Host, hosts

HOSTS = 4
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
        hosts(shared_seaweed(), at.folder, *(f"host-{n}" for n in range(count))) as made,
        ThreadPoolExecutor(count) as pool,
    ):
        pairs = zip(made, cycle(environs), strict=False)
        yield list(pool.map(lambda pair: Changer(pair[0], guard, **more, **pair[1]), pairs))


def changes(at: Attempt) -> list[str]:
    service = at.folder / "checkout" / "service"
    return service.read_text().split() if service.exists() else []


def contested(
    at: Attempt, *, guard: str, pause: str = "0.3", environs: Sequence[Mapping[str, str]] = ({},)
) -> None:
    count = HOSTS if at.full else max(2, len(environs))
    with changers(at, guard, count, environs, pause=pause) as started:
        # All others come while the second has it: the one whose clock is behind, where clocks are off.
        first = started[1]
        first.go()
        first.expect("held")
        for each in started:
            if each is not first:
                each.go()
        said = [each.end() for each in started]
    assert sorted(changes(at)) == [f"host-{n}" for n in range(count)], (changes(at), said)


@row(
    110,
    "S3: hosts with homes and networks of their own change one service at once: each change is there, none is lost",
    tries=50,
    quick=1,
    control=partial(contested, guard="none"),
    waits=True,
)
def contested_by_hosts(at: Attempt) -> None:
    """Four hosts at a time, two in the quick profile; the control holds nothing."""
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
    waits=True,
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
    waits=True,
)
def killed_holder(at: Attempt) -> None:
    """The control does not wait that long, and is told who holds it."""
    killed(at, wait_s=60)


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
    waits=True,
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


def clocks_off(at: Attempt, *, guard: str, **more: str) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotRunHere("a process gets another clock by a library, which needs a C compiler")
    library = at.folder / "clock.so"
    words = [compiler, "-shared", "-fPIC", "-xc", "-", "-ldl", "-o", library]
    subprocess.run(words, input=CLOCK, text=True, check=True)
    off = [{"LD_PRELOAD": str(library), "CLOCK_IS_OFF_S": str(each)} for each in (3600, -3600)]
    contested(at, guard=guard, environs=[*off, {}], **more)


@row(
    118,
    "S3: hosts whose clocks are an hour ahead and an hour behind change one service: none is lost",
    tries=20,
    quick=1,
    # Long enough for another host to take the lease meanwhile, also on a slow machine.
    control=partial(clocks_off, guard="own clock", pause="4"),
    waits=True,
)
def clocks_an_hour_off(at: Attempt) -> None:
    """Most are off; the control takes a lease's age from the host's own clock."""
    clocks_off(at, guard="asked")
