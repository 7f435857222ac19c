"""What a run changes: held for it alone, and checked again before each change, in case somebody else changed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ecr_widgets.errors import OutcomeUnknown, TargetBusy
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports.locks import Lease, Locks


class Targets:
    """The images and services that one run changes.

    A lock keeps away other runs of this host and, if runs are saved in a bucket, those of all hosts that save there. Others
    are noticed by what the target is on: if it is neither what this run saw before nor what it wants, somebody else changed it.
    """

    def __init__(self, locks: Locks, run_id: str) -> None:
        self._locks = locks
        self._run_id = run_id
        self._seen: dict[str, str | None] = {}

    def image(self, reference: ImageReference) -> str:
        """Name of a tag in a registry."""
        return f"image {reference}"

    def service(self, address: str, environment_id: str, service: str) -> str:
        """Name of a service in an environment of the deploy target at that address."""
        return f"service {service} of environment {environment_id} at {address}"

    @contextmanager
    def hold(self, target: str) -> Iterator[HeldTarget]:
        """Hold the target, at least within the context.

        Raises:
            TargetBusy: Another run holds it.
        """
        with self._locks.hold(target) as lease:
            yield HeldTarget(target, lease, self._seen, self._run_id)


@dataclass(frozen=True, slots=True)
class HeldTarget:
    """A target while it is held, and what it was on when this run last looked."""

    name: str
    _lease: Lease
    _seen: dict[str, str | None]
    _run_id: str

    def refuse_lost(self) -> None:
        """Check right before a change that the target is still held.

        Raises:
            TargetBusy: Another run may hold it by now; nothing was changed.
        """
        if not self._lease.is_held:
            raise TargetBusy(
                f"{self.name} is no longer held by this run, which has changed nothing since: {self._lease.lost_to}",
                run_id=self._run_id,
                holder=self._lease.lost_to,
                hint="look at what that run does, then run again",
            )

    def refuse_lost_meanwhile(self) -> None:
        """Check after a change that the target was held all the time.

        Raises:
            OutcomeUnknown: Another run may have changed it as well.
        """
        if not self._lease.is_held:
            raise OutcomeUnknown(
                f"{self.name} was lost to another run while it was being changed: {self._lease.lost_to}",
                hint="look at what the target is on, then run again",
            )

    def note(self, current: str | None) -> None:
        """Note what it is on: a digest, a deploy's id, None for nothing."""
        self._seen[self.name] = current

    def compare(self, current: str | None, *, wanted: str | None = None) -> None:
        """Compare what it is on, right before a change, with what was last noted.

        Raises:
            TargetBusy: Somebody else has changed it since.
        """
        if self.name in self._seen and current not in (self._seen[self.name], wanted):
            raise TargetBusy(
                f"{self.name} was changed by somebody else during this run: it was on"
                f" {self._seen[self.name] or 'nothing'} and is on {current or 'nothing'} now",
                run_id=self._run_id,
                holder="somebody elsewhere",
                hint="find out who works on it, then run again",
            )
        self._seen.setdefault(self.name, current)
