"""Services in their current state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ecr_widgets.adapters.ecs.copies import Copies
from ecr_widgets.adapters.ecs.decode import last_part, service
from ecr_widgets.adapters.ecs.places import Places
from ecr_widgets.adapters.ecs.rollouts import Rollouts
from ecr_widgets.adapters.ecs.scaling import ScalingBounds
from ecr_widgets.adapters.ecs.target_health import TargetHealth
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.services import Service, Summary

_AT_ONCE = 10


class Reading(Places, Copies, Rollouts, ScalingBounds, TargetHealth):
    """Implements the reading of services of `ports.services.Services`."""

    def find_service(self, environment_id: str, name: str) -> Service | None:
        raw = self._find_raw(self._address.cluster_name(environment_id), name)
        return self._whole(raw) if raw is not None else None

    def read_service(self, service_id: str) -> Service:
        return self._whole(self._raw(service_id))

    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        listed = [
            Summary(
                self._address.service(cluster, last_part(arn)),
                last_part(arn),
                self._address.cluster(cluster),
                f"ecs:{cluster}",
            )
            for cluster in self._clusters(environment_id)
            for arn in self._listed("ecs:ListServices", "serviceArns", cluster=cluster, maxResults=100)
        ]
        return tuple(sorted(listed, key=lambda each: (each.name, each.entity_id)))

    def _find_raw(self, cluster: str, name: str, **more: Any) -> Wire | None:
        """A service as DescribeServices reports it; None if it does not exist, or no longer exists."""
        found = self._described(
            "ecs:DescribeServices", "services", [name], at_once=_AT_ONCE, cluster=cluster, **more
        )
        return next((each for each in found if each.get("status") != "INACTIVE"), None)

    def _raw(self, service_id: str, **more: Any) -> Wire:
        cluster, name = self._address.in_cluster(service_id, "service")
        raw = self._find_raw(cluster, name, **more)
        if raw is None:
            raise EntityNotFound(
                f"service {name!r} does not exist in cluster {cluster!r}",
                hint=f"list them with `ecr-widgets service list ecs:{cluster}`",
            )
        return raw

    def _whole(self, raw: Wire) -> Service:
        """A service with what DescribeServices does not report: stop reasons, target health, scaling and stage."""
        found = self._decoded(raw)
        cluster = last_part(found.environment_id)
        reasons = self._stop_reasons(cluster, found.name)
        deployments = tuple(
            replace(each, stopped_reasons=reasons.get(each.deployment_id, ())) for each in found.deployments
        )
        if deployments and deployments[0].state != "COMPLETED":
            events = (*self._unhealthy(raw), *deployments[0].events)
            deployments = (replace(deployments[0], events=events), *deployments[1:])
        whole = replace(found, deployments=deployments, scaling=self._scaling(cluster, found.name))
        return self._with_stage(raw, whole)

    def _decoded(self, raw: Wire) -> Service:
        found = service(raw, self._address)
        self._begun.update({each.deployment_id: each for each in found.deployments})
        return found
