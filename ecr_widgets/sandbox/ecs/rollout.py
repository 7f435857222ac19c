"""ECS's own rules for the scheduler: rollout states, event messages, and when the circuit breaker trips.

Source: Amazon ECS Developer Guide, "Service event messages", "Circuit breaker"; Amazon ECS API, Deployment, ServiceDeployment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from ecr_widgets.sandbox.ecs.definitions import needed
from ecr_widgets.sandbox.ecs.entities import (
    COMPLETED,
    DRAINING,
    FAILED,
    IN_PROGRESS,
    INACTIVE,
    Revision,
    Rollout,
    Service,
    ServiceDeployment,
    Task,
    Wire,
)
from ecr_widgets.sandbox.ecs.names import new_deployment_key, new_number
from ecr_widgets.sandbox.ecs.shapes import breaker_threshold
from ecr_widgets.sandbox.ecs.stages import advance, begins_with_stages, hold
from ecr_widgets.sandbox.ecs.startup import Startup
from ecr_widgets.sandbox.ecs.target_groups import DEREGISTRATION_S
from ecr_widgets.sandbox.ecs.world import World, task_id
from ecr_widgets.sandbox.workloads import records
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.records import Copy, Deployment, Status
from ecr_widgets.sandbox.workloads.rules import Rules
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition

SETTLE_S = 1.0
"""Time until a task without a health check counts as healthy; 40 on AWS."""
DEFAULT_GRACE_S = 3
"""Stop timeout for a container that sets none; 30 on AWS."""
_FAILED_TO_START = "TaskFailedToStart"
_UNHEALTHY = "Task failed "
_GUIDE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
_BREAKER = "ECS deployment circuit breaker: tasks failed to start."


def begin_deployment(
    world: World, service: Service, definition_id: str, *, rollback_of: ServiceDeployment | None = None
) -> Deployment:
    """Add a new primary deployment to a service."""
    revision = Revision(new_number(), service.service_id, definition_id, dict(service.given))
    if rollback_of is not None:
        revision = world.store.revisions[rollback_of.rollback_to]
    under_way = rollback_of
    if under_way is None:
        _end_replaced(world, service)
        sources = [service.rollouts[each.deployment_id].revision_id for each in service.deployments]
        configuration = dict(service.given.get("deploymentConfiguration") or {})
        under_way = ServiceDeployment(
            key=new_deployment_key(),
            service_id=service.service_id,
            target=revision.revision_id,
            sources=sources,
            status=IN_PROGRESS,
            given=configuration,
            started_at_s=time.time(),
            breaker="MONITORING"
            if (configuration.get("deploymentCircuitBreaker") or {}).get("enable")
            else "DISABLED",
        )
    deployment = Deployment(definition_id)
    if rollback_of is None and begins_with_stages(under_way):
        hold(under_way, deployment)
    if rollback_of is not None:
        # A rollback runs the images that the revision ran before.
        deployment.images = dict(revision.images)
    service.rollouts[deployment.deployment_id] = Rollout(
        under_way.key,
        revision.revision_id,
        reason=f"ECS deployment {deployment.deployment_id} in progress.",
        is_rollback=rollback_of is not None,
    )
    service.deployments.insert(0, deployment)
    service.is_steady = False
    world.store.save(revision, under_way)
    return deployment


def roll_back(world: World, service: Service, reason: str) -> bool:
    """Roll back to what ran before the deployment in progress; False if there is nothing to roll back to."""
    failed = service.deployments[0]
    rollout = service.rollouts[failed.deployment_id]
    under_way = world.store.service_deployments[rollout.deployment_key]
    source = world.store.revisions.get(service.completed_revision)
    if source is None or rollout.is_rollback:
        return False
    under_way.rollback_to, under_way.rollback_at_s, under_way.rollback_reason = (
        source.revision_id,
        time.time(),
        reason,
    )
    under_way.status, under_way.updated_at_s = "ROLLBACK_IN_PROGRESS", time.time()
    under_way.traffic_percent = 0.0
    failed.given_up = True
    back = begin_deployment(world, service, source.definition_id, rollback_of=under_way)
    _fail(rollout, f"{reason.rstrip('.')}; rolling back to deploymentId {back.deployment_id}.")
    service.tell(
        f"(service {service.name}) (deployment {failed.deployment_id}) deployment failed: {reason.rstrip('.').lower()}."
    )
    service.tell(f"(service {service.name}) rolling back to deployment {back.deployment_id}.")
    world.store.save(service)
    return True


class EcsRules(Rules):
    """The rules of ECS's scheduler.

    Args:
        startup: Fetches what containers need before they start.
    """

    kept_stopped = 20

    def __init__(self, startup: Startup, balancers: Balancers, settle_s: float) -> None:
        self.settle_s = settle_s
        self.world: World
        self._startup = startup
        self._balancers = balancers

    def is_served(self, service: records.Service, copy: Copy) -> bool:
        return self._balancers.serves(service, copy)

    def grace_s(self, definition: ContainerDefinition) -> int:
        return DEFAULT_GRACE_S if definition.stopTimeout is None else definition.stopTimeout

    def prepare(self, owner: records.Service | records.Task, copy: Copy) -> Mapping[str, Mapping[str, str]]:
        assert isinstance(owner, Service | Task)
        return self._startup.prepare(self.world.store.definitions[copy.definition_id].given, copy)

    def has_room(self, service: records.Service, deployment: Deployment) -> bool:
        assert isinstance(service, Service)
        lacking = lacks(self.world, service.given, deployment.definition_id)
        if lacking:
            what = {"MEMORY": "memory", "CPU": "CPU units"}[lacking]
            service.tell(
                f"(service {service.name}) was unable to place a task because no container instance met all of its"
                f" requirements. The closest matching (container-instance {self.world.instance_id}) has insufficient"
                f" {what} available. {_GUIDE}",
                since_s=service.rollouts[deployment.deployment_id].created_at_s,
            )
        return not lacking

    def verdict(self, service: records.Service, copy: Copy) -> str:
        assert isinstance(service, Service)
        if copy.health == "UNHEALTHY":
            return "Task failed container health checks"
        arn = self.world.target_groups.unhealthy(service, copy) if copy.started_at_s else ""
        return f"Task failed ELB health checks in (target-group {arn})" if arn else ""

    async def before_stop(self, copy: Copy) -> None:
        service = next(
            (
                each
                for each in self.world.store.services.values()
                if each.target_groups and copy in each.copies
            ),
            None,
        )
        if service is None or copy.copy_id not in service.registered:
            return
        service.registered.remove(copy.copy_id)
        for arn in service.target_groups:
            service.tell(f"(service {service.name}) deregistered 1 targets in (target-group {arn})")
        copy.draining = True
        await asyncio.sleep(DEREGISTRATION_S)
        copy.draining = False

    def copies_started(self, service: records.Service, copies: Sequence[Copy]) -> None:
        assert isinstance(service, Service)
        service.is_steady = False
        service.tell(f"(service {service.name}) has started {len(copies)} tasks: {_listed(copies)}.")

    def copies_stopped(self, service: records.Service, copies: Sequence[Copy]) -> None:
        assert isinstance(service, Service)
        service.is_steady = False
        service.tell(f"(service {service.name}) has stopped {len(copies)} running tasks: {_listed(copies)}.")

    def stuck(self, service: records.Service) -> None:
        assert isinstance(service, Service)
        service.tell(
            f"(service {service.name}) was unable to stop or start tasks during a deployment because of the service"
            " deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            since_s=service.rollouts[service.deployments[0].deployment_id].created_at_s,
        )

    def copy_ended(self, service: records.Service, deployment: Deployment, copy: Copy) -> None:
        assert isinstance(service, Service)
        service.is_steady = False
        if copy.stop_code != _FAILED_TO_START and not copy.reason.startswith(_UNHEALTHY):
            return  # it ran, so ECS does not count it as failed
        rollout = service.rollouts[deployment.deployment_id]
        rollout.failed_tasks += 1
        rollout.updated_at_s = time.time()
        if deployment.failures >= 3:
            service.tell(
                f"(service {service.name}) is unable to consistently start tasks successfully. {_GUIDE}",
                since_s=rollout.created_at_s,
            )
        if rollout.state == IN_PROGRESS and deployment is service.deployments[0]:
            self._judge(service, deployment, rollout)

    def review(self, service: records.Service, ready: Sequence[Copy]) -> bool:
        assert isinstance(service, Service)
        if service.status == DRAINING:
            return self._end_draining(service)
        if not service.deployments:
            return False
        changed = self._register(service) or self._forgive(service, ready)
        primary = service.deployments[0]
        rollout = service.rollouts[primary.deployment_id]
        able = [copy for copy in ready if copy.deployment_id == primary.deployment_id]
        changed = self._advance(service, primary, len(able)) or changed
        alone = len(service.deployments) == 1 and len(service.copies_alive) == len(able)
        if not alone or len(able) != service.desired_count:
            return changed
        if not service.is_steady:
            service.is_steady = changed = True
            service.tell(f"(service {service.name}) has reached a steady state.")
        if rollout.state == IN_PROGRESS:
            self._complete(service, primary, rollout)
            changed = True
        return changed

    def _advance(self, service: Service, primary: Deployment, ready: int) -> bool:
        """Move on through the stages if the deployment has any."""
        rollout = service.rollouts[primary.deployment_id]
        under_way = self.world.store.service_deployments[rollout.deployment_key]
        if rollout.state != IN_PROGRESS or rollout.is_rollback:
            return False
        progress = advance(under_way, service, primary, ready)
        if progress.changed:
            self.world.store.save(under_way)
        if progress.refused:
            roll_back(self.world, service, progress.refused)
        return progress.changed

    def _judge(self, service: Service, deployment: Deployment, rollout: Rollout) -> None:
        """Trip the circuit breaker if it is enabled and enough tasks have failed."""
        under_way = self.world.store.service_deployments[rollout.deployment_key]
        under_way.failures = rollout.failed_tasks
        breaker = under_way.given.get("deploymentCircuitBreaker") or {}
        if (
            breaker.get("enable")
            and not rollout.is_rollback
            and rollout.failed_tasks >= breaker_threshold(under_way.given, service.desired_count)
        ):
            under_way.breaker = "TRIGGERED"
            if not (breaker.get("rollback") and roll_back(self.world, service, _BREAKER)):
                deployment.given_up = True
                _fail(rollout, _BREAKER)
                under_way.status, under_way.status_reason = "STOPPED", _BREAKER
                under_way.stopped_at_s = under_way.finished_at_s = time.time()
                service.tell(
                    f"(service {service.name}) (deployment {deployment.deployment_id}) deployment failed: tasks failed to start."
                )
        self.world.store.save(under_way)

    def _register(self, service: Service) -> bool:
        """Report in the events how many more copies are targets now."""
        fresh = [
            copy.copy_id
            for copy in service.copies_alive
            if copy.started_at_s and service.target_groups and copy.copy_id not in service.registered
        ]
        for arn in service.target_groups if fresh else ():
            service.tell(f"(service {service.name}) registered {len(fresh)} targets in (target-group {arn})")
        service.registered += fresh
        return bool(fresh)

    def _forgive(self, service: Service, ready: Sequence[Copy]) -> bool:
        """Reset a deployment's failure count once one of its tasks is healthy."""
        changed = False
        for deployment_id in {copy.deployment_id for copy in ready}:
            rollout = service.rollouts.get(deployment_id)
            if rollout is not None and rollout.failed_tasks and rollout.state == IN_PROGRESS:
                rollout.failed_tasks, changed = 0, True
        return changed

    def _complete(self, service: Service, primary: Deployment, rollout: Rollout) -> None:
        rollout.state, rollout.updated_at_s = COMPLETED, time.time()
        rollout.reason = f"ECS deployment {primary.deployment_id} completed."
        service.tell(f"(service {service.name}) (deployment {primary.deployment_id}) deployment completed.")
        service.rollouts, service.completed_revision = {primary.deployment_id: rollout}, rollout.revision_id
        under_way = self.world.store.service_deployments[rollout.deployment_key]
        under_way.status = "ROLLBACK_SUCCESSFUL" if rollout.is_rollback else "SUCCESSFUL"
        under_way.status_reason = under_way.rollback_reason
        if under_way.breaker == "MONITORING":
            under_way.breaker = "MONITORING_COMPLETE"
        under_way.finished_at_s = under_way.updated_at_s = time.time()
        self.world.store.save(under_way)

    def _end_draining(self, service: Service) -> bool:
        if any(copy.status != Status.STOPPED for copy in service.copies):
            return False
        service.status, service.deleting = INACTIVE, True
        service.deployments.clear()
        self.world.target_groups.drop_unused()
        return True


def lacks(world: World, given: Wire, definition_id: str) -> str:
    """What the one container instance lacks for a task: MEMORY, CPU, or nothing; Fargate lacks nothing."""
    if given.get("launchType", "EC2") != "EC2" or "capacityProviderStrategy" in given:
        return ""
    cpu, memory_mib = needed(world.store.definitions[definition_id].given)
    if memory_mib > world.machine.memory_mib:
        return "MEMORY"
    return "CPU" if cpu > world.machine.cpus * 1024 else ""


def _end_replaced(world: World, service: Service) -> None:
    """End the service deployment that a newer one replaces."""
    for rollout in service.rollouts.values():
        under_way = world.store.service_deployments[rollout.deployment_key]
        if not under_way.is_over:
            under_way.status, under_way.status_reason = "STOPPED", "A newer service deployment was started."
            under_way.stopped_at_s = under_way.finished_at_s = time.time()
            world.store.save(under_way)


def _fail(rollout: Rollout, reason: str) -> None:
    rollout.state, rollout.reason, rollout.updated_at_s = FAILED, reason, time.time()


def _listed(copies: Sequence[Copy]) -> str:
    return " ".join(f"(task {task_id(copy)})" for copy in copies)
