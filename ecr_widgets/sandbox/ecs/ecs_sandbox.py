"""ECS and its containers' logs, behind the door to AWS's API."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_widgets.sandbox.ecs.actions.table import act
from ecr_widgets.sandbox.ecs.entities import Cluster, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError
from ecr_widgets.sandbox.ecs.logs import OURS, ContainerLogs
from ecr_widgets.sandbox.ecs.names import Names
from ecr_widgets.sandbox.ecs.rollout import SETTLE_S, EcsRules
from ecr_widgets.sandbox.ecs.startup import Startup
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.ecs.target_groups import TargetGroups
from ecr_widgets.sandbox.ecs.wire import JSON, Model, decode, encode, encode_error
from ecr_widgets.sandbox.ecs.world import World
from ecr_widgets.sandbox.neighbours import Application, Neighbours
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.certificates import Certificates
from ecr_widgets.sandbox.workloads.containers import Containers
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

if TYPE_CHECKING:
    from ecr_widgets.sandbox.layer0_on_ecs import Layer0OnEcs

_LOG = logging.getLogger(__name__)
_SEEDED = ("default", "demo")
"""Clusters that exist from the start."""
_CHANGES = (
    *("Create", "Update", "Delete", "Register", "Deregister", "Run", "Stop", "Start", "Continue", "Put"),
    *("Tag", "Untag"),
)
_READS = ("Describe", "List")
_LONGEST_S = 60.0
_REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")


class EcsSandbox:
    """Amazon ECS in one account and region; create it on the running loop.

    Args:
        containers: The engine's containers.

        folder: Keeps the state across a restart of the server.

        neighbours: Other AWS services.

        journal: Called with each change, without secrets.

        settle_s: How long a task without a health check has to run before it counts as healthy.
    """

    def __init__(
        self,
        containers: Containers,
        *,
        folder: Path,
        names: Names,
        neighbours: Neighbours,
        journal: Callable[[dict[str, Any]], None] = lambda _: None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._names = names
        self._neighbours = neighbours
        self._journal = journal
        self._containers = containers
        self._loop = asyncio.get_running_loop()
        self._store = Store(folder)
        self._model, self._calls = Model("ecs"), Model("logs")
        self._balancers = Balancers(self._store, Certificates(folder / "certificates"))
        rules = EcsRules(Startup(neighbours), self._balancers, settle_s)
        self._scheduler = Scheduler(self._store, containers, front="ecs", rules=rules)
        self._world = World(
            names,
            self._store,
            self._scheduler,
            containers,
            TargetGroups(self._store, self._scheduler, self._balancers, neighbours),
            neighbours,
            hashlib.sha256(str(folder).encode()).hexdigest()[:32],
        )
        rules.world = self._world
        self._layer0: Layer0OnEcs | None = None
        self._logs = ContainerLogs(lambda: self._seen.store, containers, neighbours)
        if self._store.is_new:
            self._store.save(*(Cluster(name) for name in _SEEDED))

    def begin(self) -> None:
        """Start managing services and tasks."""
        self._scheduler.begin()
        self._balancers.begin()

    def take_in(self, layer0: Layer0OnEcs) -> None:
        """Also show what Layer0 runs, and let it be changed as far as Layer0 supports."""
        self._layer0 = layer0

    @property
    def applications(self) -> dict[str, Application]:
        """The WSGI applications, by the service name that requests are signed for."""
        return {"ecs": self._answer_ecs, "logs": self._answer_logs}

    async def close(self) -> None:
        """Stop managing everything; containers stay."""
        await self._balancers.close()
        await self._scheduler.close()
        self._containers.close()
        self._store.close()

    def _answer_ecs(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]

        def call(given: Wire) -> Wire:
            self._check_region(environ)
            self._model.check(operation, given)
            return asyncio.run_coroutine_threadsafe(self._act(operation, given), self._loop).result(
                _LONGEST_S
            )

        return self._answer(operation, call, environ, start_response, "ecs")

    def _answer_logs(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if operation not in OURS:
            return self._neighbours.application("logs")(environ, start_response)

        def call(given: Wire) -> Wire:
            self._calls.check(operation, given)
            return self._logs.act(operation, given)

        return self._answer(operation, call, environ, start_response, "logs")

    async def _act(self, operation: str, given: Wire) -> Wire:
        if operation.startswith(_READS):
            # To make ECS's form of all that Layer0 has takes longer than most answers.
            is_own = self._layer0 is not None and not self._layer0.concerns(given)
            return act(self._world if is_own else self._seen, operation, given)
        answer = self._layer0.change(self._world, operation, given) if self._layer0 is not None else None
        return answer if answer is not None else act(self._world, operation, given)

    @property
    def _seen(self) -> World:
        return self._world if self._layer0 is None else self._layer0.seen(self._world)

    def _check_region(self, environ: dict[str, Any]) -> None:
        match = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        if match is not None and match[1] != self._names.region:
            raise EcsError(
                "InvalidParameterException",
                f"The sandbox is region {self._names.region} alone, and {match[1]} was asked for",
            )

    def _answer(
        self,
        operation: str,
        call: Callable[[Wire], Wire],
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        server: str,
    ) -> Iterable[bytes]:
        given: Wire = {}
        answer: Wire = {}
        status = 200
        try:
            given = decode(environ["wsgi.input"].read())
            answer = call(given)
            content = encode(answer)
        except EcsError as error:
            status, content = error.status, encode_error(error)
        except Exception:  # noqa: BLE001 -- whatever it is, the client must hear of it
            _LOG.exception("%s failed", operation)
            failure = EcsError("ServerException", "the sandbox failed; see its log", status=500)
            status, content = 500, encode_error(failure)
        if operation.startswith(_CHANGES):
            self._journal(
                {"server": server, "operation": operation, "status": status, **_named(given, answer)}
            )
        headers = [("Content-Type", JSON), ("Content-Length", str(len(content)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [content]


def _named(given: Wire, answer: Wire) -> Wire:
    """What a call was about, for the journal: names and ids only, no bodies."""
    asked = {
        name: given[name]
        for name in (
            "cluster",
            "service",
            "serviceName",
            "task",
            "desiredCount",
            "clientToken",
            "startedBy",
            "count",
        )
        if name in given
    }
    service = answer.get("service") or {}
    definition = answer.get("taskDefinition") or {}
    named = {
        "service_arn": service.get("serviceArn"),
        "deployment_id": next((each["id"] for each in service.get("deployments") or ()), None),
        "task_definition": definition.get("taskDefinitionArn") or service.get("taskDefinition"),
        "task_arns": [each["taskArn"] for each in answer.get("tasks") or ()] or None,
        "failures": answer.get("failures") or None,
    }
    return asked | {name: value for name, value in named.items() if value is not None}
