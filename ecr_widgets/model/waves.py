"""A fleet's waves: how many targets each has, and when the fleet stops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TypeVar

from ecr_widgets.errors import InputError

Item = TypeVar("Item")

_SIZE = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<percent>%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WaveSizes:
    """How many targets each wave has, as a count or a percentage of all targets; the last size is repeated."""

    sizes: tuple[tuple[int, bool], ...]
    """Numbers, and whether each is a percentage."""

    @classmethod
    def parse(cls, text: str) -> WaveSizes:
        """Parse sizes such as `1,5,20%`.

        Raises:
            InputError: A size is not a number, below 1, or above 100 %.
        """
        sizes = []
        for each in text.split(","):
            match = _SIZE.fullmatch(each.strip())
            if match is None or (match["percent"] and int(match["number"]) > 100):
                raise InputError(
                    f"waves {text!r} refused: {each.strip()!r} is not a size",
                    hint="give counts or percentages of all targets, 1 or more, such as 1,5,20%",
                )
            sizes.append((int(match["number"]), bool(match["percent"])))
        return cls(tuple(sizes))

    def cut(self, count: int) -> tuple[int, ...]:
        """The wave sizes for that many targets; percentages are rounded up, so that no wave is empty."""
        waves: list[int] = []
        left = count
        while left:
            number, is_percentage = self.sizes[min(len(waves), len(self.sizes) - 1)]
            # Integer arithmetic: with floats, 7 % of 100 would be rounded up to 8.
            size = min(left, -(-count * number // 100) if is_percentage else number)
            waves.append(size)
            left -= size
        return tuple(waves)


def split(items: Sequence[Item], sizes: Sequence[int]) -> tuple[tuple[Item, ...], ...]:
    """Split the items into waves of those sizes."""
    ends = list(accumulate(sizes))
    return tuple(tuple(items[end - size : end]) for size, end in zip(sizes, ends, strict=True))


class TargetState(StrEnum):
    """What became of one target; the value is as written in records."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BUSY = "busy"
    """Another run holds it, or its runner was lost: it is retried at the end of its wave, and if still busy counts as failed."""
    WAITING = "waiting"
    """Its run waits for another person's approval."""


_STATES = {0: TargetState.SUCCEEDED, 4: TargetState.UNKNOWN, 5: TargetState.BUSY, 7: TargetState.WAITING}


def state_of(exit_code: int) -> TargetState:
    """What a run's exit code says about its target; a signal (a negative number) is a failure."""
    return _STATES.get(exit_code, TargetState.FAILED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Targets by state."""

    succeeded: int = 0
    failed: int = 0
    """Including those that stayed busy."""
    unknown: int = 0
    waiting: int = 0

    @classmethod
    def of(cls, states: Iterable[TargetState | None]) -> Counts:
        """How many targets are in each state; those without one are left out."""
        counts = Counter(states)
        return cls(
            succeeded=counts[TargetState.SUCCEEDED],
            failed=counts[TargetState.FAILED] + counts[TargetState.BUSY],
            unknown=counts[TargetState.UNKNOWN],
            waiting=counts[TargetState.WAITING],
        )

    def __add__(self, other: Counts) -> Counts:
        """The sum of both."""
        return Counts(
            self.succeeded + other.succeeded,
            self.failed + other.failed,
            self.unknown + other.unknown,
            self.waiting + other.waiting,
        )

    @property
    def failures(self) -> int:
        """Targets that count towards stopping the fleet."""
        return self.failed + self.unknown

    @property
    def ended(self) -> int:
        """Targets that have been run, whatever the result; those that wait for approval are included."""
        return self.succeeded + self.failures + self.waiting

    def __str__(self) -> str:
        more = (("failed", self.failed), ("unknown", self.unknown), ("waiting for approval", self.waiting))
        return ", ".join([f"{self.succeeded} succeeded", *(f"{n} {word}" for word, n in more if n)])


class Verdict(StrEnum):
    """Whether the next wave begins, and if not, why."""

    GO_ON = "go on"
    TOO_MANY_FAILED = "too many failed"
    UNKNOWN = "unknown"
    WAITING = "waiting"


def verdict(so_far: Counts, *, stop_after: int) -> Verdict:
    """Decide what happens after a wave.

    Args:
        so_far: All targets in this wave and the ones before.

        stop_after: Failures that are tolerated; one more stops the fleet.
    """
    if so_far.unknown:
        return Verdict.UNKNOWN
    if so_far.failures > stop_after:
        return Verdict.TOO_MANY_FAILED
    return Verdict.WAITING if so_far.waiting else Verdict.GO_ON
