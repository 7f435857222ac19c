"""Part C before the registry: refusals, cut lines and lost replies while an image is pushed or copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from unittest import mock

import urllib3

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.steps.push_image import PushOutcome
from tests.faults.plan import Attempt, row
from tests.faults.proxies import Asked, Do, Proxy, kth, proxy, refused
from tests.faults.pushing import Bench, bench, naive_push

STATUSES = (500, 502, 503, 429)
# How many requests an undisturbed push, copy and copy by mounting make.
PUSHED, COPIED, MOUNTED = 14, 12, 12


def _try(here: Bench, act: Callable[[], PushOutcome]) -> PushOutcome | None:
    """What it came to, None for a failure; a success must be one, and a failure must be told by an error of ours."""
    try:
        outcome = act()
    except EcrWidgetsError as error:
        told = str(error)
    else:
        here.check(outcome.digest)
        return outcome
    assert told, "an error without a word"
    return None


def _naive(here: Bench, what: Do | bytes) -> None:
    """The controls: docker-py alone, while the image's manifest does not get through."""
    with proxy(here.host, lambda asked: what if "/manifests/" in asked.target else Do.PASS) as there:
        here.check(naive_push(here, there.host))


def _refused(at: Attempt, *, naive: bool = False) -> None:
    status = STATUSES[at.seed % len(STATUSES)]
    after_s = at.rng.choice((None, 1)) if status in (429, 503) else None
    kind = ("copied", "mounted", "pushed")[at.seed % 3]
    with bench(at) as here:
        if naive:
            _naive(here, refused(503))
            return
        if kind != "pushed":
            here.seed()
        number = at.rng.randrange(1, {"copied": COPIED, "mounted": MOUNTED, "pushed": PUSHED}[kind] + 1)
        with proxy(here.host, kth(number, refused(status, after_s=after_s))) as there:
            act = (
                partial(here.push, there.host)
                if kind == "pushed"
                else partial(here.copy, there.host if kind == "mounted" else here.host, there.host)
            )
            held = _try(here, act)
            if held and len(there.asked) >= number and _indispensable(there.asked[number - 1]):
                assert held.repeated, "what was tried again is not in the outcome"
            if after_s and kind != "pushed":
                _waited(there, number, after_s)
            assert held or status == 500, "a registry that was busy once was not asked again"
            assert held or _try(here, act), "it failed once more, with nothing in its way"


def _indispensable(asked: Asked) -> bool:
    """No transfer succeeds without it: neither a look, nor a layer's mount, which an upload can stand in for."""
    return asked.method in ("POST", "PATCH", "PUT") and "mount=" not in asked.target


def _waited(there: Proxy, number: int, after_s: int) -> None:
    """The registry's wish for a pause is obeyed by whoever asks again."""
    if len(there.asked) > number:
        before, again = there.asked[number - 1 : number + 1]
        if (before.method, before.target) == (again.method, again.target):
            assert again.at_s - before.at_s >= after_s, "asked again before the time that Retry-After gave"


@row(
    28,
    "the registry answers one request of a push or a copy with 500, 502, 503 or 429",
    tries=200,
    quick=2,
    control=lambda at: _refused(at, naive=True),
)
def refused_once(at: Attempt) -> None:
    """It succeeds, telling what it tried again; after a 500 it may fail by an error of ours, and succeeds the next time.

    A copy obeys `Retry-After`; a push is the engine's, which hides it, and pauses by itself.
    """
    _refused(at)


CUTS = (Do.RESET, Do.EOF, Do.HALF_REQUEST, Do.HALF_REPLY, Do.LOST_REPLY, Do.SLOW, Do.NOTHING)
PATIENCE_S = 2
"""How long a try waits for an answer; people wait for minutes."""


def _cut(at: Attempt, *, naive: bool = False) -> None:
    what = CUTS[at.seed % len(CUTS)]
    kind = at.rng.choice(("copied", "mounted", "pushed"))
    with bench(at) as here, _impatient(here):
        if naive:
            _naive(here, Do.HALF_REQUEST)
            return
        if kind != "pushed":
            here.seed()
        number = at.rng.randrange(1, {"copied": COPIED, "mounted": MOUNTED, "pushed": PUSHED}[kind] + 1)
        with proxy(here.host, kth(number, what)) as there:
            act = (
                partial(here.push, there.host)
                if kind == "pushed"
                else partial(here.copy, there.host if kind == "mounted" else here.host, there.host)
            )
            held = _try(here, act)
            assert held or what is not Do.SLOW, "a slow answer is an answer"
            there.mended.set()
            assert held or _try(here, act), "it failed once more, with nothing in its way"


@contextmanager
def _impatient(here: Bench) -> Iterator[None]:
    """Shorter waits for answers, so that a registry that never answers costs seconds."""
    here.registry._http.connection_pool_kw["timeout"] = urllib3.Timeout(connect=5.0, read=PATIENCE_S)
    with mock.patch("ecr_widgets.adapters.engine_connection._SILENCE_S", PATIENCE_S * 4):
        yield


@row(
    29,
    "the line to the registry is reset, closed, cut half-way, slow or dead at one request of a push or a copy",
    tries=200,
    quick=4,
    control=lambda at: _cut(at, naive=True),
)
def cut(at: Attempt) -> None:
    """What is called a success is served, whole; what failed succeeds the next time."""
    _cut(at)


def _lost(at: Attempt, *, naive: bool = False) -> None:
    wanted = at.seed % 2
    what = at.rng.choice((Do.LOST_REPLY, Do.TWICE))
    puts: list[Asked] = []

    def behave(asked: Asked) -> Do:
        if asked.method != "PUT" or "/blobs/uploads/" not in asked.target:
            return Do.PASS
        puts.append(asked)
        return what if len(puts) == wanted + 1 else Do.PASS

    with bench(at) as here:
        copied = at.seed // 2 % 2 == 1 and not naive
        if copied:
            here.seed()
        with proxy(here.host, behave) as there:
            if naive:
                wanted = 1
                here.check(naive_push(here, there.host))
                return
            outcome = here.copy(here.host, there.host) if copied else here.push(there.host)
            assert outcome.changed
            here.check(outcome.digest)
            assert len(puts) > wanted, "no upload was finished"


@row(
    31,
    "an upload is committed and its reply lost, or answered `blob upload unknown` as it was sent twice",
    tries=50,
    quick=2,
    control=lambda at: _lost(at, naive=True),
)
def lost(at: Attempt) -> None:
    """The registry has it, so the push or copy succeeds."""
    _lost(at)
