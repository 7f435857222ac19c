"""Part M: runs of several hosts in one bucket, on a real S3 server."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any
from unittest.mock import patch

from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.errors import Replaced
from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import shared_seaweed
from tests.faults.plan import Attempt, CannotRunHere, row
from tests.faults.proxies import Asked, Behaviour, Do, proxy, refused
from tests.hosts import LEASE_S, can_be_named, hosts
from tests.notebooks.engine_runs import write_runbook

HOSTS = 4
COUNT = "open('count', 'a').write('x')"
COUNT_UNLESS_PLANNED = f"import os\nif 'ECR_WIDGETS_PLAN' not in os.environ: {COUNT}"


def saved(place: BucketPath) -> list[dict[str, Any]]:
    store = shared_seaweed().store(place)
    return [json.loads(content) for content in store.contents(store.names())]


def through_proxy(at: Attempt, behave: Behaviour) -> None:
    upstream = shared_seaweed().url.removeprefix("http://")
    with (
        proxy(upstream, behave) as line,
        hosts(shared_seaweed(), at.folder, "host", url=f"http://{line.host}") as (host,),
    ):
        write_runbook(host.checkout, [COUNT, "print('one')", "print('two')"])
        told = host.run("book.ipynb")
    assert "unsealed" not in told, told
    [one] = saved(host.place)
    assert one["metadata"]["ecr_widgets"]["state"] == "succeeded"
    assert (host.checkout / "count").read_text() == "x"
    assert len(list(shared_seaweed().store(host.place).names(prefix="seals/"))) == 1


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
    place = shared_seaweed().new_place()
    with proxy(shared_seaweed().url.removeprefix("http://"), every_put_loses_its_reply()) as line:
        store = shared_seaweed().store(place, client=shared_seaweed().client(f"http://{line.host}"))
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
    with proxy(shared_seaweed().url.removeprefix("http://"), behave) as line:
        store = shared_seaweed().store(client=shared_seaweed().client(f"http://{line.host}"))
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
    waits=True,
)
def gone_for_a_while(at: Attempt) -> None:
    """Nothing is done twice; the control does not wait."""
    gone(at)


def one_slot(at: Attempt, *, shared: bool) -> None:
    names = [f"host-{n}" for n in range(HOSTS)]
    places = {} if shared else {name: shared_seaweed().new_place() for name in names}
    with hosts(shared_seaweed(), at.folder, *names, places=places) as made:
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
    place = shared_seaweed().new_place()
    one, other = shared_seaweed().store(place), shared_seaweed().store(place)
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
    place = shared_seaweed().new_place()
    store = shared_seaweed().store(place)
    first = store.put("run.ipynb", b"began", replacing=None, final=False)
    store.put("run.ipynb", b"resumed elsewhere", replacing=first)
    shared_seaweed().client().put_object(Bucket=place.bucket, Key=f"{place.key}/run.ipynb", Body=b"woke up")
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


def approved_twice(at: Attempt, *, shared: bool) -> None:
    if not can_be_named():
        raise CannotRunHere("only root may give a process a host's name")
    guarded = {"ECR_WIDGETS_APPROVAL": "prod"}
    places = {} if shared else {"other": shared_seaweed().new_place()}
    with hosts(shared_seaweed(), at.folder, "planner", "one", "other", places=places) as (
        planner,
        *approvers,
    ):
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
    client = shared_seaweed().client()
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
