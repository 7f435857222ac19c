"""What the steps need from Layer0 beyond what every deploy target offers.

Every call may raise Layer0Unavailable or Layer0Error; changes may raise OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.reading import reads
from ecr_widgets.ports.services import Services

if TYPE_CHECKING:
    from ecr_widgets.model.layer0 import Environment, Job
    from ecr_widgets.model.layer0_cluster import ClusterScale
    from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port
    from ecr_widgets.model.services import Summary


class Environments(Protocol):
    """Layer0's environments."""

    @reads
    def find_environment(self, name: str) -> Environment | None:
        """The environment with exactly that name or id, or None."""

    @reads
    def list_environments(self) -> tuple[Environment, ...]:
        """All environments, by name; some details come only with `read_environment`."""

    @reads
    def read_environment(self, environment_id: str) -> Environment:
        """One environment.

        Raises:
            EntityNotFound: No such environment.
        """

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
            max_count: Most instances; raised to `min_count` if it is lower.

            ami_id: Image of the instances; empty for the server's default.

            user_data: Go template of an instance's start script; empty for the server's default.
        """

    def update_environment(self, environment_id: str, *, min_count: int) -> None:
        """Change an environment's minimum number of instances."""

    def delete_environment(self, environment_id: str) -> str:
        """Request the deletion of an environment with everything in it, and return the job's id."""

    def link_environments(self, environment_id: str, other_id: str) -> None:
        """Let two environments talk to each other."""

    def unlink_environments(self, environment_id: str, other_id: str) -> None:
        """Remove a link between two environments."""


class LoadBalancers(Protocol):
    """Layer0's load balancers."""

    @reads
    def find_load_balancer(self, environment_id: str, name: str) -> LoadBalancer | None:
        """The load balancer with exactly that name in that environment, or None."""

    @reads
    def list_load_balancers(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """All load balancers, or those of one environment, by name."""

    @reads
    def read_load_balancer(self, load_balancer_id: str) -> LoadBalancer:
        """One load balancer.

        Raises:
            EntityNotFound: No such load balancer.
        """

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
            InputError: AWS would refuse it and leave it half made.
        """

    def update_load_balancer(
        self,
        load_balancer_id: str,
        *,
        ports: Sequence[Port] | None = None,
        health_check: HealthCheck | None = None,
        idle_timeout: int | None = None,
        cross_zone: bool | None = None,
    ) -> LoadBalancer:
        """Change what is given, each with its own call, and leave the rest.

        Raises:
            InputError: AWS would refuse it; nothing was changed.
        """

    def delete_load_balancer(self, load_balancer_id: str) -> str:
        """Request a load balancer's deletion and return the job's id."""


class Admin(Protocol):
    """Layer0's administration."""

    def scale_environment(self, environment_id: str) -> ClusterScale:
        """Run the scaler on an environment now, and return what it found.

        Raises:
            EntityNotFound: No such environment.
        """

    def restore_own_tags(self) -> None:
        """Have the server rewrite the tags of its own entities, which are called `api`."""


class Layer0(Environments, Services, LoadBalancers, Admin, Protocol):
    """Layer0's API. Every call may raise Layer0Unavailable or Layer0Error; changes may raise OutcomeUnknown."""

    def delete_service(self, service_id: str) -> str:
        """Request a service's deletion and return the job's id."""

    @reads
    def read_job(self, job_id: str) -> Job:
        """One job."""

    @reads
    def job_log(self, job: Job) -> tuple[str, ...]:
        """The last lines of a job's log, without times and levels; empty if they cannot be read."""

    @reads
    def list_jobs(self) -> tuple[Job, ...]:
        """All jobs that the server still reports."""

    def delete_job(self, job_id: str) -> None:
        """Delete a job, and stop the task that runs it."""
