"""What a run touched, as people ask for it: images by digest, services, repositories, deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ecr_widgets.audit.found import Run, Step
from ecr_widgets.audit.postconditions import is_digest
from ecr_widgets.model.record import StepState

_DIGEST_IN = re.compile(r"@(sha256:[0-9a-f]{64})")
_KINDS = {
    "digest": "digest", "registry_digest": "digest", "running_digest": "digest", "image": "image",
    "repository": "repository", "environment": "environment", "deploy_id": "deploy",
}  # fmt: skip
"""What the members of inputs and outcomes name."""
_DEPLOYS = frozenset(("create_service", "update_service", "rollback"))
_ABOUT_SERVICE = _DEPLOYS | {
    "check_target", "find_service", "wait", "verify", "scale_service", "delete_service"
}  # fmt: skip


def touched(run: Run) -> frozenset[tuple[str, str]]:
    """Pairs of kind and name: `digest`, `service` (as environment/service), `repository`, `environment`, `deploy`.

    What was only intended counts too: who looks for a service wants to see the run that failed on it.
    """
    return frozenset(_pairs(run))


def _pairs(run: Run) -> Iterator[tuple[str, str]]:
    steps = run.steps
    services = _Services(steps)
    for step in steps:
        for told in (step.inputs, step.outcome):
            for key, value in told.items():
                kind = _KINDS.get(key)
                if kind is None or not value or not isinstance(value, str):
                    continue
                if kind == "image":
                    if match := _DIGEST_IN.search(value):
                        yield "digest", match[1]
                elif kind != "digest" or is_digest(value):
                    yield kind, value
        if step.step in _ABOUT_SERVICE and (service := services.of(step)):
            yield "service", service


def deployed(run: Run) -> tuple[tuple[str, bool], ...]:
    """Services that the run set out to deploy to, as environment/service, and whether that changed them."""
    found: dict[str, bool] = {}
    if run.is_plan:
        return ()
    steps = run.steps
    services = _Services(steps)
    for step in steps:
        if step.step in _DEPLOYS and (service := services.of(step)):
            tried = bool(step.changed) or step.state is not StepState.SUCCEEDED
            found[service] = found.get(service, False) or tried
    return tuple(found.items())


def verified(run: Run) -> frozenset[str]:
    """Services, as environment/service, of which the run found that they run the image that they should."""
    steps = run.steps
    services = _Services(steps)
    return frozenset(
        service
        for step in steps
        if step.step == "verify" and step.state is StepState.SUCCEEDED
        if (service := services.of(step))
    )


class _Services:
    """Which service a step of one run is about, as environment/service where the environment is known."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._environments: dict[str, str] | None = None

    def of(self, step: Step) -> str | None:
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


def _environments(steps: Sequence[Step]) -> dict[str, str]:
    """By service the one environment that steps of the run name with it."""
    found: dict[str, set[str]] = {}
    for step in steps:
        for told in (step.inputs, step.outcome):
            service, environment = told.get("service"), told.get("environment")
            if isinstance(service, str) and isinstance(environment, str):
                found.setdefault(service, set()).add(environment)
    return {service: next(iter(names)) for service, names in found.items() if len(names) == 1}
