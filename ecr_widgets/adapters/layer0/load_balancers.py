"""Layer0's load balancers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.calls import Calls, segment
from ecr_widgets.model.layer0_load_balancer import (
    HealthCheck,
    LoadBalancer,
    Port,
    check_health_check,
    check_idle_timeout,
    check_ports,
)
from ecr_widgets.model.services import Summary


class LoadBalancers(Calls):
    """Implements `ports.layer0.LoadBalancers`."""

    def find_load_balancer(self, environment_id: str, name: str) -> LoadBalancer | None:
        found = {
            each: tags
            for each, tags in self._named("load_balancer", name, environment_id=environment_id).items()
            if tags.get("environment_id") == environment_id
        }
        load_balancer_id = self._only(found, "load balancer", name)
        return None if load_balancer_id is None else self.read_load_balancer(load_balancer_id)

    def list_load_balancers(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        listed = decode.summaries(self._transport.read("/loadbalancer/").value, "load_balancer")
        balancers = [each for each in listed if environment_id in (None, each.environment_id)]
        return tuple(sorted(balancers, key=lambda each: (each.name, each.entity_id)))

    def read_load_balancer(self, load_balancer_id: str) -> LoadBalancer:
        return decode.load_balancer(self._entity("/loadbalancer/", load_balancer_id, "load_balancer_id"))

    def create_load_balancer(
        self,
        environment_id: str,
        name: str,
        ports: Sequence[Port],
        *,
        health_check: HealthCheck,
        idle_timeout: int = 60,
        is_public: bool = True,
        cross_zone: bool = True,
    ) -> LoadBalancer:
        body = {
            "load_balancer_name": name,
            "environment_id": environment_id,
            "is_public": is_public,
            "ports": [_port(each) for each in check_ports(ports)],
            "health_check": _health_check(check_health_check(health_check)),
            "idle_timeout": check_idle_timeout(idle_timeout),
            "cross_zone": cross_zone,
        }
        return decode.load_balancer(self._changed("POST", "/loadbalancer/", body, "load_balancer_id"))

    def update_load_balancer(
        self,
        load_balancer_id: str,
        *,
        ports: Sequence[Port] | None = None,
        health_check: HealthCheck | None = None,
        idle_timeout: int | None = None,
        cross_zone: bool | None = None,
    ) -> LoadBalancer:
        changes: list[tuple[str, dict[str, Any]]] = []
        if ports is not None:
            changes.append(("ports", {"ports": [_port(each) for each in check_ports(ports)]}))
        if health_check is not None:
            checked = _health_check(check_health_check(health_check))
            changes.append(("healthcheck", {"health_check": checked}))
        if idle_timeout is not None:
            # The real server expects the value under this wrong name, and under no other.
            changes.append(("idletimeout", {"health_check": check_idle_timeout(idle_timeout)}))
        if cross_zone is not None:
            changes.append(("crosszone", {"cross_zone": cross_zone}))
        for word, body in changes:
            self._transport.change("PUT", f"/loadbalancer/{segment(load_balancer_id)}/{word}", body)
        return self.read_load_balancer(load_balancer_id)

    def delete_load_balancer(self, load_balancer_id: str) -> str:
        return self._job("DELETE", f"/loadbalancer/{segment(load_balancer_id)}")


def _port(port: Port) -> Mapping[str, Any]:
    is_arn = port.certificate.startswith("arn:")
    return {
        "certificate_name": "" if is_arn else port.certificate,
        "certificate_arn": port.certificate if is_arn else port.certificate_arn,
        "container_port": port.container_port,
        "host_port": port.host_port,
        "protocol": port.protocol,
    }


def _health_check(check: HealthCheck) -> Mapping[str, Any]:
    return {
        "target": check.target,
        "interval": check.interval,
        "timeout": check.timeout,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
    }
