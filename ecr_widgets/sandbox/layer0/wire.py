"""Answers as Layer0 writes them: every member is always present, in its order."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ecr_widgets.sandbox.layer0.certificate_names import full_arn, full_name
from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, Job, LoadBalancer, Service, Task
from ecr_widgets.sandbox.layer0.identifiers import task_arn
from ecr_widgets.sandbox.layer0.store import Store
from ecr_widgets.sandbox.workloads.records import Copy, Deployment, Port, Status

Wire = dict[str, Any]
_REASONS = "stopped_reasons"
"""A member of a deployment that the real server lacks."""


class Shapes:
    """Makes answers; names come from the tags, as everywhere in Layer0."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def environment(self, given: Environment) -> Wire:
        return {
            **self._named("environment", given.environment_id),
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
        named = self._named("environment", given.environment_id)
        return named | {"operating_system": given.operating_system}

    def deploy(self, given: Deploy) -> Wire:
        return {"dockerrun": base64.b64encode(given.document).decode(), **self.deploy_summary(given)}

    def deploy_summary(self, given: Deploy) -> Wire:
        tags = self._store.tags_of("deploy", given.deploy_id)
        return {**self._named("deploy", given.deploy_id), "version": tags.get("version", "")}

    def service_summary(self, given: Service) -> Wire:
        return self._named("service", given.service_id) | self._named("environment", given.environment_id)

    def service(self, given: Service) -> Wire:
        return {
            "deployments": [
                self._deployment(given, each, primary=number == 0)
                for number, each in enumerate(given.deployments)
            ],
            "desired_count": given.desired_count,
            **self._named("environment", given.environment_id),
            **self._named("load_balancer", given.load_balancer_id),
            **_counts(given, given.copies),
            **self._named("service", given.service_id),
        }

    def task_summary(self, given: Task) -> Wire:
        return self._named("task", given.task_id) | self._named("environment", given.environment_id)

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
        return {
            "copies": [{"details": details, "reason": given.copy.reason, "task_copy_id": arn}],
            **self._of_deploy(given.copy.definition_id),
            **self._named("environment", given.environment_id),
            **_counts(given, given.copies),
            **self._named("task", given.task_id),
        }

    def job(self, given: Job) -> Wire:
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
        named = self._named("load_balancer", given.load_balancer_id)
        return named | self._named("environment", given.environment_id)

    def load_balancer(self, given: LoadBalancer) -> Wire:
        """LoadBalancer, as GET returns it."""
        services = self._store.services.values()
        served = [each.service_id for each in services if each.load_balancer_id == given.load_balancer_id]
        return {
            "cross_zone": given.cross_zone,
            **self._named("environment", given.environment_id),
            "health_check": asdict(given.health_check),
            "idle_timeout": given.idle_timeout,
            "is_public": given.is_public,
            **self._named("load_balancer", given.load_balancer_id),
            "ports": [_full_port(each) for each in given.ports],
            **self._named("service", served[0] if served else ""),
            "url": _url(given.ports),
        }

    def _named(self, kind: str, entity_id: str) -> Wire:
        return {f"{kind}_id": entity_id, f"{kind}_name": self._store.name(kind, entity_id)}

    def _of_deploy(self, deploy_id: str) -> Wire:
        # A deleted deploy may still run, but has lost its tags.
        version = self._store.tags_of("deploy", deploy_id).get("version", "")
        return {**self._named("deploy", deploy_id), "deploy_version": version}

    def _deployment(self, service: Service, given: Deployment, *, primary: bool) -> Wire:
        counts = _counts(
            service, [copy for copy in service.copies if copy.deployment_id == given.deployment_id]
        )
        wire = {
            "created": given.created,
            **self._of_deploy(given.definition_id),
            "desired_count": service.desired_count if primary else sum(counts.values()),
            **counts,
            "status": "PRIMARY" if primary else "ACTIVE",
            "updated": given.updated,
            "deployment_id": given.deployment_id,
        }
        # Layer0 has no member for these; it is included only if there are any.
        return wire | ({_REASONS: list(given.stopped_reasons)} if given.stopped_reasons else {})


def without_reasons(value: Any) -> Any:
    """A service as the real server shows it; any other answer unchanged."""
    if not isinstance(value, dict) or "deployments" not in value:
        return value
    plain = [{key: item for key, item in each.items() if key != _REASONS} for each in value["deployments"]]
    return value | {"deployments": plain}


def _full_port(given: Port) -> Wire:
    # AWS knows a listener's certificate only by its ARN; Layer0 looks up the name.
    name, arn = given.certificate_name, given.certificate_arn
    return port(given) | {"certificate_name": full_name(name, arn), "certificate_arn": full_arn(name, arn)}


def port(given: Port) -> Wire:
    """Port, as given."""
    return {name: value for name, value in asdict(given).items() if name != "listening_port"}


def _counts(owner: Service | Task, copies: Iterable[Copy]) -> dict[str, int]:
    if isinstance(owner, Service) and owner.built_in:
        return {"pending_count": 0, "running_count": 1}
    states = [copy.status for copy in copies if not copy.stopping]
    return {"pending_count": states.count(Status.PENDING), "running_count": states.count(Status.RUNNING)}


def _url(ports: list[Port]) -> str:
    # A host name, to which people add the port that they asked for; if that was taken, it includes the actual port.
    moved = [each.listening_port for each in ports if each.listening_port not in (0, each.host_port)]
    return f"127.0.0.1:{moved[0]}" if moved else "127.0.0.1"
