"""What a fleet's steps need of the runs of its targets: to look at their slots, and to start them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ecr_widgets.ports.reading import reads

if TYPE_CHECKING:
    from ecr_widgets.model.fleet import FleetRunbook, RunEnd, TargetRun


class FleetRuns(Protocol):
    """Runs of our own command, one a target."""

    @property
    def start(self) -> Callable[[TargetRun], RunEnd]:
        """Runs a target as a process of its own until it has ended; a plain function, which an executor can send elsewhere."""
        ...

    @reads
    def read_runbook(self, name: str) -> FleetRunbook:
        """The runbook of that name or path.

        Raises:
            InputError: There is none.
        """
        ...

    @reads
    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Refuse secrets and other registries among a target's parameters.

        Raises:
            InputError: There is one.
        """
        ...

    @reads
    def place(self) -> tuple[str, str]:
        """Where runs are saved, and the folder in which they work."""
        ...

    @reads
    def has_succeeded(self, run: TargetRun) -> bool:
        """Whether the slot's saved run has succeeded with just these parameters."""
        ...

    def executor(self, at_once: int, scheduler: str) -> AbstractContextManager[Executor]:
        """What carries out the starts; leaving it waits for none.

        Args:
            at_once: How many targets run at the same time.

            scheduler: Address of a Dask scheduler; empty for threads here.

        Raises:
            SettingsError: Dask is not installed.

            RunError: The scheduler does not answer.
        """
        ...

    def interrupt(self) -> None:
        """Have the runs that were started from here end as an interrupt at a terminal would."""
        ...
