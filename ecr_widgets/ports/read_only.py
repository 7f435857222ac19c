"""Connections through which nothing can be changed, for a plan.

Each port marks the calls that only read; every other call is refused, so a new call is refused until it is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from ecr_widgets.errors import InputError
from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, Registry
from ecr_widgets.ports.connections import Connections
from ecr_widgets.ports.fleet_runs import FleetRuns
from ecr_widgets.ports.gate import Gate
from ecr_widgets.ports.locks import AlwaysHeld, Lease
from ecr_widgets.ports.services import Services

if TYPE_CHECKING:
    from ecr_widgets.model.services import Proof


class ReadOnly:
    """A port that refuses every call that its protocol does not mark as read-only."""

    def __init__(self, port: Any, protocol: type) -> None:
        self._port = port
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        if not getattr(getattr(self._protocol, name, None), "reads", False):
            raise InputError(f"{name} cannot be planned", hint="run it without --plan")
        return getattr(self._port, name)


class NoLocks:
    """`Locks` for a plan, which changes nothing and so holds nothing."""

    def hold(self, _target: str) -> AbstractContextManager[Lease]:
        return nullcontext(AlwaysHeld())


class ReadOnlyConnections:
    """Implements `Connections`; a system is connected when it is first used."""

    locks = NoLocks()

    def __init__(self, connections: Connections) -> None:
        self._to = connections

    @property
    def clock(self) -> Clock:
        return self._to.clock

    @property
    def ecr(self) -> Ecr:
        return cast("Ecr", ReadOnly(self._to.ecr, Ecr))

    def ecr_of(self, *, profile: str | None, region: str | None) -> Ecr:
        return cast("Ecr", ReadOnly(self._to.ecr_of(profile=profile, region=region), Ecr))

    @property
    def registry(self) -> Registry:
        return cast("Registry", ReadOnly(self._to.registry, Registry))

    @property
    def engine(self) -> Engine:
        return cast("Engine", ReadOnly(self._to.engine, Engine))

    @property
    def layer0(self) -> Layer0:
        return cast("Layer0", ReadOnly(self._to.layer0, Layer0))

    def services_of(self, environment: str) -> Services:
        return cast("Services", ReadOnly(self._to.services_of(environment), Services))

    def targets(self) -> tuple[Services, ...]:
        return tuple(cast("Services", ReadOnly(each, Services)) for each in self._to.targets())

    @property
    def fleet_runs(self) -> FleetRuns:
        return cast("FleetRuns", ReadOnly(self._to.fleet_runs, FleetRuns))

    @property
    def gate(self) -> Gate:
        """The gate, unwrapped: it only reads."""
        return self._to.gate

    def proven_deploys(self, service_id: str) -> Mapping[str, Proof]:
        return self._to.proven_deploys(service_id)

    def register_secret(self, secret: str) -> None:
        self._to.register_secret(secret)

    def on_secret(self, secret: str) -> None:
        self._to.on_secret(secret)
