"""Target groups: moto's, each with a listening port on the loopback and health checks of its own as soon as a service uses it."""

from __future__ import annotations

import asyncio
from typing import Any

from ecr_widgets.sandbox.ecs.entities import Service
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.records import HealthCheck, LoadBalancer, Port

_IDLE_S = 60


class TargetGroups:
    """The target groups that services are behind."""

    def __init__(self, store: Store, balancers: Balancers, neighbours: Neighbours) -> None:
        self._store = store
        self._balancers = balancers
        self._neighbours = neighbours
        self._opening: set[asyncio.Task[None]] = set()

    def exists(self, arn: str) -> bool:
        """Whether there is one."""
        return self._neighbours.target_group(arn) is not None

    def attach(self, service: Service) -> None:
        """Listen for the target groups that a service is behind now."""
        service.target_groups = [
            each["targetGroupArn"] for each in service.given["loadBalancers"] if each.get("targetGroupArn")
        ]
        for each in service.given["loadBalancers"]:
            arn = each.get("targetGroupArn", "")
            group = self._neighbours.target_group(arn)
            if group is not None:
                self._listen(arn, group, self._port_key(service, each))

    def _listen(self, arn: str, group: Any, port_key: int) -> None:
        speaks_http = str(group.protocol).upper() in ("HTTP", "HTTPS")
        port = Port(
            container_port=port_key,
            host_port=int(group.port or 80),
            protocol="HTTP" if speaks_http else "TCP",
        )
        path = group.healthcheck_path or "/"
        checks_http = str(group.healthcheck_protocol or group.protocol).upper() in ("HTTP", "HTTPS")
        balancer = LoadBalancer(
            load_balancer_id=arn,
            ports=[port],
            health_check=HealthCheck(
                target=f"HTTP:{port_key}{path}" if checks_http else f"TCP:{port_key}",
                interval=int(group.healthcheck_interval_seconds or 30),
                timeout=int(group.healthcheck_timeout_seconds or 5),
                healthy_threshold=int(group.healthy_threshold_count or 5),
                unhealthy_threshold=int(group.unhealthy_threshold_count or 2),
            ),
            idle_timeout=_IDLE_S,
        )
        self._store.save_load_balancer(balancer)
        task = asyncio.create_task(self._balancers.listen(balancer))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _port_key(self, service: Service, given: Any) -> int:
        definition = self._store.definitions[service.deployments[0].definition_id]
        for each in definition.given["containerDefinitions"]:
            if each["name"] == given.get("containerName"):
                for mapping in each["portMappings"]:
                    if mapping.get("containerPort") == given.get("containerPort"):
                        return int(mapping.get("hostPort") or mapping["containerPort"])
        return int(given.get("containerPort") or 0)
