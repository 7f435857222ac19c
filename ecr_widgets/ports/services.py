"""What the runbooks' steps need of any deploy target: a place where services run, its stored deploys, services and tasks.

Every call may raise the target's own error; changes may raise OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.reading import reads

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

    @reads
    def dialect(self) -> Dialect:
        """What its stored deploys are written in."""
        ...

    @reads
    def address(self) -> str:
        """Where it is: what sets a place of it apart from one of the same id elsewhere."""
        ...

    @reads
    def request(self, call: str) -> str:
        """What a changing call of this protocol asks, such as `Layer0: POST /deploy` for `create_deploy`."""
        ...

    @reads
    def version(self) -> str:
        """The server's version."""
        ...

    @reads
    def find_environment(self, name: str) -> Place | None:
        """The environment of exactly that name or id, or None."""
        ...

    @reads
    def list_environments(self) -> Sequence[Place]:
        """All environments, by name, without what only reading one tells."""
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
    def deploy_limits(self) -> DeployLimits | None:
        """How many of the newest those two list; None where they list all."""
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
        """One service as it is.

        Raises:
            EntityNotFound: No such service.
        """
        ...

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
        """Create a service, of one copy unless its settings say another number; never repeated by the adapter.

        Args:
            settings: How it is run; Layer0 takes none.

            token: The same for each attempt to create this one, where the target can tell by it; at most 36 characters.
        """
        ...

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        """Move a service to a deploy, and leave its number of copies; `primary` is the deployment that this started."""
        ...

    @reads
    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        """A deployment of the service, also one that has ended; None where the target does not keep it."""
        ...

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        """Let the target bring back what ran before a deployment that is under way.

        Raises:
            InputError: The target knows no such call.
        """
        ...

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        """Let a deployment that waits at a pause go on, or let the target bring back what ran before.

        Raises:
            InputError: It waits at none, or the target knows no pauses.
        """
        ...

    @reads
    def list_copies(self, service_id: str) -> tuple[Copy, ...] | None:
        """Copies that run or start, oldest first; None where the target tells nothing of single copies."""
        ...

    @reads
    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        """Images by digest that the target resolved tags to, for this service's copies now and to come; none where it
        resolves them for each copy.
        """
        ...

    @reads
    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        """Last lines of the copy of a deployment that stopped last, newest copy last where there are several.

        Where copies cannot be told apart, of those that were started last.
        """
        ...

    @reads
    def read_settings(self, service_id: str) -> Settings | None:
        """How a service is run; None where the target has no such settings."""
        ...

    @reads
    def never_fits(self, service_id: str, deploy_id: str) -> str:
        """Why none of the machines that a service may run on could ever run the deploy, however empty; empty where one could,
        or the target does not say.
        """
        ...

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        """Change how a service is run, by those settings that are given.

        Raises:
            InputError: One of them cannot be changed once the service exists.
        """
        ...

    @reads
    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        """All services, or those of one environment, by name."""
        ...

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        """Ask for that many copies."""
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
        """Ids of the requests for just this task that the target still reports; of all runs where it cannot tell them
        apart.
        """
        ...

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
        """Ask for a task, and give back the request's id; never repeated by the adapter.

        Args:
            env_vars: Environment variables that override the deploy's, by container name.

            token: The same for each attempt to start this one, where the target can tell by it.

            settings: Those of a service that hold for a task as well, such as its network.

        Raises:
            DeploymentFailed: The target has no room for it, or cannot run it; `reasons` says why.
        """
        ...

    @reads
    def read_task_request(self, request_id: str) -> TaskRequest:
        """What became of a request.

        Raises:
            EntityNotFound: It is no longer reported.
        """
        ...

    @reads
    def read_task(self, task_id: str) -> Task:
        """One task.

        Raises:
            EntityNotFound: No such task, or it is no longer reported.
        """
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
