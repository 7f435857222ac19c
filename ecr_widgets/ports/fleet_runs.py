"""What a fleet's steps need from its targets' runs: to look at their slots, and to start them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ecr_widgets.ports.reading import reads

if TYPE_CHECKING:
    from ecr_widgets.model.fleet import FleetRunbook, RunEnd, TargetRun


class FleetRuns(Protocol):
    """Runs of our own command, one per target."""

    @property
    def start(self) -> Callable[[TargetRun], RunEnd]:
        """Runs a target in its own process until it ends; a plain function, so that an executor can send it elsewhere."""

    @reads
    def read_runbook(self, name: str) -> FleetRunbook:
        """The runbook with that name or path.

        Raises:
            InputError: No such runbook.
        """

    @reads
    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Refuse secrets and other registries among a target's parameters.

        Raises:
            InputError: They hold a secret or another registry.
        """

    @reads
    def place(self) -> tuple[str, str]:
        """Where runs are saved, and their working folder."""

    @reads
    def has_succeeded(self, run: TargetRun) -> bool:
        """Whether the slot's saved run has succeeded with exactly these parameters."""

    def executor(self, at_once: int, scheduler: str) -> AbstractContextManager[Executor]:
        """The executor for `start`; leaving the context does not wait for the runs.

        Args:
            at_once: How many targets run at the same time.

            scheduler: Address of a Dask scheduler; empty for threads here.

        Raises:
            SettingsError: Dask is not installed.

            RunError: The scheduler does not answer.
        """

    def interrupt(self) -> None:
        """Interrupt the runs that were started from here, as Ctrl-C at a terminal would."""
