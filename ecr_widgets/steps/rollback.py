"""Bring a service back to the deploy that it ran before."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ecr_widgets.errors import EcrWidgetsError, InputError, RollbackFailed, TargetBusy
from ecr_widgets.model.layer0 import Service
from ecr_widgets.ports import Clock, Layer0, ProgressSink, ignore_progress
from ecr_widgets.steps.reconcile import reconcile
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
    environment: str = ""


def earlier_deploy(
    layer0: Layer0, service: Service, proven: Callable[[], Collection[str]] = frozenset
) -> str | None:
    """Id of the deploy that going back means, of the same name and never newer than what stands; None where there is none.

    Where saved runs prove of some that the service ran them, the newest proven one before the newest of all: two failed
    deploys in a row do not lead back to the first of them. Without any proof, the version before the newest. A service that
    stands on such a deploy has been brought back already and stays, so that going back twice does not go back further.

    Args:
        proven: Gives ids of deploys that a run verified; called where it matters.
    """
    if service.primary is None:
        return None
    standing = layer0.read_deploy(service.primary.deploy_id)
    stored = sorted(layer0.list_deploys(standing.name), key=lambda each: each.version)
    older = [each for each in stored if each.version < standing.version]
    is_newest = standing.version == max((each.version for each in stored), default=standing.version)
    if is_newest and not older:
        return None
    known = proven()
    if not is_newest and (standing.deploy_id in known or not any(each.deploy_id in known for each in older)):
        return standing.deploy_id
    good = [each for each in older if each.deploy_id in known]
    return (good or older)[-1].deploy_id


def require_earlier(layer0: Layer0, service: str, deploy_id: str | None) -> str:
    """Give the id back of the deploy that a service is to go back to.

    Raises:
        InputError: There is none to go back to.

        EntityNotFound: The one named is not stored.
    """
    if not deploy_id:
        raise InputError(
            f"service {service!r} has no earlier deploy to go back to: it stands on the first of its name",
            hint="name another deploy as deploy_id, or scale the service to 0",
        )
    return layer0.read_deploy(deploy_id).deploy_id


def rollback(
    layer0: Layer0,
    clock: Clock,
    service_id: str,
    *,
    deploy_id: str | None,
    environment: str = "",
    timeout_s: float = 600.0,
    before_change: Callable[[str | None], None] = lambda _: None,
    run_id: str = "",
    progress: ProgressSink = ignore_progress,
) -> RollbackOutcome:
    """Move the service to an earlier deploy and wait until it is stable there.

    Args:
        deploy_id: The deploy to go back to; None where none is known.

        environment: Name of the service's environment, for the outcome.

        timeout_s: Longest wait, in seconds.

        before_change: Gets the deploy that the service stands on; may raise TargetBusy, and then nothing is changed.

        run_id: The run that goes back, for its errors.

    Raises:
        RollbackFailed: There is nothing to go back to, or the service does not run it either.

        TargetBusy: Somebody else has moved the service.
    """
    if deploy_id is None:
        raise RollbackFailed(
            f"service {service_id} has no earlier deploy to go back to",
            hint="mend the image or the Dockerrun and deploy again, or scale the service to 0",
        )
    try:
        service = layer0.read_service(service_id)
        left = service.primary.deploy_id if service.primary else None
        before_change(left)
        if left != deploy_id:
            reconcile(
                clock,
                lambda: layer0.update_service(service_id, deploy_id),
                lambda: _standing_on(layer0, service_id, deploy_id),
            )
        stable = wait_for_service(
            layer0,
            clock,
            service_id,
            deploy_id=deploy_id,
            timeout_s=timeout_s,
            run_id=run_id,
            progress=progress,
        )
    except TargetBusy:
        raise
    except EcrWidgetsError as error:
        raise RollbackFailed(
            f"service {service_id} could not be brought back to deploy {deploy_id}: {error.message}",
            hint=f"by hand: `ecr-widgets service deploy ENVIRONMENT SERVICE {deploy_id}`, then look at its logs",
        ) from error
    return RollbackOutcome(
        service_id,
        service.name,
        deploy_id,
        left,
        stable.waited_s,
        changed=left != deploy_id,
        environment=environment,
    )


def _standing_on(layer0: Layer0, service_id: str, deploy_id: str) -> Service | None:
    service = layer0.read_service(service_id)
    return service if service.primary is not None and service.primary.deploy_id == deploy_id else None
