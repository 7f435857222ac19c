"""Which service a step of a run is about, from its own record and the run's other records."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_widgets.model.record import StepRecord


class Services:
    """Which service a step of one run is about, as environment/service if the environment is known."""

    def __init__(self, steps: Sequence[StepRecord]) -> None:
        self._steps = steps
        self._environments: dict[str, str] | None = None

    def of(self, step: StepRecord) -> str | None:
        """The service, or None if the step names none."""
        service = step.inputs.get("service") or step.outcome.get("service")
        if not isinstance(service, str):
            return None
        environment = step.inputs.get("environment") or step.outcome.get("environment")
        if not isinstance(environment, str):
            # Older records of rollback, wait and verify do not name it; other steps of the run do.
            if self._environments is None:
                self._environments = _environments(self._steps)
            environment = self._environments.get(service)
        return f"{environment}/{service}" if environment else service


def _environments(steps: Sequence[StepRecord]) -> dict[str, str]:
    """The environment of each service; services that steps name with several environments are left out."""
    environments: dict[str, set[str]] = {}
    for step in steps:
        for values in (step.inputs, step.outcome):
            service, environment = values.get("service"), values.get("environment")
            if isinstance(service, str) and isinstance(environment, str):
                environments.setdefault(service, set()).add(environment)
    return {service: next(iter(names)) for service, names in environments.items() if len(names) == 1}
