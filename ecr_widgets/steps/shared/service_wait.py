"""Wait until a service runs its deploy and nothing else; end with a reason when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.errors import DeploymentFailed, TargetBusy, WaitTimeout
from ecr_widgets.model.services import ContainerLog, Deployment, Service
from ecr_widgets.ports import Clock, Progress, ProgressSink, ignore_progress
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.crash_loop import CrashLoop
from ecr_widgets.steps.shared.no_room import NoRoom
from ecr_widgets.steps.shared.polling import FIRST_PAUSE_S, SHOWS_AFTER_S, pauses, read_in_wait

GOOD_CHECKS = 3
"""Good checks in a row that make a service stable; a bad one starts the count again."""
CHECKS_UNTIL_SUPERSEDED = 3
"""Checks in a row that find the service on another deploy; the first may be older than the change."""
SETTLE_S = 0.5
"""Between good checks of a service that was just moved: containers that fail do so soon after they start."""
_LONGEST_COURSE = 60
YOUNG_S = 120.0
"""A deployment younger than this was just begun: by this run, by its first attempt or by somebody else."""

_FIX_IT = "look at the reasons and log lines, fix the image or the Dockerrun, then deploy again"


@dataclass(frozen=True, slots=True)
class EarlierLook:
    """A service as an earlier step of the run found it, and when, in seconds on the clock's monotonic time."""

    service: Service
    at_s: float


@dataclass(frozen=True, slots=True)
class WaitOutcome:
    """The service when it was found stable."""

    service_id: str
    service: str
    deploy_id: str
    desired_count: int
    running_count: int
    checks: int
    waited_s: float
    changed: bool = False
    copies_by_s: tuple[tuple[float, int, int], ...] = ()
    """The rollout: seconds waited, running copies of other deploys, and of this one, at each change; empty if none was seen."""


def wait_for_service(
    services: Services,
    clock: Clock,
    service_id: str,
    *,
    deploy_id: str,
    deployment_id: str = "",
    timeout_s: float = 600.0,
    good_checks: int = GOOD_CHECKS,
    earlier: EarlierLook | None = None,
    run_id: str = "",
    progress: ProgressSink = ignore_progress,
) -> WaitOutcome:
    """Wait until the service runs the deploy, all of its copies and nothing else, in consecutive checks.

    Args:
        deployment_id: The deployment that brings it there; empty if that is not known. If it failed, the wait does not
            succeed just because the target rolled back to another one that runs well.

        timeout_s: Longest wait, in seconds.

        good_checks: Good checks in a row that count as stable. They only follow each other closely if the
            deployment is no longer young and none of its containers has stopped.

        earlier: What the run saw before; the first good check if the service is still exactly so.

        run_id: The run that waits, for its errors.

    Raises:
        DeploymentFailed: Containers of the deploy stop again and again or cannot be placed, or the target gave it up;
            `reasons` and the last log lines say why.

        TargetBusy: Somebody else moved the service to another deploy meanwhile; what is waited for never comes.

        WaitTimeout: The deadline came first.
    """
    started_s = clock.monotonic_s()
    crashes, no_room = CrashLoop(deploy_id), NoRoom()
    good = checks = elsewhere = 0
    course: list[tuple[float, int, int]] = []
    for pause_s in pauses():
        service = read_in_wait(
            clock,
            lambda: services.read_service(service_id),
            deadline_s=started_s + timeout_s,
            missing_until_s=started_s + SHOWS_AFTER_S,
            progress=progress,
        )
        checks += 1
        waited_s = clock.monotonic_s() - started_s
        crashes.look(service, is_young=not _is_settled(service, clock.now()))
        course = _longer(course, waited_s, service, deploy_id)
        # A check is not good if a container was restarted since the last one, however well it runs now.
        good = good + 1 if _is_stable(service, deploy_id) and not crashes.has_grown else 0
        # Good checks follow each other evenly; a growing pause only suits a slow start.
        between_s = FIRST_PAUSE_S if _is_settled(service, clock.now()) and not crashes.reasons else SETTLE_S
        if good == checks == 1 and earlier is not None and earlier.service == service:
            passed_s = started_s - earlier.at_s
            if passed_s >= between_s:
                good += 1
            else:
                # Too soon after the earlier look to be another check.
                between_s -= passed_s
        progress(Progress(service.name, describe(service), good, good_checks, "good checks"))
        if good >= good_checks:
            return WaitOutcome(
                service_id,
                service.name,
                deploy_id,
                service.desired_count,
                service.running_count,
                checks,
                waited_s,
                copies_by_s=(*course, (waited_s, *course[-1][1:])) if len(course) > 1 else (),
            )
        failed = _failed(services, service, deploy_id, deployment_id)
        if failed is not None:
            raise DeploymentFailed(
                f"service {service.name!r} cannot run deploy {deploy_id}: {_why_failed(services, service, failed, crashes)}",
                reasons=(*crashes.counted_reasons, *filter(None, (failed.reason,))),
                log=_last_lines(services.crash_logs(service_id, failed.deployment_id, tail=20)),
                hint=_FIX_IT,
            )
        primary = service.primary
        elsewhere = elsewhere + 1 if primary is not None and primary.deploy_id != deploy_id else 0
        if primary is not None and elsewhere >= CHECKS_UNTIL_SUPERSEDED:
            raise TargetBusy(
                f"service {service.name!r} was moved to deploy {primary.deploy_id} by somebody else while this run waited"
                f" for deploy {deploy_id}",
                run_id=run_id,
                holder="somebody elsewhere",
                hint="find out who works on it, then deploy again if that is still wanted",
            )
        if no_room.look(
            service,
            clock.monotonic_s(),
            lambda: services.read_settings(service_id),
            lambda: services.never_fits(service_id, deploy_id),
        ):
            raise DeploymentFailed(
                f"service {service.name!r} cannot run deploy {deploy_id}: {no_room.reason}",
                reasons=(no_room.reason,),
                hint="add capacity, or let its containers reserve less",
            )
        if crashes.is_hopeless:
            raise DeploymentFailed(
                f"service {service.name!r} cannot run deploy {deploy_id}: {crashes.reasons[-1]}",
                reasons=crashes.counted_reasons,
                log=_last_lines(services.crash_logs(service_id, crashes.deployment_id, tail=20)),
                hint=_FIX_IT,
            )
        if waited_s >= timeout_s:
            reasons = "; ".join(
                (
                    *crashes.reasons[-2:],
                    *_last_lines(services.crash_logs(service_id, crashes.deployment_id, tail=5)),
                )
            )
            raise WaitTimeout(
                f"service {service.name!r} is not stable on deploy {deploy_id} after {waited_s:.0f} s:"
                f" {describe(service)}" + (f"; {reasons}" if reasons else ""),
                waited_s=waited_s,
                last_seen=describe(service),
                hint="look at the service's logs, or wait longer",
            )
        clock.sleep(between_s if good else min(pause_s, max(timeout_s - waited_s, FIRST_PAUSE_S)))
    raise AssertionError  # the pauses never end


def describe(service: Service) -> str:
    """One line for people: counts and deployments."""
    deployments = ", ".join(map(_describe, service.deployments))
    pending = f" ({service.pending_count} pending)" if service.pending_count else ""
    return (
        f"{service.running_count}/{service.desired_count} running{pending}: {deployments or 'no deployment'}"
    )


def _longer(
    course: list[tuple[float, int, int]], waited_s: float, service: Service, deploy_id: str
) -> list[tuple[float, int, int]]:
    ours = sum(each.running_count for each in service.deployments if each.deploy_id == deploy_id)
    others = sum(each.running_count for each in service.deployments) - ours
    if course and course[-1][1:] == (others, ours):
        return course
    # A service that never settles would fill the record: if there are many points, every second one is enough.
    kept = course if len(course) < _LONGEST_COURSE else course[::2]
    return [*kept, (waited_s, others, ours)]


def _describe(deployment: Deployment) -> str:
    counts = f"{deployment.deploy_id} {deployment.running_count}/{deployment.desired_count}"
    waits = "waits at a pause until somebody continues it" if deployment.hook_id else ""
    details = (deployment.status, deployment.stage.replace("_", " "), deployment.traffic, waits)
    return f"{counts} {', '.join(each.lower() for each in details if each)}"


def _failed(services: Services, service: Service, deploy_id: str, deployment_id: str) -> Deployment | None:
    """The deployment if the target has given it up, or else None; by then the service may no longer list it."""
    primary = service.primary
    for each in service.deployments:
        is_ours = each.deployment_id == deployment_id if deployment_id else each.deploy_id == deploy_id
        if is_ours:
            return each if each.state == "FAILED" else None
    if not deployment_id or primary is None or primary.deploy_id == deploy_id:
        return None  # another deployment of the same deploy: it runs, or will run, what is waited for
    ended = services.find_deployment(service.service_id, deployment_id)
    return ended if ended is not None and ended.state == "FAILED" else None


def _why_failed(services: Services, service: Service, failed: Deployment, crashes: CrashLoop) -> str:
    primary = service.primary
    back = ""
    if primary is not None and primary.deployment_id != failed.deployment_id:
        back = f"{services.dialect()} brought it back to {primary.deploy_id}: "
    whys = [each.rstrip(".") for each in (failed.reason, *crashes.reasons[-1:]) if each]
    return back + (": ".join(whys) or "no reason is reported")


def _is_stable(service: Service, deploy_id: str) -> bool:
    primary = service.primary
    return (
        primary is not None
        and primary.deploy_id == deploy_id
        and primary.state in ("", "COMPLETED")
        and primary.running_count == primary.desired_count == service.desired_count
        and service.pending_count == 0
        and all(d.running_count == 0 for d in service.deployments if d is not primary)
    )


def _is_settled(service: Service, now: datetime) -> bool:
    primary = service.primary
    # If a server reports no time, its deployment has year 1 and might be young.
    return (
        primary is not None
        and primary.created_at.year > 1
        and (now - primary.created_at).total_seconds() >= YOUNG_S
    )


def _last_lines(logs: tuple[ContainerLog, ...]) -> tuple[str, ...]:
    return tuple(f"{log.name}: {line}" for log in logs for line in log.lines[-5:])
