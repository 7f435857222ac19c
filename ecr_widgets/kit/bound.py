"""What all of the kit's steps stand on: connections, the record of the run, and what the run holds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from ecr_widgets.kit.ecr import EcrSteps
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.targets import Targets

if TYPE_CHECKING:
    from ecr_widgets.errors import EcrWidgetsError
    from ecr_widgets.kit.connections import Connections
    from ecr_widgets.recording.recorder import Recorder


class Bound:
    """Steps that are bound to what they talk to and to the record of one run."""

    def __init__(self, connections: Connections, recorder: Recorder) -> None:
        self._to = connections
        self._recorder = recorder

    @property
    def run_id(self) -> str:
        """Id of the run that the records belong to."""
        return self._recorder.run_id

    @property
    def recorder(self) -> Recorder:
        """The records so far."""
        return self._recorder

    @cached_property
    def ecr(self) -> EcrSteps:
        """The steps for the upkeep of repositories and images, and for copies."""
        return EcrSteps(self._to, self._recorder, self._targets, self._session)

    @cached_property
    def _session(self) -> RegistrySession:
        return RegistrySession(self._to.ecr, self._to.clock, on_secret=self._to.on_secret)

    @cached_property
    def _targets(self) -> Targets:
        return Targets(self._to.locks, self.run_id, self._to.layer0_endpoint)


def raising(error: EcrWidgetsError, _: object) -> NoReturn:
    """An action that only fails, so that what was found out before it is in the record of a step."""
    raise error
