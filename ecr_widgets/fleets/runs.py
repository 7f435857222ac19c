"""A fleet's runs on this host's checkout, saved in its folder or the team's bucket; implements `ports.fleet_runs.FleetRuns`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.engine.slots import find_in_slot
from ecr_widgets.errors import InputError
from ecr_widgets.fleets.executors import open_executor
from ecr_widgets.fleets.start import interrupt, start
from ecr_widgets.model.bucket_path import Place, place_of
from ecr_widgets.model.fleet import FleetRunbook, RunEnd, TargetRun
from ecr_widgets.model.parameters import default_values
from ecr_widgets.model.record import RunState
from ecr_widgets.runbooks import find_runbook, shipped_folder
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

LONGEST_END_S = 30.0
"""How long the runs of an interrupted fleet have to end, in seconds."""


class OwnRuns:
    """Runs of our own command.

    Args:
        runs: Where runs are saved.

        known: Secrets that no parameter may contain.

        need_to_end: Tells the engine that runs the fleet how long its end may take, in seconds.
    """

    def __init__(self, runs: Place, known: SecretRegistry, need_to_end: Callable[[float], None]) -> None:
        self._runs = runs
        self._known = known
        self._need_to_end = need_to_end

    @property
    def start(self) -> Callable[[TargetRun], RunEnd]:
        return start

    def read_runbook(self, name: str) -> FleetRunbook:
        book = find_runbook(name)
        is_shipped = book.path.parent == shipped_folder()
        return FleetRunbook(
            book.name, book.name if is_shipped else str(book.path.absolute()), book.sha256, book.parameters
        )

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        refuse_secrets(parameters, self._known)
        refuse_other_registries(parameters)

    def place(self) -> tuple[str, str]:
        return str(self._runs.absolute()), str(Path.cwd())

    def has_succeeded(self, run: TargetRun) -> bool:
        book = find_runbook(run.runbook)
        try:
            earlier = find_in_slot(place_of(run.runs), book.name, run.slot)
        except InputError:
            return False  # not trusted: the start says why
        if earlier is None or earlier.header.plan or earlier.header.state is not RunState.SUCCEEDED:
            return False
        # If they differ, it was another fleet of that name: the start says so.
        return earlier.header.parameters == default_values(book.parameters) | dict(run.parameters)

    @contextmanager
    def executor(self, at_once: int, scheduler: str) -> Iterator[Executor]:
        if not scheduler:
            self._need_to_end(LONGEST_END_S)
        with open_executor(at_once, scheduler) as executor:
            yield executor

    def interrupt(self) -> None:
        interrupt()
