"""Target groups: moto's; one that a service uses also has a listening port on loopback, and real target health.

Source: Elastic Load Balancing API, DescribeTargetHealth, TargetHealth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ecr_widgets.sandbox.ecs.entities import INACTIVE, Service, Wire
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.records import Copy, HealthCheck, LoadBalancer, Port, Status
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

ADDRESS_TAG = "sandbox:address"
"""Tag on a target group with the address where it listens."""
DEREGISTRATION_S = 1.0
"""Time for connections to end before a task is stopped; 300 on AWS."""
LONGEST_FIRST_CHECKS_S = 10.0
"""Longest time, after its grace period, until a task that was never healthy counts as unhealthy."""
_IDLE_S = 60


class TargetGroups:
    """The target groups that services use."""

    def __init__(
        self, store: Store, scheduler: Scheduler, balancers: Balancers, neighbours: Neighbours
    ) -> None:
        self._store = store
        self._spawn = scheduler.spawn
        self._balancers = balancers
        self._neighbours = neighbours
        neighbours.target_health = self.health

    def exists(self, arn: str) -> bool:
        """Whether there is such a target group."""
        return self._neighbours.target_group(arn) is not None

    def attach(self, service: Service) -> None:
        """Listen for the target groups that a service uses now, and no longer for those that none uses."""
        balanced = {
            each["targetGroupArn"]: each
            for each in service.given["loadBalancers"]
            if each.get("targetGroupArn")
        }
        service.target_groups = list(balanced)
        for arn, each in balanced.items():
            group = self._neighbours.target_group(arn)
            if group is not None:
                balancer = _balancer(arn, group, self._port_key(service, each))
                balancer.ports[0].host_port = (
                    self._neighbours.listener_port(arn) or balancer.ports[0].host_port
                )
                self._spawn(self._listen(balancer))
        self.drop_unused()

    def drop_unused(self) -> None:
        """Stop listening for target groups that no service uses."""
        services = [each for each in self._store.services.values() if each.status != INACTIVE]
        for balancer in list(self._store.load_balancers.values()):
            if not any(each.is_behind(balancer.load_balancer_id) for each in services):
                self._store.remove(balancer)
                self._spawn(self._balancers.stop(balancer))

    def health(self, arn: str) -> list[Wire] | None:
        """A target group's TargetHealthDescriptions; None if no service uses it."""
        balancer = self._store.load_balancers.get(arn)
        if balancer is None:
            return None
        key = balancer.ports[0].container_port
        return [
            {"Target": {"Id": "127.0.0.1", "Port": port}, "HealthCheckPort": str(port), "TargetHealth": state}
            for copy, port in self._targets(arn, key)
            if (state := self._state(arn, copy)) is not None
        ]

    def unhealthy(self, service: Service, copy: Copy) -> str:
        """The target group that considers a copy unhealthy; empty if none does."""
        grace_s = service.given.get("healthCheckGracePeriodSeconds") or 0
        age_s = time.time() - copy.started_at_s
        for arn in service.target_groups:
            state, balancer = self._balancers.state(arn, copy.copy_id), self._store.load_balancers.get(arn)
            if state is None or balancer is None or state.in_service:
                continue
            check = balancer.health_check
            first_s = min(check.interval * check.unhealthy_threshold, LONGEST_FIRST_CHECKS_S)
            if state.bad >= check.unhealthy_threshold and age_s > grace_s + (first_s if state.new else 0):
                return arn
        return ""

    async def _listen(self, balancer: LoadBalancer) -> None:
        arn = balancer.load_balancer_id
        self._store.save(balancer)
        await self._balancers.listen(balancer)
        for address in self._balancers.addresses().get(arn, {}).values():
            self._neighbours.tag_target_group(arn, ADDRESS_TAG, address)

    def _targets(self, arn: str, key: int) -> Iterator[tuple[Copy, int]]:
        for service in self._store.services.values():
            if service.is_behind(arn):
                for copy in service.copies:
                    ports = {name: port for each in copy.containers for name, port in each.ports.items()}
                    if copy.status != Status.STOPPED and key in ports:
                        yield copy, ports[key]

    def _state(self, arn: str, copy: Copy) -> Wire | None:
        if copy.stopping:
            return (
                _target_health(
                    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
                )
                if copy.draining
                else None
            )
        state = self._balancers.state(arn, copy.copy_id)
        if state is None:
            return _target_health(
                "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
            )
        if state.in_service:
            return {"State": "healthy"}
        if state.new:
            return _target_health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        return _target_health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")

    def _port_key(self, service: Service, given: Wire) -> int:
        """The instance port for a container's port, the key to its published port in the scheduler's records."""
        definition = self._store.definitions[service.deployments[0].definition_id]
        for each in definition.given["containerDefinitions"]:
            if each["name"] == given.get("containerName"):
                for mapping in each["portMappings"]:
                    if mapping.get("containerPort") == given.get("containerPort"):
                        return int(mapping.get("hostPort") or mapping["containerPort"])
        return int(given.get("containerPort") or 0)


def _balancer(arn: str, group: Any, key: int) -> LoadBalancer:
    speaks_http = str(group.protocol).upper() in ("HTTP", "HTTPS")
    checks = str(group.health_check_protocol or group.protocol).upper()
    path = getattr(group, "health_check_path", None) or "/"
    return LoadBalancer(
        load_balancer_id=arn,
        ports=[
            Port(
                container_port=key, host_port=int(group.port or 80), protocol="HTTP" if speaks_http else "TCP"
            )
        ],
        health_check=HealthCheck(
            target=f"{checks}:{key}{path}" if checks in ("HTTP", "HTTPS") else f"TCP:{key}",
            interval=int(group.health_check_interval_seconds),
            timeout=int(group.health_check_timeout_seconds),
            healthy_threshold=int(group.healthy_threshold_count),
            unhealthy_threshold=int(group.unhealthy_threshold_count),
        ),
        idle_timeout=_IDLE_S,
        success_codes=str((getattr(group, "matcher", None) or {}).get("HttpCode") or "200"),
    )


def _target_health(state: str, reason: str, description: str) -> Wire:
    return {"State": state, "Reason": reason, "Description": description}
