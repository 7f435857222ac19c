"""Leases in a bucket: taken, renewed and lost by the store's clock, not a host's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.locks import Holder
from ecr_widgets.adapters.s3_leases import TTL_S, S3Leases, S3Locks
from ecr_widgets.adapters.s3_store import Aged, S3Store
from ecr_widgets.errors import SettingsError, TargetBusy
from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import Buckets
from tests.fakes import FakeClock, World

NAME = "leases/target/1.json"


class Later(S3Store):
    """A store whose clock moves on when the test says so."""

    passed_s = 0.0
    renewed: dict[str, float]
    is_gone = False
    asked_at: list[str]

    def read_aged(self, name: str, **more: Any) -> Aged | None:
        if self.is_gone:
            raise OSError("gone")
        aged = super().read_aged(name, **more)
        if aged is None or aged.age_s is None:
            return aged
        return aged._replace(age_s=self.passed_s - self.renewed.get(name, 0.0))

    def put(self, name: str, content: bytes, **more: Any) -> Any:
        if self.is_gone:
            raise OSError("gone")
        stamp = super().put(name, content, **more)
        self.renewed[name] = self.passed_s
        return stamp


class Hosts:
    """Hosts that share a bucket; each has its own clock."""

    def __init__(self, buckets: Buckets) -> None:
        self.worlds: list[World] = []
        self.store = Later(buckets.new_place(), client=buckets.client())
        self.store.renewed = {}

    def new(self, name: str) -> S3Leases:
        world = World()
        self.worlds.append(world)
        return S3Leases(
            self.store, Holder(f"run-{name}", name, 7), actor=f"{name}@desk", clock=FakeClock(world)
        )

    def pass_time(self, duration_s: float) -> None:
        """Move the clocks of all hosts and of the store on."""
        self.store.passed_s += duration_s
        for world in self.worlds:
            world.now += timedelta(seconds=duration_s)


@pytest.fixture
def hosts(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    # By the real clock, which these tests do not go by.
    monkeypatch.setattr(S3Leases, "_renew", lambda _: None)
    return Hosts(buckets)


def test_one_of_two_hosts_has_it(hosts: Hosts) -> None:
    """A second host is refused with the holder's run, user, host, start and end; once it is released, it gets the lease."""
    one, other = hosts.new("one"), hosts.new("other")
    lease = one.take(NAME, "service web")
    hosts.pass_time(20)
    with pytest.raises(TargetBusy) as busy:
        other.take(NAME, "service web")
    assert str(busy.value).startswith(
        "service web is busy: held by run run-one on one (process 7, one@desk) since 20"
    )
    assert "its lease ends in 50 s unless it is renewed" in str(busy.value)
    assert other.holder(NAME) is not None
    lease.release()
    assert not lease.is_held
    assert other.holder(NAME) is None
    assert other.take(NAME, "service web").is_held


def test_a_holder_that_renews_keeps_it(hosts: Hosts) -> None:
    """A lease that is renewed stays with its holder beyond its first end."""
    one, other = hosts.new("one"), hosts.new("other")
    lease = one.take(NAME, "service web")
    for _ in range(10):
        hosts.pass_time(TTL_S / 2)
        lease.renew()
        with pytest.raises(TargetBusy):
            other.take(NAME, "service web")
    assert lease.is_held


def test_a_dead_holder_is_followed_after_the_margin(hosts: Hosts) -> None:
    """A dead holder's lease can be taken only a margin after its end, as its clock may be slower; the holder then knows."""
    one, other = hosts.new("one"), hosts.new("other")
    lease = one.take(NAME, "service web")
    hosts.pass_time(TTL_S + 5)
    with pytest.raises(TargetBusy, match="ends in 5 s"):
        other.take(NAME, "service web")
    hosts.pass_time(6)
    assert other.take(NAME, "service web").is_held
    assert not lease.is_held
    assert lease.lost_to.startswith("run run-other on other (process 7, other@desk) since")


def test_a_holder_that_slept_has_it_back_where_nobody_took_it(hosts: Hosts) -> None:
    """A holder that slept past its lease's end still has it if no one took it."""
    lease = hosts.new("one").take(NAME, "service web")
    hosts.pass_time(10 * TTL_S)
    assert lease.is_held


def test_whoever_comes_back_after_two_others_knows_it(hosts: Hosts) -> None:
    """A holder that returns after another host took and released the lease has lost it, and the lease names that host."""
    one, other = hosts.new("one"), hosts.new("other")
    lease = one.take(NAME, "service web")
    hosts.pass_time(2 * TTL_S)
    other.take(NAME, "service web").release()
    assert not lease.is_held
    assert "run run-other on other" in lease.lost_to
    assert "held it meanwhile" in lease.lost_to


def test_without_a_store_it_is_believed_until_its_end_is_near(hosts: Hosts) -> None:
    """While the store is unreachable, a lease counts as held by the holder's monotonic clock until shortly before its end."""
    lease = hosts.new("one").take(NAME, "service web")
    hosts.store.is_gone = True
    hosts.pass_time(TTL_S * 5 / 6 - 1)
    assert lease.is_held
    hosts.pass_time(2)
    assert not lease.is_held
    assert "could not be renewed in time" in lease.lost_to
    hosts.store.is_gone = False
    assert lease.is_held


def test_no_hosts_clock_is_asked(hosts: Hosts) -> None:
    """Hosts' clocks do not matter: one an hour ahead takes nothing over, and one an hour behind loses nothing."""
    one, other = hosts.new("one"), hosts.new("other")
    hosts.worlds[1].now += timedelta(hours=1)
    lease = one.take(NAME, "service web")
    hosts.worlds[0].now -= timedelta(hours=1)
    with pytest.raises(TargetBusy):
        other.take(NAME, "service web")
    assert lease.is_held


def test_a_store_without_a_clock_is_watched(hosts: Hosts) -> None:
    """If the store reports no age, a lease that does not change while another host waits long enough is taken over."""
    one, other = hosts.new("one"), hosts.new("other")
    one.take(NAME, "service web")
    hosts.store.renewed[NAME] = 1e9  # its age is always reported as 0 or less
    with pytest.raises(TargetBusy):
        other.take(NAME, "service web", wait_s=TTL_S)
    assert other.take(NAME, "service web", wait_s=TTL_S * 1.5).is_held


def test_a_renewal_whose_reply_was_lost_is_found_again(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal whose reply was lost does not lose the lease: the holder recognizes its own entry."""
    lease = hosts.new("one").take(NAME, "service web")
    put = hosts.store.put

    def lose(*args: Any, **more: Any) -> Any:
        put(*args, **more)
        raise OSError("lost")

    monkeypatch.setattr(hosts.store, "put", lose)
    lease.renew()
    monkeypatch.setattr(hosts.store, "put", put)
    hosts.pass_time(TTL_S)
    assert lease.is_held


def test_what_is_no_lease_is_left_alone_as_long_as_one(hosts: Hosts) -> None:
    """An unreadable lease blocks for as long as a lease would, then is replaced."""
    one = hosts.new("one")
    hosts.store.put(NAME, b"?", replacing=None)
    with pytest.raises(TargetBusy, match="somebody whose lease cannot be read"):
        one.take(NAME, "service web")
    hosts.pass_time(TTL_S * 2)
    assert one.take(NAME, "service web").is_held


def test_each_taking_has_the_next_token(hosts: Hosts, buckets: Buckets) -> None:
    """Each taking has the next token, as released leases keep theirs."""
    one = hosts.new("one")
    for _ in range(3):
        one.take(NAME, "service web").release()
    seen = one.look(NAME)
    assert seen is not None
    assert seen.note is not None
    assert (seen.note.token, seen.note.free) == (3, True)


def test_locks_are_leases_that_can_be_taken_again_within(hosts: Hosts) -> None:
    """A lock can be taken again within itself; by default it ends with its context, with `until_exit` on release_all."""
    one, other = hosts.new("one"), hosts.new("other")
    locks, elsewhere = S3Locks(one), S3Locks(other)
    with locks.hold("service web") as lease, locks.hold("service web") as again:
        assert lease is again
        with pytest.raises(TargetBusy), elsewhere.hold("service web"):
            pass
    run = S3Locks(other, until_exit=True)
    with run.hold("service web"):
        pass
    with pytest.raises(TargetBusy), locks.hold("service web"):
        pass
    other.release_all()
    with locks.hold("service web"):
        pass


def test_a_store_that_ignores_conditions_gives_nothing_to_hold(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that ignores conditional writes is refused at the first lease."""
    client = hosts.store._client
    put = client.put_object
    monkeypatch.setattr(
        client,
        "put_object",
        lambda IfNoneMatch=None, IfMatch=None, **told: put(**told),  # noqa: N803
    )
    with pytest.raises(SettingsError, match="overwrites objects that must be new, so it cannot hold locks"):
        hosts.new("one").take(NAME, "service web")


def test_of_many_that_take_one_wins(s3: Buckets) -> None:
    """Of eight threads that take the same lease on a real store, exactly one gets it."""
    from concurrent.futures import ThreadPoolExecutor

    place = s3.new_place()

    def take(number: int) -> bool:
        leases = S3Leases(s3.store(BucketPath.parse(str(place))), Holder(f"run-{number}", "host", number))
        try:
            leases.take(NAME, "service web")
        except TargetBusy:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1
