"""The kit's steps for Layer0's environments, load balancers, links, scale and deletions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ecr_widgets.model.layer0_cluster import ClusterScale
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps import layer0_entities as entities
from ecr_widgets.steps import layer0_upkeep as upkeep
from ecr_widgets.steps.deploy_service import find_environment

if TYPE_CHECKING:
    from ecr_widgets.kit.connections import Connections
    from ecr_widgets.recording.recorder import Recorder
    from ecr_widgets.targets import Targets

Outcome = TypeVar("Outcome")


class Layer0Steps:
    """What `kit.layer0` gives: each call leaves its record."""

    def __init__(self, connections: Connections, recorder: Recorder, targets: Targets) -> None:
        self._to = connections
        self._recorder = recorder
        self._targets = targets

    def create_environment(
        self,
        environment: str,
        *,
        instance_size: str = "m3.medium",
        min_count: int = 0,
        max_count: int = 0,
        operating_system: str = "linux",
        ami_id: str = "",
        user_data: bytes = b"",
    ) -> entities.EnvironmentOutcome:
        """Create the environment where it is missing; one that stands is left as it is."""
        return self._recorder.perform(
            "create_environment",
            # User data may hold secrets; that there are some tells enough.
            {
                "environment": environment,
                "instance_size": instance_size,
                "min_count": min_count,
                "max_count": max_count,
                "operating_system": operating_system,
                "ami_id": ami_id,
                "user_data_bytes": len(user_data),
            },
            lambda _: entities.create_environment(
                self._to.layer0,
                self._to.clock,
                environment,
                instance_size=instance_size,
                min_count=min_count,
                max_count=max_count,
                operating_system=operating_system,
                ami_id=ami_id,
                user_data=user_data,
            ),
        )

    def set_min_count(self, environment: str, min_count: int) -> upkeep.MinCountOutcome:
        """Bring an environment to a least number of instances."""
        return self._recorder.perform(
            "set_min_count",
            {"environment": environment, "min_count": min_count},
            lambda _: upkeep.set_min_count(self._to.layer0, environment, min_count),
        )

    def create_load_balancer(
        self,
        environment: str,
        load_balancer: str,
        ports: Sequence[Port],
        *,
        health_check: HealthCheck,
        idle_timeout: int = 60,
        is_public: bool = True,
        cross_zone: bool | None = None,
    ) -> entities.LoadBalancerOutcome:
        """Create the load balancer where it is missing, else bring it to these ports and this check."""
        return self._recorder.perform(
            "create_load_balancer",
            {
                "environment": environment,
                "load_balancer": load_balancer,
                "ports": [f"{p.host_port}:{p.container_port}/{p.protocol.lower()}" for p in ports],
                "health_check": health_check.target,
                "idle_timeout": idle_timeout,
                "is_public": is_public,
                "cross_zone": cross_zone,
            },
            lambda _: entities.create_load_balancer(
                self._to.layer0,
                self._to.clock,
                environment,
                load_balancer,
                ports,
                health_check=health_check,
                idle_timeout=idle_timeout,
                is_public=is_public,
                cross_zone=cross_zone,
            ),
        )

    def link_environments(self, environment: str, other: str, *, linked: bool = True) -> entities.LinkOutcome:
        """Let two environments talk to each other, or no longer."""
        return self._recorder.perform(
            "link_environments",
            {"environment": environment, "other": other, "linked": linked},
            lambda _: entities.link_environments(self._to.layer0, environment, other, linked=linked),
        )

    def scale_service(
        self, environment: str, service: str, count: int, *, wait: bool = True, timeout_s: float = 600.0
    ) -> entities.ScaleOutcome:
        """Bring a service to a number of copies, and wait until they run."""
        return self._held(
            "scale_service",
            {"environment": environment, "service": service, "count": count},
            environment,
            service,
            lambda progress: entities.scale_service(
                self._to.layer0,
                self._to.clock,
                environment,
                service,
                count,
                wait=wait,
                timeout_s=timeout_s,
                progress=progress,
            ),
        )

    def delete_service(
        self, environment: str, service: str, *, timeout_s: float = 900.0
    ) -> entities.DeletionOutcome:
        """Delete a service and wait until it is gone; one that is gone is no error."""
        return self._held(
            "delete_service",
            {"environment": environment, "service": service},
            environment,
            service,
            lambda _: entities.delete_service(
                self._to.layer0, self._to.clock, environment, service, timeout_s=timeout_s
            ),
        )

    def delete_load_balancer(
        self, environment: str, load_balancer: str, *, timeout_s: float = 900.0
    ) -> entities.DeletionOutcome:
        """Delete a load balancer and wait until it is gone; one that is gone is no error."""
        return self._recorder.perform(
            "delete_load_balancer",
            {"environment": environment, "load_balancer": load_balancer},
            lambda _: entities.delete_load_balancer(
                self._to.layer0, self._to.clock, environment, load_balancer, timeout_s=timeout_s
            ),
        )

    def delete_environment(self, environment: str, *, timeout_s: float = 1800.0) -> entities.DeletionOutcome:
        """Delete an environment with all that is in it; one that is gone is no error."""
        return self._recorder.perform(
            "delete_environment",
            {"environment": environment},
            lambda _: entities.delete_environment(
                self._to.layer0, self._to.clock, environment, timeout_s=timeout_s
            ),
        )

    def scale_environment(self, environment: str) -> ClusterScale:
        """Have Layer0's scaler look after an environment's instances at once, and tell what it found."""
        layer0 = self._to.layer0
        return self._recorder.perform(
            "scale_environment",
            {"environment": environment},
            lambda _: layer0.scale_environment(find_environment(layer0, environment).environment_id),
        )

    def restore_own_tags(self) -> upkeep.TagsOutcome:
        """Have Layer0 write the tags of its own entities, called `api`, anew."""
        return self._recorder.perform(
            "restore_own_tags", {}, lambda _: upkeep.restore_own_tags(self._to.layer0)
        )

    def delete_deploy(self, deploy_id: str) -> entities.DeletionOutcome:
        """Forget a stored deploy; services that run it go on, and one that is gone is no error."""
        return self._recorder.perform(
            "delete_deploy",
            {"deploy_id": deploy_id},
            lambda _: upkeep.delete_deploy(self._to.layer0, deploy_id),
        )

    def delete_task(self, task_id: str) -> entities.DeletionOutcome:
        """Stop a task and forget it; one that is gone is no error."""
        return self._recorder.perform(
            "delete_task", {"task_id": task_id}, lambda _: upkeep.delete_task(self._to.layer0, task_id)
        )

    def delete_job(self, job_id: str) -> entities.DeletionOutcome:
        """Forget a job and stop what runs it; one that is gone is no error."""
        return self._recorder.perform(
            "delete_job", {"job_id": job_id}, lambda _: upkeep.delete_job(self._to.layer0, job_id)
        )

    def _held(
        self,
        step: str,
        inputs: dict[str, object],
        environment: str,
        service: str,
        act: Callable[[ProgressSink], Outcome],
    ) -> Outcome:
        """Act while no other run changes the service."""

        def held(progress: ProgressSink) -> Outcome:
            where = find_environment(self._to.layer0, environment)
            with self._targets.hold(self._targets.service(where.environment_id, service)):
                return act(progress)

        return self._recorder.perform(step, inputs, held)
