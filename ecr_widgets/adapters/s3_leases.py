"""Leases in the bucket that holds the runs: one object each, replaced by compare-and-swap.

A holder renews its lease four times in its time to live, and counts from before the request, by its own clock, which keeps
running while the machine sleeps. Others take a lease over if by the store's clock it was not renewed in time, or if they have
seen it unchanged for that long.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec

from ecr_widgets.adapters.locks import Holder
from ecr_widgets.adapters.s3_store import Aged, S3Store
from ecr_widgets.errors import Replaced, RunError, SettingsError, TargetBusy
from ecr_widgets.model.stored import Stamp
from ecr_widgets.ports import Clock
from ecr_widgets.ports.locks import Lease

TTL_S = 60.0
"""A lease's default time to live, in seconds; the values that follow are fractions of it."""
_RENEWAL = 1 / 4
"""Interval of renewals."""
_MARGIN = 1 / 6
"""A holder stops relying on it this long before its end, and others take it over this long after; also how long one renewal is
retried."""
_FRESH = 1 / 30
"""How long after a renewal the store is not asked again."""
_POLL_S = 1.0


class BootClock:
    """A clock that keeps running while the machine sleeps. It has no time of day, since hosts' clocks differ."""

    def monotonic_s(self) -> float:
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of a lease's object."""

    target: str
    run_id: str
    host: str
    pid: int
    actor: str
    token: int
    """Incremented each time the lease is taken."""
    taking: str
    """Random, new each time the lease is taken."""
    nonce: str
    """Random, new with each write: equal bytes would have equal ETags."""
    since: str
    ttl_s: float
    free: bool = False

    def __str__(self) -> str:
        who = f"run {self.run_id}" if self.run_id else "a process"
        return f"{who} on {self.host} (process {self.pid}, {self.actor}) since {self.since}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A lease as read from the store."""

    aged: Aged
    note: _Note | None
    """None if the object is not a lease."""

    @property
    def lasts_s(self) -> float:
        """How long after a renewal nobody else may take it over."""
        return (self.note.ttl_s if self.note else TTL_S) * (1 + _MARGIN)

    def left_s(self, unchanged_s: float) -> float:
        """How long it lasts unless it is renewed.

        Args:
            unchanged_s: How long it has been seen unchanged, in seconds.
        """
        if self.note is not None and self.note.free:
            return 0.0
        return max(0.0, self.lasts_s - max(self.aged.age_s or 0.0, unchanged_s))

    def words(self, unchanged_s: float = 0.0) -> str:
        """Who holds it and for how long, for people."""
        who = str(self.note) if self.note else "somebody whose lease cannot be read"
        return f"{who}; its lease ends in {self.left_s(unchanged_s):.0f} s unless it is renewed"


class S3Lease:
    """Implements `ports.Lease`: a lease that this process holds; release it, or use it as a context manager."""

    def __init__(self, leases: S3Leases, name: str, note: _Note, stamp: Stamp, asked_at_s: float) -> None:
        self._leases = leases
        self._name = name
        self._note = note
        self._stamp = stamp
        self._renewed_at_s = asked_at_s
        self._lock = threading.RLock()
        self._lost_to: str | None = None
        self._patience_s = note.ttl_s * _MARGIN

    def __enter__(self) -> S3Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def is_held(self) -> bool:
        """Whether it is held; asks the store unless just renewed. Without an answer it counts as held until near its end."""
        with self._lock:
            if self._age_s() > self._note.ttl_s * _FRESH:
                self.renew()
            return self._lost_to is None and self._age_s() < self._note.ttl_s * (1 - _MARGIN)

    @property
    def lost_to(self) -> str:
        return self._lost_to or f"the lease on {self._note.target} could not be renewed in time"

    def renew(self, *, free: bool = False) -> None:
        """Renew it, even after its end if nobody has taken it over."""
        with self._lock:
            if self._lost_to is not None:
                return
            note = msgspec.structs.replace(self._note, nonce=_nonce(), free=free)
            for _ in range(2):
                asked_at_s = self._leases.clock.monotonic_s()
                try:
                    self._stamp = self._leases.store.put(
                        self._name,
                        _encode(note),
                        replacing=self._stamp,
                        final=False,
                        patience_s=self._patience_s,
                    )
                except Replaced:
                    if not self._is_still_ours():
                        return
                except OSError:
                    return
                else:
                    self._note, self._renewed_at_s = note, asked_at_s
                    return

    def _is_still_ours(self) -> bool:
        """Whether the stored lease is an earlier write of ours whose answer was lost."""
        try:
            seen = self._leases.look(self._name, patience_s=self._patience_s)
        except OSError:
            return False
        if seen is None:
            self._lost_to = f"the lease on {self._note.target} was removed"
        elif seen.note is None or seen.note.taking != self._note.taking:
            is_free = seen.note is not None and seen.note.free
            self._lost_to = f"{seen.note} held it meanwhile" if is_free else seen.words()
        else:
            self._stamp = seen.aged.stamp
            return True
        return False

    def release(self) -> None:
        """Free it for others now, or at its end if the store cannot be reached. Its token stays."""
        self._leases.forget(self)
        self.renew(free=True)
        self._lost_to = self._lost_to or "it was released"

    def _age_s(self) -> float:
        return self._leases.clock.monotonic_s() - self._renewed_at_s


class S3Leases:
    """Takes leases and renews them for as long as this process lives, in a thread of its own.

    Args:
        holder: The process that takes the leases.

        actor: Who started it, shown to those who have to wait.
    """

    def __init__(
        self,
        store: S3Store,
        holder: Holder,
        *,
        actor: str = "",
        clock: Clock | BootClock | None = None,
        ttl_s: float = TTL_S,
    ) -> None:
        self.store = store
        self.clock = clock or BootClock()
        self._holder = holder
        self._actor = actor
        self._ttl_s = ttl_s
        self._held: list[S3Lease] = []
        self._lock = threading.Lock()
        self._renewer: threading.Thread | None = None
        self._pid = os.getpid()
        self._is_tried = False
        # A child forked without an exec has no thread that renews.
        os.register_at_fork(after_in_child=self._forget_all)

    def take(self, name: str, target: str, *, run_id: str = "", wait_s: float = 0.0) -> S3Lease:
        """Take a lease.

        Args:
            name: Name of its object.

            target: What it is a lease on, for people.

            run_id: The run that takes it; empty for the holder's own.

            wait_s: How long to wait while somebody else holds it, in seconds.

        Raises:
            TargetBusy: Somebody else holds it.

            SettingsError: The store does not support conditional writes.

            OSError: The store does not answer, or refuses.
        """
        watched: tuple[Stamp, float] | None = None
        deadline_s = self.clock.monotonic_s() + wait_s
        while True:
            seen, now_s = self.look(name), self.clock.monotonic_s()
            if seen is not None and (watched is None or watched[0] != seen.aged.stamp):
                watched = seen.aged.stamp, now_s
            unchanged_s = now_s - watched[1] if watched else 0.0
            left_s = seen.left_s(unchanged_s) if seen else 0.0
            if left_s <= 0:
                with suppress(Replaced):
                    return self._take(name, target, run_id, seen)
                # Somebody else was quicker; their lease is read next.
                left_s = 1.0
            if now_s >= deadline_s and seen is not None:
                raise self._busy(target, seen.words(unchanged_s))
            self.clock.sleep(min(_POLL_S, left_s))

    def _take(self, name: str, target: str, run_id: str, seen: _Seen | None) -> S3Lease:
        token = (seen.note.token if seen and seen.note else 0) + 1
        note = _Note(
            target,
            run_id or self._holder.run_id,
            self._holder.host,
            self._holder.pid,
            self._actor,
            token,
            _nonce(),
            _nonce(),
            f"{self.store.now():%Y-%m-%dT%H:%M:%SZ}",
            self._ttl_s,
        )
        asked_at_s = self.clock.monotonic_s()
        stamp = self.store.put(name, _encode(note), replacing=seen.aged.stamp if seen else None, final=False)
        self._refuse_useless(name, note)
        lease = S3Lease(self, name, note, stamp, asked_at_s)
        with self._lock:
            self._held.append(lease)
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="ecr-widgets leases", daemon=True)
                self._renewer.start()
        return lease

    def _refuse_useless(self, name: str, note: _Note) -> None:
        """Try once a write that must be refused: a store that ignores conditions would give everybody every lease."""
        if self._is_tried:
            return
        try:
            self.store.put(name, _encode(note), replacing=None, final=False)
        except Replaced:
            self._is_tried = True
            return
        raise SettingsError(
            f"{self.store.place} overwrites objects that must be new, so it cannot hold locks",
            hint="see `ecr-widgets doctor`; use Amazon S3 or a folder",
        )

    def _busy(self, target: str, holder: str) -> TargetBusy:
        return TargetBusy(
            f"{target} is busy: held by {holder}",
            run_id=self._holder.run_id,
            holder=holder,
            hint="let it end, or wait for it: `--wait-if-busy SECONDS`, in a notebook connect(wait_s=SECONDS)",
        )

    def holder(self, name: str) -> str | None:
        """Who holds a lease; None if nobody does."""
        seen = self.look(name)
        return None if seen is None or seen.left_s(0.0) <= 0 else seen.words()

    def look(self, name: str, *, patience_s: float | None = None) -> _Seen | None:
        """Read a lease; None if it was never taken."""
        aged = self.store.read_aged(name, **({} if patience_s is None else {"patience_s": patience_s}))
        if aged is None:
            return None
        note = None
        with suppress(msgspec.MsgspecError):
            note = _decode(aged.content)
        return _Seen(aged, note)

    def forget(self, lease: S3Lease) -> None:
        """Stop renewing a lease."""
        with self._lock, suppress(ValueError):
            self._held.remove(lease)

    def release_all(self) -> None:
        """Release every lease that this process still holds."""
        if os.getpid() == self._pid:
            for lease in list(self._held):
                lease.release()

    def _renew(self) -> None:
        while True:
            time.sleep(self._ttl_s * _RENEWAL)
            for lease in list(self._held):
                lease.renew()

    def _forget_all(self) -> None:
        self._held, self._renewer = [], None
        self._lock = threading.Lock()


class S3Locks:
    """Implements `ports.Locks` with leases.

    Args:
        wait_s: How long to wait for a busy target, in seconds.

        until_exit: Whether a lease, once taken, is kept until this process ends.
    """

    def __init__(self, leases: S3Leases, *, wait_s: float = 0.0, until_exit: bool = False) -> None:
        self._leases = leases
        self._wait_s = wait_s
        self._until_exit = until_exit
        self._held: dict[str, S3Lease] = {}
        if until_exit:
            atexit.register(leases.release_all)

    @contextmanager
    def hold(self, target: str) -> Iterator[Lease]:
        lease = self._held.get(target)
        if lease is not None:
            yield lease
            return
        name = f"leases/target/{hashlib.sha256(target.encode()).hexdigest()[:32]}.json"
        try:
            lease = self._leases.take(name, target, wait_s=self._wait_s)
        except OSError as error:
            raise RunError(
                f"{target} cannot be held: {error.strerror}", run_id="", hint="see `ecr-widgets doctor`"
            ) from error
        self._held[target] = lease
        try:
            yield lease
        finally:
            if not self._until_exit:
                del self._held[target]
                lease.release()


def _nonce() -> str:
    return secrets.token_hex(8)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Note).decode
