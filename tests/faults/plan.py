"""Rows of the plan, how often they are tried, and what is written about them."""

from __future__ import annotations

import fcntl
import gc
import json
import platform
import random
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ecr_widgets.sandbox import Sandbox


@dataclass(frozen=True)
class Row:
    """One row of the plan.

    `attempt` raises AssertionError where something did not hold; `control` does the same without what guards against
    the fault, and must raise. `quick` is how often the quick profile tries it; 0 is for rows of `make faults` alone.
    """

    number: int
    what: str
    tries: int
    quick: int
    attempt: Callable[[Attempt], None]
    control: Callable[[Attempt], None]
    waits: bool = False
    """Whether its tries wait for most of their time; such rows can be tried side by side, each in a thread."""


@dataclass(frozen=True)
class Batch:
    """A row whose tries share what is dear to make, such as a browser or a store of sealed runs.

    `measure` gets the number of tries and a seed, and gives how many failed, how often the control did, and a note.
    """

    number: int
    what: str
    tries: int
    quick: int
    measure: Callable[[int, int], tuple[int, int, str]]


@dataclass
class Attempt:
    """One try: its own randomness, its own folder, and the sandbox for those who ask for it."""

    seed: int
    folder: Path
    sandbox: Callable[[], Sandbox]
    salt: str = ""
    """Keeps what tries of different rows make apart, where they share a sandbox."""
    full: bool = True
    """Whether it is of full size, which is not so in the quick profile."""
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.salt} {self.seed}")


@dataclass(frozen=True)
class Result:
    """What is known of a row after its tries."""

    row: int
    tries: int
    failures: int
    bound_95: float
    """Upper end of the failure rate at 95 %; with no failure 3 / tries."""
    control_failed: bool
    seed: int
    profile: str
    note: str
    skipped: str = ""
    """Why it was not tried here; then there are no tries."""
    seconds: float = 0.0
    commit: str = ""
    """What was tried, as git names it; `-dirty` where files differed from it."""


class CannotRunHere(Exception):
    """This machine lacks what a row needs; the text says what."""


ROWS: dict[int, Row | Batch] = {}


def row(
    number: int,
    what: str,
    *,
    tries: int,
    quick: int,
    control: Callable[[Attempt], None],
    waits: bool = False,
) -> Any:
    """Put a function into the plan."""

    def register(attempt: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
        _put(Row(number, what, tries, quick, attempt, control, waits))
        return attempt

    return register


def batch(number: int, what: str, *, tries: int, quick: int) -> Any:
    """Put a function that takes all tries at once into the plan."""

    def register(
        measure: Callable[[int, int], tuple[int, int, str]],
    ) -> Callable[[int, int], tuple[int, int, str]]:
        _put(Batch(number, what, tries, quick, measure))
        return measure

    return register


def skip(number: int, what: str, why: str) -> None:
    """Put a row into the plan that cannot be tried, and say why."""

    def attempt(_: Attempt) -> None:
        raise CannotRunHere(why)

    _put(Row(number, what, 1, 1, attempt, attempt))


def _put(one: Row | Batch) -> None:
    if one.number in ROWS:
        raise ValueError(f"row {one.number} is in the plan already: {ROWS[one.number].what}")
    ROWS[one.number] = one


def run_row(
    one: Row | Batch, *, profile: str, seed: int, sandbox: Callable[[], Sandbox], tries: int | None = None
) -> Result:
    """Try a row as often as the profile or `tries` says, and its control until it fails; adds time and commit."""
    started_s = time.monotonic()
    if tries is not None:
        profile = profile_of(one.number, tries)
        one = replace(one, tries=tries, quick=tries)
    result = _tried(one, profile, seed, sandbox)
    return replace(result, seconds=round(time.monotonic() - started_s, 1), commit=commit())


@cache
def commit() -> str:
    """The checkout's commit."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def _tried(one: Row | Batch, profile: str, seed: int, sandbox: Callable[[], Sandbox]) -> Result:
    tries = one.quick if profile == "quick" else one.tries
    if isinstance(one, Batch):
        failures, control, note = one.measure(tries, seed)
        return Result(
            one.number, tries, failures, upper_bound(failures, tries), control > 0, seed, profile, f"{one.what}; {note}"
        )  # fmt: skip
    notes = []
    for number in range(tries):
        with _folder() as folder:
            try:
                one.attempt(Attempt(seed + number, folder, sandbox, f"{one.number}", profile == "full"))
            except CannotRunHere as why:
                return Result(
                    one.number,
                    tries=0,
                    failures=0,
                    bound_95=1.0,
                    control_failed=False,
                    seed=seed,
                    profile=profile,
                    note=one.what,
                    skipped=str(why),
                )
            except Exception as error:  # noqa: BLE001 -- a try that could not be judged did not hold
                notes.append(f"seed {seed + number}: {type(error).__name__} {str(error)[:300]}")
    control_failed = any(
        _control_failed(one, seed + number, sandbox, full=profile == "full")
        for number in range(_CONTROL_TRIES)
    )
    note = "; ".join([one.what, *notes[:3]])
    return Result(
        one.number, tries, len(notes), upper_bound(len(notes), tries), control_failed, seed, profile, note
    )


_CONTROL_TRIES = 5
"""A control needs its fault to come at the right moment, which a slow machine may miss; a blind check never fails."""


def _control_failed(one: Row, seed: int, sandbox: Callable[[], Sandbox], *, full: bool) -> bool:
    with _folder() as folder:
        try:
            one.control(Attempt(seed, folder, sandbox, f"{one.number} control", full))
        except AssertionError:
            return True
    return False


def upper_bound(failures: int, tries: int) -> float:
    """Upper end of the failure rate at 95 %, by Clopper and Pearson, found by bisection."""
    if failures >= tries:
        return 1.0
    low, high = failures / tries, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        if _at_most(failures, tries, rate) > 0.05:
            low = rate
        else:
            high = rate
    return round(high, 5)


def _at_most(failures: int, tries: int, rate: float) -> float:
    from math import comb

    return sum(comb(tries, k) * rate**k * (1 - rate) ** (tries - k) for k in range(failures + 1))


def write_result(result: Result, path: Path, *, add: bool = False) -> None:
    """Write a row into `faults.json`, where the others stay; with `add`, its tries to those of the same commit.

    Parts of a long row may be tried side by side: one of them writes at a time.
    """
    path.parent.mkdir(exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        standing = json.loads(path.read_text())["rows"] if path.exists() else []
        rows = {each["row"]: each for each in standing}
        before = rows.get(result.row)
        if add and before is not None and before["commit"] == result.commit:
            result = added(Result(**before), result)
        rows[result.row] = asdict(result)
        content = {"versions": _versions(), "rows": [rows[number] for number in sorted(rows)]}
        path.write_text(json.dumps(content, indent=1) + "\n")


def added(one: Result, other: Result) -> Result:
    """Two parts of a row as one: it holds where both do, and is void where one's control did not fail."""
    tries, failures = one.tries + other.tries, one.failures + other.failures
    return replace(
        other,
        tries=tries,
        failures=failures,
        bound_95=upper_bound(failures, tries),
        control_failed=one.control_failed and other.control_failed,
        seed=min(one.seed, other.seed),
        profile=profile_of(other.row, tries),
        note=one.note if one.failures else other.note,
        seconds=round(one.seconds + other.seconds, 1),
    )


def profile_of(number: int, tries: int) -> str:
    """What so many tries of a row are called."""
    return "full" if tries >= ROWS[number].tries else "quick"


def _versions() -> dict[str, str]:
    names = ("papermill", "nbclient", "ipywidgets", "docker", "ipykernel", "nbconvert")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


@contextmanager
def leaving_sockets() -> Iterator[None]:
    """Where libraries leave closed sockets to the collector: collected at once, and without their warnings.

    What is made meanwhile stays in the youngest generation, so that nothing older is looked through at the end.
    """
    collects = gc.isenabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.disable()
        try:
            yield
        finally:
            gc.collect(0)
            if collects:
                gc.enable()


@contextmanager
def _folder() -> Iterator[Path]:
    # Short: it may hold sockets, whose paths may have 108 bytes.
    with tempfile.TemporaryDirectory(prefix="ft-", ignore_cleanup_errors=True) as name:
        yield Path(name)
