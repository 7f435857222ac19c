"""What the steps need of Layer0; `ports` has it with the others.

Every call may raise Layer0Unavailable or Layer0Error; changes may raise OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ecr_widgets.model.layer0 import (
    ContainerLog,
    Deploy,
    Environment,
    Job,
    Service,
    Summary,
    Task,
)
from ecr_widgets.model.layer0_cluster import ClusterScale
from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port
from ecr_widgets.ports.reading import reads


class Environments(Protocol):
    """Layer0's environments."""

    @reads
    def find_environment(self, name: str) -> Environment | None:
        """The environment of exactly that name or id, or None."""
        ...

    @reads
    def list_environments(self) -> tuple[Environment, ...]:
        """All environments, by name, without what only reading one tells."""
        ...

    @reads
    def read_environment(self, environment_id: str) -> Environment:
        """One environment.

        Raises:
            EntityNotFound: No such environment.
        """
        ...

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
        """Create an environment; never repeated by the adapter.

        Args:
            max_count: Most instances; at least `min_count` are taken.

            ami_id: Image of the instances; empty for the server's own.

            user_data: Go template of what an instance runs at its start; empty for the server's own.
        """
        ...

    def update_environment(self, environment_id: str, *, min_count: int) -> None:
        """Change an environment's least number of instances."""
        ...

    def delete_environment(self, environment_id: str) -> str:
        """Ask for the deletion of an environment with all that is in it, and give back the job's id."""
        ...

    def link_environments(self, environment_id: str, other_id: str) -> None:
        """Let two environments talk to each other."""
        ...

    def unlink_environments(self, environment_id: str, other_id: str) -> None:
        """Take a link away."""
        ...


class LoadBalancers(Protocol):
    """Layer0's load balancers."""

    @reads
    def find_load_balancer(self, environment_id: str, name: str) -> LoadBalancer | None:
        """The load balancer of exactly that name in that environment, or None."""
        ...

    @reads
    def list_load_balancers(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """All load balancers, or those of one environment, by name."""
        ...

    @reads
    def read_load_balancer(self, load_balancer_id: str) -> LoadBalancer:
        """One load balancer.

        Raises:
            EntityNotFound: No such load balancer.
        """
        ...

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
        """Create a load balancer; never repeated by the adapter.

        Raises:
            InputError: AWS would refuse it and keep half of it.
        """
        ...

    def update_load_balancer(
        self,
        load_balancer_id: str,
        *,
        ports: Sequence[Port] | None = None,
        health_check: HealthCheck | None = None,
        idle_timeout: int | None = None,
        cross_zone: bool | None = None,
    ) -> LoadBalancer:
        """Change what is given, each by a call of its own, and leave the rest.

        Raises:
            InputError: AWS would refuse it; nothing was changed.
        """
        ...

    def delete_load_balancer(self, load_balancer_id: str) -> str:
        """Ask for a load balancer's deletion and give back the job's id."""
        ...


class Admin(Protocol):
    """Layer0's own affairs."""

    def scale_environment(self, environment_id: str) -> ClusterScale:
        """Have the scaler look after an environment at once, and tell what it found.

        Raises:
            EntityNotFound: No such environment.
        """
        ...

    def restore_own_tags(self) -> None:
        """Have the server write the tags of its own entities, called `api`, anew."""
        ...


class Layer0(Environments, LoadBalancers, Admin, Protocol):
    """Layer0's API. Every call may raise Layer0Unavailable or Layer0Error; changes may raise OutcomeUnknown."""

    @reads
    def version(self) -> str:
        """The server's version."""
        ...

    @reads
    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        """All stored deploys of exactly that name, oldest first, without their Dockerruns."""
        ...

    @reads
    def list_all_deploys(self) -> tuple[Deploy, ...]:
        """All stored deploys of any name, without their Dockerruns."""
        ...

    @reads
    def find_latest_deploy(self, name: str) -> Deploy | None:
        """The highest version of exactly that name, without its Dockerrun, or None."""
        ...

    @reads
    def read_deploy(self, deploy_id: str) -> Deploy:
        """One deploy with its Dockerrun.

        Raises:
            EntityNotFound: No such deploy.
        """
        ...

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        """Store a Dockerrun under a name; never repeated by the adapter."""
        ...

    def delete_deploy(self, deploy_id: str) -> None:
        """Forget a deploy; services that run it go on."""
        ...

    @reads
    def find_service(self, environment_id: str, name: str) -> Service | None:
        """The service of exactly that name in that environment, or None."""
        ...

    @reads
    def read_service(self, service_id: str) -> Service:
        """One service as it stands.

        Raises:
            EntityNotFound: No such service.
        """
        ...

    def create_service(
        self, environment_id: str, name: str, deploy_id: str, *, load_balancer_id: str = ""
    ) -> Service:
        """Create a service of one copy; never repeated by the adapter."""
        ...

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        """Move a service to a deploy."""
        ...

    @reads
    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """All services, or those of one environment, by name."""
        ...

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        """Ask for that many copies."""
        ...

    def delete_service(self, service_id: str) -> str:
        """Ask for a service's deletion and give back the job's id."""
        ...

    @reads
    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        """Log lines of the service's containers; with several copies a name comes several times.

        Args:
            tail: Last lines of each container; 0 for all.

            start: Aware time; Layer0 knows whole minutes only.

            end: Aware time.
        """
        ...

    def create_task(
        self, environment_id: str, name: str, deploy_id: str, overrides: Mapping[str, Mapping[str, str]]
    ) -> str:
        """Ask for a task and give back the job's id; overrides are env_vars by container name."""
        ...

    @reads
    def read_job(self, job_id: str) -> Job:
        """One job."""
        ...

    @reads
    def read_task(self, task_id: str) -> Task:
        """One task."""
        ...

    @reads
    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """Tasks that have a name, of all environments or one, by name; the tasks that run jobs among them."""
        ...

    def delete_task(self, task_id: str) -> None:
        """Stop a task and forget it.

        Raises:
            EntityNotFound: No such task.
        """
        ...

    @reads
    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        """Log lines of the task's containers; of a job's task, what the job did. Arguments as of `service_logs`."""
        ...

    @reads
    def list_jobs(self) -> tuple[Job, ...]:
        """All jobs that are still told of."""
        ...

    def delete_job(self, job_id: str) -> None:
        """Forget a job, and stop what runs it."""
        ...
