"""ECS's own record of each deployment, which it keeps after the service no longer lists the deployment.

A service names its deployments `ecs-svc/NUMBER`; this record has its own ARN and that of the service revision that was
deployed. The revision's number is usually the deployment's; if not, time and task definition identify the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from ecr_widgets.adapters.ecs.calls import Calls
from ecr_widgets.adapters.ecs.decode import decoded, last_part, moment, objects
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.model.services import Deployment, Service

_LOOKED_AT = 100
"""Records of one service that are read, newest first."""
_APART = timedelta(seconds=60)
_HOOK_IS_OVER = frozenset(("SUCCEEDED", "FAILED", "TIMED_OUT"))
_STATES = {
    "PENDING": "IN_PROGRESS",
    "IN_PROGRESS": "IN_PROGRESS",
    "SUCCESSFUL": "COMPLETED",
    # By a newer one; a failed one that is not rolled back stays on its service until then.
    "STOPPED": "STOPPED",
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """One record, with what is needed here."""

    arn: str
    state: str
    reason: str
    failed_count: int
    stage: str
    hook_id: str
    traffic_percent: float | None
    revision: str
    """ARN of the service revision that this deploys."""
    counts: tuple[int, int, int]
    """Desired, running, pending."""
    created_at: datetime


class Rollouts(Calls):
    """Reads ECS's records of deployments."""

    @cached_property
    def _begun(self) -> dict[str, Deployment]:
        """Deployments that services have listed so far, by id."""
        return {}

    @decoded
    def _with_stage(self, raw: Wire, service: Service) -> Service:
        """The service, with the current stage of its deployment if that runs in stages."""
        configuration = raw.get("deploymentConfiguration") or {}
        primary, current = service.primary, raw.get("currentServiceDeployment")
        in_stages = configuration.get("strategy", "ROLLING") != "ROLLING" or configuration.get(
            "lifecycleHooks"
        )
        if primary is None or not current or not in_stages or primary.state == "COMPLETED":
            return service
        found = self._rollout(str(current))
        if found is None:
            return service
        now = replace(
            primary, stage=found.stage, hook_id=found.hook_id, traffic_percent=found.traffic_percent
        )
        return replace(
            service, deployments=tuple(now if each is primary else each for each in service.deployments)
        )

    def _rollout(self, arn: str) -> Rollout | None:
        return next(self._rollouts([arn]), None)

    def _rollouts(self, arns: list[str]) -> Iterator[Rollout]:
        name = "serviceDeployments"
        raw = self._described(
            "ecs:DescribeServiceDeployments", name, arns, at_once=20, by="serviceDeploymentArns"
        )
        return map(_rollout, raw)

    def _find_rollout(self, cluster: str, service: str, deployment_id: str) -> tuple[Rollout, str] | None:
        """The record of a deployment and the deploy that it rolled out; None if ECS keeps none."""
        number = last_part(deployment_id)
        answer = self._read(
            "ecs:ListServiceDeployments", cluster=cluster, service=service, maxResults=_LOOKED_AT
        )
        briefs = [_brief(each) for each in objects(answer, "serviceDeployments")]
        begun = self._begun.get(deployment_id)
        fitting = [arn for arn, revision, _ in briefs if last_part(revision) == number]
        if not fitting and begun is not None:
            near = [(abs(at - begun.created_at), arn) for arn, _, at in briefs]
            fitting = [arn for apart, arn in sorted(near) if apart <= _APART]
        for found in self._rollouts(fitting):
            deploy_id = self._deploy_of(found.revision) or (begun.deploy_id if begun is not None else "")
            if begun is None or deploy_id == begun.deploy_id:
                return found, deploy_id
        return None

    def _deploy_of(self, revision: str) -> str:
        """The task definition of a service revision; empty if ECS no longer keeps it."""
        found = self._revisions([revision])
        return next((last_part(str(each.get("taskDefinition"))) for each in found), "")

    def _revisions(self, arns: list[str]) -> Iterator[Wire]:
        name = "serviceRevisions"
        return self._described(
            "ecs:DescribeServiceRevisions", name, arns, at_once=20, by="serviceRevisionArns"
        )


def as_deployment(found: Rollout, deployment_id: str, deploy_id: str) -> Deployment:
    """A deployment that its service no longer lists."""
    desired, running, pending = found.counts
    return Deployment(
        deployment_id,
        deploy_id,
        "INACTIVE",
        desired,
        running,
        pending,
        found.created_at,
        state=found.state,
        reason=found.reason,
        failed_count=found.failed_count,
        stage=found.stage,
        hook_id=found.hook_id,
        traffic_percent=found.traffic_percent,
    )


@decoded
def _brief(raw: Wire) -> tuple[str, str, datetime]:
    at = moment(raw["createdAt"])
    if at is None:
        raise ValueError("createdAt is not a time")
    return raw["serviceDeploymentArn"], str(raw.get("targetServiceRevisionArn") or ""), at


@decoded
def _rollout(raw: Wire) -> Rollout:
    target, breaker = raw.get("targetServiceRevision") or {}, raw.get("deploymentCircuitBreaker") or {}
    hooks = [
        each["hookId"]
        for each in objects(raw, "lifecycleHookDetails")
        if each.get("targetType") == "PAUSE" and each.get("status") not in _HOOK_IS_OVER
    ]
    arn, _, at = _brief(raw)
    return Rollout(
        arn,
        _state(raw["status"]),
        str(raw.get("statusReason") or (raw.get("rollback") or {}).get("reason") or ""),
        breaker.get("failureCount") or 0,
        str(raw.get("lifecycleStage") or ""),
        next(iter(hooks), ""),
        _percent(target.get("requestedProductionTrafficWeight")),
        str(target.get("arn") or ""),
        (
            target.get("requestedTaskCount") or 0,
            target.get("runningTaskCount") or 0,
            target.get("pendingTaskCount") or 0,
        ),
        at,
    )


def _percent(weight: object) -> float | None:
    return float(weight) if isinstance(weight, int | float) else None


def _state(status: str) -> str:
    """The state as a service's deployments report it. A deployment that was rolled back has failed, even if that went well."""
    return _STATES.get(status, "FAILED")
