"""Maps paths to calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ecr_widgets.sandbox.layer0 import bodies
from ecr_widgets.sandbox.layer0.logic import (
    admin,
    deploys,
    environments,
    jobs,
    load_balancers,
    services,
    tasks,
)
from ecr_widgets.sandbox.layer0.logic.world import Wire, World


@dataclass(frozen=True, slots=True)
class Route:
    """One call: `act` gets the world, the path parts, then the body if it takes one, then the query if it reads that.

    Args:
        status: HTTP status of a success; 202 returns a job's id, 201 and 204 return nothing.
    """

    method: str
    path: str
    act: Callable[..., Any]
    body: type[Any] | None = None
    query: bool = False
    status: int = 200
    is_open: bool = False
    """Whether it needs no authorization."""
    is_addition: bool = False
    """Whether the real server lacks this call, so that it exists only for clients that ask for additions."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the path, without a trailing slash."""
        return re.compile(self.path.replace("ID", "([^/]+)"))


def _health(_: object) -> str:
    return ""


def _all(kind: str) -> Callable[[World], list[Wire]]:
    """Lists all entities of a kind, in short."""
    return lambda world: [
        getattr(world.shapes, f"{kind}_summary")(each) for each in getattr(world.store, f"{kind}s").values()
    ]


def _one(kind: str) -> Callable[[World, str], Wire]:
    """Shows one entity of a kind, by its id."""
    return lambda world, entity_id: getattr(world.shapes, kind)(getattr(world, kind)(entity_id))


ROUTES = [
    Route("GET", "/health", _health, is_open=True),
    Route("GET", "/admin/version", admin.version),
    Route("GET", "/admin/config", admin.config, is_open=True),
    Route("GET", "/admin/listeners", admin.listeners, is_addition=True),
    Route("PUT", "/admin/scale/ID", admin.scale),
    Route("POST", "/admin/sql", admin.sql, status=204),
    Route("GET", "/tag", admin.found_tags, query=True),
    Route("POST", "/tag", admin.create_tag, bodies.TagRequest, status=201),
    Route("DELETE", "/tag", admin.delete_tag, bodies.TagRequest, status=204),
    Route("GET", "/deploy", deploys.list_all),
    Route("POST", "/deploy", deploys.create, bodies.CreateDeploy),
    Route("GET", "/deploy/ID", _one("deploy")),
    Route("DELETE", "/deploy/ID", deploys.delete),
    Route("GET", "/environment", _all("environment")),
    Route("POST", "/environment", environments.create, bodies.CreateEnvironment),
    Route("GET", "/environment/ID", _one("environment")),
    Route("PUT", "/environment/ID", environments.update, bodies.UpdateEnvironment),
    Route("DELETE", "/environment/ID", environments.delete, status=202),
    Route("POST", "/environment/ID/link", environments.link, bodies.Link),
    Route("DELETE", "/environment/ID/link/ID", environments.unlink),
    Route("GET", "/service", services.list_all),
    Route("POST", "/service", services.create, bodies.CreateService),
    Route("GET", "/service/ID", _one("service")),
    Route("DELETE", "/service/ID", services.delete, status=202),
    Route("PUT", "/service/ID/scale", services.scale, bodies.ScaleService),
    Route("PUT", "/service/ID/deploy", services.update, bodies.UpdateService),
    Route("GET", "/service/ID/logs", services.logs, query=True),
    Route("GET", "/task", _all("task")),
    Route("POST", "/task", tasks.create, bodies.CreateTask, status=202),
    Route("GET", "/task/ID", _one("task")),
    Route("DELETE", "/task/ID", tasks.delete),
    Route("GET", "/task/ID/logs", tasks.logs, query=True),
    Route("GET", "/loadbalancer", _all("load_balancer")),
    Route("POST", "/loadbalancer", load_balancers.create, bodies.CreateLoadBalancer),
    Route("GET", "/loadbalancer/ID", _one("load_balancer")),
    Route("DELETE", "/loadbalancer/ID", load_balancers.delete, status=202),
    Route("PUT", "/loadbalancer/ID/ports", load_balancers.update_ports, bodies.UpdatePorts),
    Route(
        "PUT", "/loadbalancer/ID/healthcheck", load_balancers.update_health_check, bodies.UpdateHealthCheck
    ),
    Route(
        "PUT", "/loadbalancer/ID/idletimeout", load_balancers.update_idle_timeout, bodies.UpdateIdleTimeout
    ),
    Route("PUT", "/loadbalancer/ID/crosszone", load_balancers.update_cross_zone, bodies.UpdateCrossZone),
    Route("GET", "/job", lambda world: [*map(world.shapes.job, world.store.jobs.values())]),
    Route("GET", "/job/ID", _one("job")),
    Route("DELETE", "/job/ID", jobs.delete),
]
TOP_LEVEL = {route.path.split("/")[1] for route in ROUTES}
