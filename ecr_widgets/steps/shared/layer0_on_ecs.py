"""The ECS service behind a Layer0 service: found by Layer0's names for it, and proven to be the same.

Source: Layer0 v0.12.6. In the instance PREFIX, environments and services are called `l0-PREFIX-ID`, and deploy `NAME.N` is
the task definition `l0-PREFIX-NAME:N`. Deployments have ECS's own ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, VerifyError
from ecr_widgets.model.ecs_names import LAYER0_PREFIX
from ecr_widgets.model.services import Deployment, Dialect, Place, Service
from ecr_widgets.ports.services import Services


class Listed:
    """What targets list, by the name that the first one gives it: a Layer0 service is also an ECS service."""

    def __init__(self) -> None:
        self._services: list[tuple[Service, str]] = []
        self._deploys: set[tuple[str, int]] = set()
        self._prefixes: set[str] = set()

    def service(self, service: Service, cluster: str, words: str) -> str:
        """The name of a service: `words`, unless Layer0 has listed it by its own name.

        Args:
            cluster: Name of the place where it runs.
        """
        ids = {each.deployment_id for each in service.deployments}
        for layer0, named in self._services:
            same = service.name.endswith(f"-{layer0.service_id}") and service.name.startswith(LAYER0_PREFIX)
            if (
                same
                and cluster.endswith(f"-{layer0.environment_id}")
                and not ids.isdisjoint(each.deployment_id for each in layer0.deployments)
            ):
                self._prefixes.add(service.name.removesuffix(layer0.service_id))
                return named
        self._services.append((service, words))
        return words

    def deploy(self, name: str, version: int) -> str:
        """The name of a stored deploy, by name and version; Layer0's name for a Layer0 deploy that ECS lists."""
        for prefix in self._prefixes:
            if name.startswith(prefix) and (name.removeprefix(prefix), version) in self._deploys:
                return f"deploy {name.removeprefix(prefix)}.{version}"
        self._deploys.add((name, version))
        return f"deploy {name}.{version}"


@dataclass(frozen=True, slots=True)
class SameService:
    """One service by both of its names."""

    layer0: Service
    environment: Place
    """Layer0's environment."""
    ecs: Service
    cluster: Place
    deploy: Dockerrun
    """Its task definition as ECS has it."""
    running: Mapping[str, str]
    """Digest that the running copies report, by container; without containers that report none or several."""

    @property
    def layer0_deploy_id(self) -> str:
        """Such as `web.3`."""
        return _primary(self.layer0).deploy_id

    @property
    def ecs_deploy_id(self) -> str:
        """Such as `l0-PREFIX-web:3`."""
        return _primary(self.ecs).deploy_id


def find_same(layer0: Services, ecs: Services, environment: Place, service: Service) -> SameService:
    """The same service on ECS.

    Raises:
        EntityNotFound: Layer0's cluster or service is not in this account and region.

        VerifyError: The two are not the same service, or are being changed right now; the message names what differs.
    """
    cluster = _find_cluster(ecs, environment)
    prefix = cluster.name.rpartition(":")[2].removesuffix(environment.environment_id)
    name = f"{prefix}{service.service_id}"
    twin = ecs.find_service(cluster.environment_id, name)
    if twin is None or twin.primary is None or service.primary is None:
        raise EntityNotFound(
            f"service {name!r}, which Layer0 calls {service.name!r}, does not exist in cluster {cluster.name!r}",
            hint="check both: Layer0's tags may name a service that is gone",
        )
    document = ecs.read_deploy(twin.primary.deploy_id).dockerrun or b"{}"
    same = SameService(
        service,
        environment,
        twin,
        cluster,
        Dockerrun.stored(document, Dialect.ECS),
        _running(ecs, twin),
    )
    differences = tuple(_differences(layer0, same, prefix))
    if differences:
        raise VerifyError(
            f"service {service.name!r} of Layer0 and {name!r} of ECS are not the same: {'; '.join(differences)}",
            hint="wait until nobody deploys or scales it, then try again",
        )
    return same


def _find_cluster(ecs: Services, environment: Place) -> Place:
    ends = f"-{environment.environment_id}"
    clusters = [
        each
        for each in ecs.list_environments()
        if each.name.removeprefix("ecs:").startswith(LAYER0_PREFIX) and each.name.endswith(ends)
    ]
    if len(clusters) != 1:
        names = ", ".join(each.name for each in clusters) or "none"
        raise EntityNotFound(
            f"no single ECS cluster of {ecs.address()} is Layer0's environment {environment.name!r}: found {names}",
            hint="set AWS_PROFILE and AWS_REGION for the account that this Layer0 works in",
        )
    return clusters[0]


def _differences(layer0: Services, same: SameService, prefix: str) -> Iterator[str]:
    name, _, version = same.layer0_deploy_id.rpartition(".")
    if same.ecs_deploy_id != f"{prefix}{name}:{version}":
        yield f"deploy {same.layer0_deploy_id} and {same.ecs_deploy_id}"
    ids = [{each.deployment_id for each in service.deployments} for service in (same.layer0, same.ecs)]
    if ids[0] != ids[1]:
        yield f"deployments {', '.join(sorted(ids[0]))} and {', '.join(sorted(ids[1]))}"
    for count in ("desired_count", "running_count"):
        one, other = getattr(same.layer0, count), getattr(same.ecs, count)
        if one != other:
            yield f"{count.replace('_', ' ')} {one} and {other}"
    stored = Dockerrun.stored(layer0.read_deploy(same.layer0_deploy_id).dockerrun or b"{}", Dialect.LAYER0)
    images = [{each.name: each.image for each in one.containers} for one in (stored, same.deploy)]
    if images[0] != images[1]:
        yield f"images {_listed(images[0])} and {_listed(images[1])}"


def _running(ecs: Services, service: Service) -> dict[str, str]:
    reported: dict[str, set[str]] = {}
    for copy in ecs.list_copies(service.service_id) or ():
        for each in copy.containers:
            if copy.status == "RUNNING" and each.image_digest:
                reported.setdefault(each.name, set()).add(each.image_digest)
    return {name: next(iter(digests)) for name, digests in reported.items() if len(digests) == 1}


def _primary(service: Service) -> Deployment:
    primary = service.primary
    assert primary is not None  # checked when it was found
    return primary


def _listed(images: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {image}" for name, image in sorted(images.items())) or "none"
