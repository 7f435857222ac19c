"""Which service a step of a run is about, by its own record and those beside it."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_widgets.model.record import StepRecord


class Services:
    """Which service a step of one run is about, as environment/service where the environment is known."""

    def __init__(self, steps: Sequence[StepRecord]) -> None:
        self._steps = steps
        self._environments: dict[str, str] | None = None

    def of(self, step: StepRecord) -> str | None:
        """The service; None where the step names none."""
        service = step.inputs.get("service") or step.outcome.get("service")
        if not isinstance(service, str):
            return None
        environment = step.inputs.get("environment") or step.outcome.get("environment")
        if not isinstance(environment, str):
            # Older records of rollback, wait and verify do not tell; the steps beside them do.
            if self._environments is None:
                self._environments = _environments(self._steps)
            environment = self._environments.get(service)
        return f"{environment}/{service}" if environment else service


def _environments(steps: Sequence[StepRecord]) -> dict[str, str]:
    """By service the one environment that steps of the run name with it."""
    found: dict[str, set[str]] = {}
    for step in steps:
        for told in (step.inputs, step.outcome):
            service, environment = told.get("service"), told.get("environment")
            if isinstance(service, str) and isinstance(environment, str):
                found.setdefault(service, set()).add(environment)
    return {service: next(iter(names)) for service, names in found.items() if len(names) == 1}
