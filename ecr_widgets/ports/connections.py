"""The outside systems that a kit uses, as one value that `connections` makes and tests fake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, Locks, Registry
from ecr_widgets.ports.fleet_runs import FleetRuns
from ecr_widgets.ports.gate import Gate
from ecr_widgets.ports.services import Services

if TYPE_CHECKING:
    from ecr_widgets.model.services import Proof


class Connections(Protocol):
    """The outside systems; each is connected when it is first used."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def ecr(self) -> Ecr:
        """ECR's control plane."""

    def ecr_of(self, *, profile: str | None, region: str | None) -> Ecr:
        """ECR's control plane of another account or region."""

    @property
    def registry(self) -> Registry:
        """The registry's data plane."""

    @property
    def engine(self) -> Engine:
        """The Docker Engine."""

    @property
    def layer0(self) -> Layer0:
        """Layer0's API."""

    def services_of(self, environment: str) -> Services:
        """The deploy target of an environment with that name."""

    def targets(self) -> tuple[Services, ...]:
        """All deploy targets that are set up."""

    @property
    def locks(self) -> Locks:
        """Locks that allow one run at a time on one target."""

    @property
    def fleet_runs(self) -> FleetRuns:
        """Runs of a fleet's targets."""

    @property
    def gate(self) -> Gate:
        """The gate: what must be proven about an image before it runs."""

    def proven_deploys(self, service_id: str) -> Mapping[str, Proof]:
        """Deploys that a saved run proves the service ran, verified by digest."""

    def register_secret(self, secret: str) -> None:
        """Learn a secret that a person names; raises InputError if it is too short to be kept out of records."""

    def on_secret(self, secret: str) -> None:
        """Learn a secret, so that it is kept out of every record."""
