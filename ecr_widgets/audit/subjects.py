"""What a run touched, in the terms that people search for: images by digest, services, repositories, deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ecr_widgets.audit.postconditions import is_digest
from ecr_widgets.audit.run import SUCCEEDED, Run
from ecr_widgets.model.record import DEPLOYS, StepRecord
from ecr_widgets.saved_runs.services import Services

_DIGEST_IN = re.compile(r"@(sha256:[0-9a-f]{64})")
_KINDS = {
    "digest": "digest", "registry_digest": "digest", "running_digest": "digest", "image": "image",
    "repository": "repository", "environment": "environment", "deploy_id": "deploy",
}  # fmt: skip
"""The kind of thing that each member of inputs and outcomes names."""
_ABOUT_SERVICE = DEPLOYS | {
    "check_target", "find_service", "wait", "verify", "scale_service", "delete_service", "adopt"
}  # fmt: skip
_NAMES_OF_ADOPTED = (("same_environment", "same_service"), ("to_environment", "to_service"))
"""Members of an `adopt` that name the service, besides those that all steps have."""


class Subjects(NamedTuple):
    """What one run did, and to what."""

    pairs: frozenset[tuple[str, str]]
    """Kind and name: `digest`, `service` (as environment/service), `repository`, `environment`, `deploy`.

    Intentions count too: a search for a service should also find the run that failed on it.
    """
    deployed: dict[str, bool]
    """Services that the run tried to deploy to, as environment/service, and whether it changed or may have changed them."""
    verified: frozenset[str]
    """Services, as environment/service, that the run found running the right image."""
    adopted: frozenset[str] = frozenset()
    """All names, as environment/service, of the service that the run adopted."""


def subjects_of(run: Run) -> Subjects:
    """Collect everything in one pass over a run's steps, because an index does it for 100,000 runs."""
    steps = run.steps
    services = Services(steps)
    is_plan = run.is_plan
    pairs: set[tuple[str, str]] = set()
    deployed: dict[str, bool] = {}
    verified: set[str] = set()
    adopted: set[str] = set()
    for step in steps:
        _note_names(step, pairs)
        if step.step == "check_evidence" and step.outcome.get("decision") == "overridden":
            # Without the reason: what is sealed may be published.
            pairs.add(("override", str(step.inputs.get("environment") or step.inputs.get("to_repository"))))
        if step.step not in _ABOUT_SERVICE or not (service := services.of(step)):
            continue
        pairs.add(("service", service))
        if step.step == "verify":
            if step.state is SUCCEEDED:
                verified.add(service)
        elif step.step == "adopt" and not is_plan and step.state is SUCCEEDED:
            adopted |= {service, *_other_names(step)}
        elif step.step in DEPLOYS and not is_plan:
            tried = bool(step.changed) or step.state is not SUCCEEDED
            deployed[service] = deployed.get(service, False) or tried
    pairs |= {("service", name) for name in adopted}
    return Subjects(frozenset(pairs), deployed, frozenset(verified), frozenset(adopted))


def _other_names(step: StepRecord) -> Iterator[str]:
    for members in _NAMES_OF_ADOPTED:
        environment, service = map(step.outcome.get, members)
        if isinstance(environment, str) and isinstance(service, str):
            yield f"{environment}/{service}"


def _note_names(step: StepRecord, pairs: set[tuple[str, str]]) -> None:
    for values in (step.inputs, step.outcome):
        for key, value in values.items():
            kind = _KINDS.get(key)
            if kind is None or not value or not isinstance(value, str):
                continue
            if kind == "image":
                if match := _DIGEST_IN.search(value):
                    pairs.add(("digest", match[1]))
            elif kind != "digest" or is_digest(value):
                pairs.add((kind, value))
