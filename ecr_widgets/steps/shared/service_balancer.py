"""The load balancer in front of a service: found by its name, and checked against the ports the deploy listens on."""

from __future__ import annotations

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, InputError, InvalidDockerrun, VerifyError
from ecr_widgets.model.layer0_load_balancer import LoadBalancer
from ecr_widgets.model.services import Place, Service
from ecr_widgets.ports import Layer0


def require_balancer(layer0: Layer0, environment: Place, name: str) -> LoadBalancer:
    """The load balancer of that name.

    Raises:
        EntityNotFound: No such load balancer.
    """
    balancer = layer0.find_load_balancer(environment.environment_id, name)
    if balancer is None:
        raise EntityNotFound(
            f"load balancer {name!r} does not exist in environment {environment.name!r}",
            status=404,
            hint=f"list them with `ecr-widgets loadbalancer list {environment.name}`, or create it first",
        )
    return balancer


def check_host_ports(dockerrun: Dockerrun, balancer: LoadBalancer) -> None:
    """Make sure that a container listens where the balancer forwards to; Layer0 only complains after half of the work.

    Raises:
        InputError: No container's host port is one that the balancer forwards to.
    """
    listening = {port.host_port for each in dockerrun.containers for port in each.ports if port.host_port}
    forwarded = {port.container_port for port in balancer.ports}
    if not listening & forwarded:
        raise InputError(
            f"load balancer {balancer.name!r} forwards to host port {_listed(forwarded)},"
            f" and the Dockerrun listens on {_listed(listening)}",
            hint="give a port mapping that hostPort, or change the load balancer's ports to match",
        )


def balancer_for(
    layer0: Layer0, environment: Place, name: str, deploy_id: str, current: Service | None
) -> LoadBalancer:
    """The load balancer that a service of this deploy gets, or has already.

    Raises:
        EntityNotFound: No such load balancer or deploy.

        InputError: No container's host port is one that it forwards to.

        VerifyError: The service is behind another one, or behind none.
    """
    balancer = require_balancer(layer0, environment, name)
    if current is not None and current.load_balancer_id != balancer.load_balancer_id:
        other = current.load_balancer_id
        raise VerifyError(
            f"service {current.name!r} is behind {f'load balancer {other}' if other else 'no load balancer'}",
            hint="that is fixed when a service is created: delete it first, or take another name",
        )
    document = layer0.read_deploy(deploy_id).dockerrun
    try:
        stored = Dockerrun.stored(document, layer0.dialect()) if document is not None else None
    except InvalidDockerrun:
        stored = None  # stored by other means: Layer0 accepts it, and reports itself if the ports do not fit
    if stored is not None:
        check_host_ports(stored, balancer)
    return balancer


def _listed(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"
