"""What a run touched, as people ask for it: images by digest, services, repositories, deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecr_widgets.audit.found import Run
from ecr_widgets.audit.postconditions import is_digest
from ecr_widgets.model.record import StepState

_DIGEST_IN = re.compile(r"@(sha256:[0-9a-f]{64})")
_CHANGES_SERVICE = frozenset(("create_service", "update_service", "rollback"))


def touched(run: Run) -> frozenset[tuple[str, str]]:
    """Pairs of kind and name: `digest`, `service` (as environment/service), `repository`, `environment`, `deploy`.

    What was only intended counts too: who looks for a service wants to see the run that failed on it.
    """
    return frozenset(_pairs(run))


def _pairs(run: Run) -> Iterator[tuple[str, str]]:
    for step in run.steps:
        for told in (step.inputs, step.outcome):
            for key in ("digest", "registry_digest", "running_digest"):
                if is_digest(told.get(key)):
                    yield "digest", told[key]
            image = told.get("image")
            if isinstance(image, str) and (match := _DIGEST_IN.search(image)):
                yield "digest", match[1]
            for key, kind in (
                ("repository", "repository"),
                ("environment", "environment"),
                ("deploy_id", "deploy"),
            ):
                if isinstance(told.get(key), str) and told[key]:
                    yield kind, told[key]
        if step.step in _CHANGES_SERVICE or step.step in ("wait", "verify"):
            service = step.inputs.get("service") or step.outcome.get("service")
            environment = step.inputs.get("environment") or step.outcome.get("environment")
            if isinstance(service, str):
                yield "service", f"{environment}/{service}" if isinstance(environment, str) else service


def deployed(run: Run) -> tuple[tuple[str, bool], ...]:
    """Services that the run set out to change, as environment/service, and whether that changed them."""
    found: dict[str, bool] = {}
    if run.is_plan:
        return ()
    for step in run.steps:
        if step.step in _CHANGES_SERVICE:
            service, environment = step.inputs.get("service"), step.inputs.get("environment")
            if isinstance(service, str):
                name = f"{environment}/{service}" if isinstance(environment, str) else service
                found[name] = (
                    found.get(name, False) or bool(step.changed) or step.state is not StepState.SUCCEEDED
                )
    return tuple(found.items())
