"""What the runbooks' steps need of any deploy target: a place where services run, its stored deploys, services and tasks.

Every call may raise the target's own error; changes may raise OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ecr_widgets.model.services import ContainerLog, Deploy, Place, Service, Summary, Task
from ecr_widgets.ports.reading import reads


class Services(Protocol):
    """A deploy target."""

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
