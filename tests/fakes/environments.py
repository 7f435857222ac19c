"""The parts of Layer0 beside deploys, services and tasks, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.layer0 import Environment, Job, JobState
from ecr_widgets.model.layer0_cluster import ClusterScale
from ecr_widgets.model.layer0_load_balancer import (
    HealthCheck,
    LoadBalancer,
    Port,
    check_health_check,
    check_idle_timeout,
    check_ports,
)
from ecr_widgets.model.services import Service, Summary


class FakeEnvironments:
    """Implements `ports.layer0.Environments` and `ports.layer0.LoadBalancers`; jobs have ended when they are asked for."""

    def __init__(self) -> None:
        self.environments = {"demo": Environment("demo24e9e412", "demo", "linux")}
        self.load_balancers: dict[str, LoadBalancer] = {}
        self.services: dict[str, Service] = {}
        self.jobs: dict[str, Job] = {}
        self._ids = 0
        self.restored = 0

    def find_environment(self, name: str) -> Environment | None:
        return next((e for e in self.environments.values() if name in (e.name, e.environment_id)), None)

    def list_environments(self) -> tuple[Environment, ...]:
        return tuple(sorted(self.environments.values(), key=lambda each: each.name))

    def read_environment(self, environment_id: str) -> Environment:
        found = self.find_environment(environment_id)
        if found is None or found.environment_id != environment_id:
            raise EntityNotFound(f"no environment {environment_id}", status=404, code=24)
        return found

    def create_environment(
        self,
        name: str,
        *,
        instance_size: str = "m3.medium",
        min_count: int = 0,
        max_count: int = 0,
        operating_system: str = "linux",
        ami_id: str = "",
        user_data: bytes = b"",
    ) -> Environment:
        most = max(min_count, max_count)
        self.environments[name] = Environment(
            self.new_id(name), name, operating_system, min_count, min_count, most, instance_size
        )
        return self.environments[name]

    def update_environment(self, environment_id: str, *, min_count: int) -> None:
        found = self.read_environment(environment_id)
        self.environments[found.name] = replace(
            found, min_count=min_count, max_count=max(found.max_count, min_count)
        )

    def delete_environment(self, environment_id: str) -> str:
        found = self.find_environment(environment_id)
        if found is not None:
            del self.environments[found.name]
            for kept in (self.services, self.load_balancers):
                for key in [k for k, v in kept.items() if v.environment_id == environment_id]:
                    del kept[key]
        return self.ended(environment_id, failed=found is None)

    def link_environments(self, environment_id: str, other_id: str) -> None:
        for one, other in ((environment_id, other_id), (other_id, environment_id)):
            found = self.read_environment(one)
            self.environments[found.name] = replace(found, links=(*found.links, other))

    def unlink_environments(self, environment_id: str, other_id: str) -> None:
        for one, other in ((environment_id, other_id), (other_id, environment_id)):
            found = self.read_environment(one)
            self.environments[found.name] = replace(
                found, links=tuple(each for each in found.links if each != other)
            )

    def find_load_balancer(self, environment_id: str, name: str) -> LoadBalancer | None:
        wanted = (environment_id, name)
        return next((b for b in self.load_balancers.values() if (b.environment_id, b.name) == wanted), None)

    def list_load_balancers(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(
            Summary(b.load_balancer_id, b.name, b.environment_id, self._name(b.environment_id))
            for b in sorted(self.load_balancers.values(), key=lambda each: each.name)
            if environment_id in (None, b.environment_id)
        )

    def read_load_balancer(self, load_balancer_id: str) -> LoadBalancer:
        if load_balancer_id not in self.load_balancers:
            raise EntityNotFound(f"no load balancer {load_balancer_id}", status=404, code=26)
        return self.load_balancers[load_balancer_id]

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
        made = LoadBalancer(
            self.new_id(name),
            name,
            environment_id,
            "",
            is_public,
            check_ports(ports),
            check_health_check(health_check),
            check_idle_timeout(idle_timeout),
            cross_zone,
            None,
        )
        self.load_balancers[made.load_balancer_id] = replace(made, url="127.0.0.1")
        return made

    def update_load_balancer(
        self,
        load_balancer_id: str,
        *,
        ports: Sequence[Port] | None = None,
        health_check: HealthCheck | None = None,
        idle_timeout: int | None = None,
        cross_zone: bool | None = None,
    ) -> LoadBalancer:
        found = self.read_load_balancer(load_balancer_id)
        self.load_balancers[load_balancer_id] = replace(
            found,
            ports=found.ports if ports is None else check_ports(ports),
            health_check=found.health_check if health_check is None else check_health_check(health_check),
            idle_timeout=found.idle_timeout if idle_timeout is None else check_idle_timeout(idle_timeout),
            cross_zone=found.cross_zone if cross_zone is None else cross_zone,
        )
        return self.load_balancers[load_balancer_id]

    def delete_load_balancer(self, load_balancer_id: str) -> str:
        found = self.load_balancers.pop(load_balancer_id, None)
        return self.ended(load_balancer_id, failed=found is None)

    def scale_environment(self, environment_id: str) -> ClusterScale:
        count = self.read_environment(environment_id).cluster_count
        return ClusterScale(environment_id, count, count, count, 0, (), ())

    def restore_own_tags(self) -> None:
        self.restored += 1

    def new_id(self, name: str) -> str:
        """An id of twelve characters that no other entity has."""
        self._ids += 1
        stem = "".join(filter(str.isalnum, name))[:7]
        return stem + f"{self._ids:012x}"[len(stem) :]

    def ended(self, request: str, *, failed: bool = False, meta: tuple[tuple[str, str], ...] = ()) -> str:
        """A job that has ended, and its id."""
        job_id = f"job{len(self.jobs):09d}"
        state = JobState.ERROR if failed else JobState.COMPLETED
        self.jobs[job_id] = Job(job_id, state, meta, f"run{len(self.jobs):09d}", request)
        return job_id

    def _name(self, environment_id: str) -> str:
        found = self.find_environment(environment_id)
        return found.name if found is not None else ""
