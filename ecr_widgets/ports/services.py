"""What the runbooks' steps need from any deploy target: its environments, stored deploys, services and tasks.

Every call may raise the target's own error; changes may raise OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.reading import knows, reads

if TYPE_CHECKING:
    from ecr_widgets.model.services import (
        ContainerLog,
        Copy,
        Deploy,
        DeployLimits,
        Deployment,
        Dialect,
        Place,
        Service,
        Settings,
        Summary,
        Task,
        TaskRequest,
    )


class Services(Protocol):
    """A deploy target."""

    @knows
    def dialect(self) -> Dialect:
        """The format of its stored deploys."""

    @knows
    def address(self) -> str:
        """Where it is, which tells its environments apart from those with the same id elsewhere."""

    @knows
    def request(self, call: str) -> str:
        """The request that a changing call of this protocol sends, such as `Layer0: POST /deploy` for `create_deploy`."""

    @reads
    def version(self) -> str:
        """The server's version."""

    @reads
    def find_environment(self, name: str) -> Place | None:
        """The environment with exactly that name or id, or None."""

    @reads
    def list_environments(self) -> Sequence[Place]:
        """All environments, by name; some details come only with reading a single one."""

    @reads
    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        """All stored deploys with exactly that name, oldest first, without their Dockerruns."""

    @reads
    def list_all_deploys(self) -> tuple[Deploy, ...]:
        """All stored deploys, without their Dockerruns."""

    @knows
    def deploy_limits(self) -> DeployLimits | None:
        """How many of the newest deploys `list_deploys` and `list_all_deploys` return; None if they return all."""

    @reads
    def find_latest_deploy(self, name: str) -> Deploy | None:
        """The highest version with exactly that name, without its Dockerrun, or None."""

    @reads
    def read_deploy(self, deploy_id: str) -> Deploy:
        """One deploy with its Dockerrun.

        Raises:
            EntityNotFound: No such deploy.
        """

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        """Store a Dockerrun under a name; never repeated by the adapter."""

    def delete_deploy(self, deploy_id: str) -> None:
        """Delete a deploy; services that run it keep running."""

    @reads
    def find_service(self, environment_id: str, name: str) -> Service | None:
        """The service with exactly that name in that environment, or None."""

    @reads
    def read_service(self, service_id: str) -> Service:
        """One service in its current state.

        Raises:
            EntityNotFound: No such service.
        """

    def create_service(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        *,
        load_balancer_id: str = "",
        settings: Settings | None = None,
        token: str = "",
    ) -> Service:
        """Create a service, with one copy unless its settings say otherwise; never repeated by the adapter.

        Args:
            settings: How it is run; Layer0 has none.

            token: The same for each attempt to create this service, so that a target that supports it creates only one; at
                most 36 characters.
        """

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        """Move a service to a deploy and keep its number of copies; `primary` is the deployment that this started."""

    @reads
    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        """A deployment of the service, even if it has ended; None if the target does not keep it."""

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        """Have the target roll back a deployment in progress to what ran before.

        Raises:
            InputError: The target has no such call.
        """

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        """Continue a deployment that waits at a pause, or have the target roll it back.

        Raises:
            InputError: It does not wait at a pause, or the target has no pauses.
        """

    @reads
    def list_copies(self, service_id: str) -> tuple[Copy, ...] | None:
        """Copies that are running or starting, oldest first; None if the target does not report single copies."""

    @reads
    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        """Images by digest to which the target resolved the tags of this service, for current and later copies; empty if it
        resolves them for each copy.
        """

    @reads
    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        """Last lines of the deployment's copy that stopped last; if there are several, the newest copy is last.

        If copies cannot be told apart, the lines are those of the copies started last.
        """

    @reads
    def read_settings(self, service_id: str) -> Settings | None:
        """How a service is run; None if the target has no such settings."""

    @reads
    def never_fits(self, service_id: str, deploy_id: str) -> str:
        """Why none of the service's machines could ever run the deploy, even without other load; empty if one could, or if
        the target does not say.
        """

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        """Change how a service is run: only the settings that are given.

        Raises:
            InputError: One of them cannot be changed once the service exists.
        """

    @reads
    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """All services, or those of one environment, by name."""

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        """Request that many copies."""

    @reads
    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        """Log lines of the service's containers; with several copies a container's name appears several times.

        Args:
            tail: Number of last lines of each container; 0 for all.

            start: Aware time; Layer0 knows whole minutes only.

            end: Aware time.
        """

    @reads
    def task_requests(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: Mapping[str, Mapping[str, str]],
        *,
        run_id: str,
    ) -> frozenset[str]:
        """Ids of the requests for exactly this task that the target still reports; those of all runs if it cannot tell runs
        apart.
        """

    def start_task(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: Mapping[str, Mapping[str, str]],
        *,
        run_id: str,
        token: str,
        settings: Settings | None = None,
    ) -> str:
        """Request a task and return the request's id; never repeated by the adapter.

        Args:
            env_vars: Environment variables that override the deploy's, by container name.

            token: The same for each attempt to start this task, so that a target that supports it starts only one.

            settings: A service's settings that also apply to a task, such as its network.

        Raises:
            DeploymentFailed: The target has no room for it, or cannot run it; `reasons` says why.
        """

    @reads
    def read_task_request(self, request_id: str) -> TaskRequest:
        """What happened to a request.

        Raises:
            EntityNotFound: The target no longer reports it.
        """

    @reads
    def read_task(self, task_id: str) -> Task:
        """One task.

        Raises:
            EntityNotFound: No such task, or the target no longer reports it.
        """

    @reads
    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """Named tasks of all environments or of one, by name; these include the tasks that run jobs."""

    def delete_task(self, task_id: str) -> None:
        """Stop a task and delete it.

        Raises:
            EntityNotFound: No such task.
        """

    @reads
    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        """Log lines of the task's containers; for a job's task, what the job did. Arguments as for `service_logs`."""
