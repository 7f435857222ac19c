"""Create a Layer0 load balancer if it does not exist, or else change it to what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.layer0 import check_entity_name
from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port, are_same_ports
from ecr_widgets.model.services import Place
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import NOT_YET, Step


@dataclass(frozen=True, slots=True)
class LoadBalancerOutcome:
    """The load balancer that exists now; `url` is its address."""

    load_balancer_id: str
    load_balancer: str
    environment_id: str
    url: str
    changed: bool


@dataclass(frozen=True, slots=True)
class FoundBalancer:
    """The load balancer before it is changed, and what has to change."""

    environment: Place
    balancer: LoadBalancer | None
    """None if it does not exist."""
    changes: dict[str, Any]


@dataclass(frozen=True)
class CreateLoadBalancer(Step[FoundBalancer, LoadBalancerOutcome]):
    """Create the load balancer if it does not exist; an existing one gets these ports and this check.

    Args:
        idle_timeout: In seconds.

        cross_zone: None leaves it as it is, and turns it on for a new one; servers before v0.11.0 do not support it.

    Raises:
        EntityNotFound: No such environment.

        InputError: AWS would refuse it.

        VerifyError: It exists, and is public but should be private, or the other way round.
    """

    asks: ClassVar = ("Layer0: POST /loadbalancer/", "Layer0: PUT /loadbalancer/ID/…")

    environment: str
    load_balancer: str
    ports: Sequence[Port]
    _: KW_ONLY
    health_check: HealthCheck
    idle_timeout: int = 60
    is_public: bool = True
    cross_zone: bool | None = None

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return super().inputs(outside) | {
            "ports": [
                f"{each.host_port}:{each.container_port}/{each.protocol.lower()}" for each in self.ports
            ],
            "health_check": self.health_check.target,
        }

    def look(self, outside: Outside, progress: ProgressSink) -> FoundBalancer:
        layer0 = outside.layer0_of(self.environment, "a load balancer")
        check_entity_name(self.load_balancer, kind="load balancer")
        place = find_environment(layer0, self.environment)
        balancer = layer0.find_load_balancer(place.environment_id, self.load_balancer)
        if balancer is None:
            return FoundBalancer(place, None, {})
        if balancer.is_public is not self.is_public:
            kind = "public" if balancer.is_public else "private"
            raise VerifyError(
                f"load balancer {self.load_balancer!r} already exists and is {kind}",
                hint="that cannot be changed: delete it first, or take another name",
            )
        changes: dict[str, Any] = {}
        if not are_same_ports(balancer.ports, self.ports):
            changes["ports"] = self.ports
        if balancer.health_check != self.health_check:
            changes["health_check"] = self.health_check
        # Servers before v0.10.7 report none, and cannot change it.
        if balancer.idle_timeout not in (0, self.idle_timeout):
            changes["idle_timeout"] = self.idle_timeout
        if self.cross_zone is not None and balancer.cross_zone is not self.cross_zone:
            changes["cross_zone"] = self.cross_zone
        return FoundBalancer(place, balancer, changes)

    def plan(self, outside: Outside, found: FoundBalancer) -> LoadBalancerOutcome:
        if found.balancer is not None:
            return _outcome(found.balancer, changed=bool(found.changes))
        return LoadBalancerOutcome(
            NOT_YET, self.load_balancer, found.environment.environment_id, NOT_YET, changed=True
        )

    def act(self, outside: Outside, found: FoundBalancer, progress: ProgressSink) -> LoadBalancerOutcome:
        layer0, place = outside.layer0, found.environment.environment_id
        if found.balancer is None:
            made, _ = reconcile(
                outside.clock,
                lambda: layer0.create_load_balancer(
                    place,
                    self.load_balancer,
                    self.ports,
                    health_check=self.health_check,
                    idle_timeout=self.idle_timeout,
                    is_public=self.is_public,
                    cross_zone=self.cross_zone is not False,
                ),
                lambda: layer0.find_load_balancer(place, self.load_balancer),
            )
            # The answer to a creation has no address yet.
            return _outcome(layer0.read_load_balancer(made.load_balancer_id), changed=True)
        if not found.changes:
            return _outcome(found.balancer, changed=False)
        changed = layer0.update_load_balancer(found.balancer.load_balancer_id, **found.changes)
        return _outcome(changed, changed=True)


def _outcome(balancer: LoadBalancer, *, changed: bool) -> LoadBalancerOutcome:
    return LoadBalancerOutcome(
        balancer.load_balancer_id, balancer.name, balancer.environment_id, balancer.url, changed
    )
