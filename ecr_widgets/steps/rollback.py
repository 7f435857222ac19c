"""Bring a service back to the deploy that it ran before."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ecr_widgets.errors import EcrWidgetsError, OutcomeUnknown, RollbackFailed
from ecr_widgets.model.layer0 import Service
from ecr_widgets.ports import Clock, Layer0, ProgressSink, ignore_progress
from ecr_widgets.steps.wait import wait_for_service


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """The service on the deploy that it was brought back to."""

    service_id: str
    service: str
    deploy_id: str
    left_deploy_id: str | None
    waited_s: float
    changed: bool


def earlier_deploy(layer0: Layer0, service: Service) -> str | None:
    """Id of the deploy before the newest one of the name that the service stands on; None where there is one only.

    Seen from the newest and not from what the service stands on, so that going back twice does not go back further.
    """
    if service.primary is None:
        return None
    standing = layer0.read_deploy(service.primary.deploy_id)
    stored = sorted(layer0.list_deploys(standing.name), key=lambda each: each.version)
    return stored[-2].deploy_id if len(stored) > 1 else None


def rollback(
    layer0: Layer0,
    clock: Clock,
    service_id: str,
    *,
    deploy_id: str | None,
    timeout_s: float = 600.0,
    progress: ProgressSink = ignore_progress,
) -> RollbackOutcome:
    """Move the service to an earlier deploy and wait until it is stable there.

    Args:
        deploy_id: The deploy to go back to; None where none is known.

        timeout_s: Longest wait, in seconds.

    Raises:
        RollbackFailed: There is nothing to go back to, or the service does not run it either.
    """
    if deploy_id is None:
        raise RollbackFailed(
            f"service {service_id} has no earlier deploy to go back to",
            hint="mend the image or the Dockerrun and deploy again, or scale the service to 0",
        )
    try:
        service = layer0.read_service(service_id)
        left = service.primary.deploy_id if service.primary else None
        if left != deploy_id:
            # Where the reply got lost, the wait tells whether it was done.
            with suppress(OutcomeUnknown):
                layer0.update_service(service_id, deploy_id)
        stable = wait_for_service(
            layer0, clock, service_id, deploy_id=deploy_id, timeout_s=timeout_s, progress=progress
        )
    except EcrWidgetsError as error:
        raise RollbackFailed(
            f"service {service_id} could not be brought back to deploy {deploy_id}: {error.message}",
            hint=f"by hand: `ecr-widgets service deploy ENVIRONMENT SERVICE {deploy_id}`, then look at its logs",
        ) from error
    return RollbackOutcome(service_id, service.name, deploy_id, left, stable.waited_s, left != deploy_id)
