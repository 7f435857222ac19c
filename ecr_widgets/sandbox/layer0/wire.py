"""Answers as Layer0 writes them: every member always there, in its order."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from ecr_widgets.sandbox.layer0.certificates import full_arn, full_name
from ecr_widgets.sandbox.layer0.entities import (
    Copy,
    Deploy,
    Deployment,
    Environment,
    Job,
    LoadBalancer,
    Port,
    Service,
    Status,
    Task,
)
from ecr_widgets.sandbox.layer0.identifiers import task_arn
from ecr_widgets.sandbox.layer0.store import Store

Wire = dict[str, Any]
_REASONS = ("events", "stopped_reasons")
"""Members of a deployment that the real server has not."""


class Shapes:
    """Makes answers; names are what the tags say, as everywhere in Layer0."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def environment(self, given: Environment) -> Wire:
        """Environment."""
        return {
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
            "cluster_count": given.min_count,
            "min_count": given.min_count,
            "max_count": given.max_count,
            "target_cap_size": 0,
            "instance_size": given.instance_size,
            "security_group_id": given.security_group_id,
            "operating_system": given.operating_system,
            "ami_id": given.ami_id,
            "links": list(given.links),
        }

    def environment_summary(self, given: Environment) -> Wire:
        """EnvironmentSummary."""
        return {
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
            "operating_system": given.operating_system,
        }

    def deploy(self, given: Deploy) -> Wire:
        """Deploy."""
        return {"dockerrun": base64.b64encode(given.document).decode(), **self.deploy_summary(given)}

    def deploy_summary(self, given: Deploy) -> Wire:
        """DeploySummary."""
        tags = self._store.tags.get("deploy", {}).get(given.deploy_id, {})
        return {
            "deploy_id": given.deploy_id,
            "deploy_name": tags.get("name", ""),
            "version": tags.get("version", ""),
        }

    def service_summary(self, given: Service) -> Wire:
        """ServiceSummary."""
        return {
            "service_id": given.service_id,
            "service_name": self._store.name("service", given.service_id),
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
        }

    def service(self, given: Service) -> Wire:
        """Service."""
        return {
            "deployments": [
                self._deployment(given, each, primary=number == 0)
                for number, each in enumerate(given.deployments)
            ],
            "desired_count": given.desired_count,
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
            "load_balancer_id": given.load_balancer_id,
            "load_balancer_name": self._store.name("load_balancer", given.load_balancer_id),
            **(_counts(given.copies) if not given.built_in else {"pending_count": 0, "running_count": 1}),
            "service_id": given.service_id,
            "service_name": self._store.name("service", given.service_id),
        }

    def task_summary(self, given: Task) -> Wire:
        """TaskSummary."""
        return {
            "task_id": given.task_id,
            "task_name": self._store.name("task", given.task_id),
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
        }

    def task(self, given: Task) -> Wire:
        """Task, with exactly one copy."""
        details = [
            {
                "container_name": each.name,
                "exit_code": each.exit_code if each.status == Status.STOPPED else 0,
                "last_status": str(each.status),
                "reason": each.reason,
            }
            for each in given.copy.containers
        ]
        arn = task_arn(given.environment_id, given.copy.copy_id)
        tags = self._store.tags.get("deploy", {}).get(given.deploy_id, {})
        return {
            "copies": [{"details": details, "reason": given.copy.reason, "task_copy_id": arn}],
            "deploy_id": given.deploy_id,
            "deploy_name": tags.get("name", ""),
            "deploy_version": tags.get("version", ""),
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
            **_counts([given.copy]),
            "task_id": given.task_id,
            "task_name": self._store.name("task", given.task_id),
        }

    def job(self, given: Job) -> Wire:
        """Job."""
        return {
            "job_id": given.job_id,
            "task_id": given.task_id,
            "job_status": int(given.status),
            "job_type": int(given.job_type),
            "request": given.request,
            "time_created": given.created,
            "time_to_exist": 0,
            "meta": given.meta,
        }

    def load_balancer_summary(self, given: LoadBalancer) -> Wire:
        """LoadBalancerSummary."""
        return {
            "load_balancer_id": given.load_balancer_id,
            "load_balancer_name": self._store.name("load_balancer", given.load_balancer_id),
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
        }

    def load_balancer(self, given: LoadBalancer) -> Wire:
        """LoadBalancer as a GET answers it."""
        service = next(
            (s for s in self._store.services.values() if s.load_balancer_id == given.load_balancer_id), None
        )
        service_id = service.service_id if service is not None else ""
        return {
            "cross_zone": given.cross_zone,
            "environment_id": given.environment_id,
            "environment_name": self._store.name("environment", given.environment_id),
            "health_check": {
                "target": given.health_check.target,
                "interval": given.health_check.interval,
                "timeout": given.health_check.timeout,
                "healthy_threshold": given.health_check.healthy_threshold,
                "unhealthy_threshold": given.health_check.unhealthy_threshold,
            },
            "idle_timeout": given.idle_timeout,
            "is_public": given.is_public,
            "load_balancer_id": given.load_balancer_id,
            "load_balancer_name": self._store.name("load_balancer", given.load_balancer_id),
            "ports": [_full_port(each) for each in given.ports],
            "service_id": service_id,
            "service_name": self._store.name("service", service_id),
            "url": _url(given.ports),
        }

    def _deployment(self, service: Service, given: Deployment, *, primary: bool) -> Wire:
        tags = self._store.tags.get("deploy", {}).get(given.deploy_id, {})
        copies = [copy for copy in service.copies if copy.deployment_id == given.deployment_id]
        counts = _counts(copies) if not service.built_in else {"pending_count": 0, "running_count": 1}
        wire = {
            "created": given.created,
            "deploy_id": given.deploy_id,
            # A deleted deploy goes on running, and has lost its tags.
            "deploy_name": tags.get("name", ""),
            "deploy_version": tags.get("version", ""),
            "desired_count": service.desired_count if primary else sum(counts.values()),
            **counts,
            "status": "PRIMARY" if primary else "ACTIVE",
            "updated": given.updated,
            "deployment_id": given.deployment_id,
        }
        # Layer0 has no place for these; they are there only where there is something to tell.
        return wire | {
            key: list(told)
            for key, told in (("events", given.events), ("stopped_reasons", given.stopped_reasons))
            if told
        }


def without_reasons(value: Any) -> Any:
    """A service as the real server tells of it; any other answer as it is."""
    if not isinstance(value, dict) or "deployments" not in value:
        return value
    plain = [
        {key: item for key, item in each.items() if key not in _REASONS} for each in value["deployments"]
    ]
    return value | {"deployments": plain}


def _full_port(given: Port) -> Wire:
    # AWS knows a listener's certificate by its ARN alone; Layer0 looks up the name.
    name, arn = given.certificate_name, given.certificate_arn
    return port(given) | {"certificate_name": full_name(name, arn), "certificate_arn": full_arn(name, arn)}


def port(given: Port) -> Wire:
    """Port, as it was given."""
    return {
        "certificate_name": given.certificate_name,
        "certificate_arn": given.certificate_arn,
        "container_port": given.container_port,
        "host_port": given.host_port,
        "protocol": given.protocol,
    }


def _counts(copies: Iterable[Copy]) -> dict[str, int]:
    states = [copy.status for copy in copies if not copy.stopping]
    return {"pending_count": states.count(Status.PENDING), "running_count": states.count(Status.RUNNING)}


def _url(ports: list[Port]) -> str:
    # A host name, to which people add the port that they asked for; where that was taken, the one that listens.
    moved = [each.listening_port for each in ports if each.listening_port not in (0, each.host_port)]
    return f"127.0.0.1:{moved[0]}" if moved else "127.0.0.1"
