"""What the real server tells of its calls to a browser: Swagger 1.2, made from the routes that are really served."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from ecr_widgets.sandbox.layer0.routes import ROUTES, Route

SWAGGER = "1.2"
_REAL = [route for route in ROUTES if not route.is_addition]
_PARTS = ("id", "other_id")
"""Names of a path's parts, in their order."""


def listing(version: str) -> dict[str, Any]:
    """`GET /apidocs.json`: the resources."""
    return {
        "apiVersion": version,
        "swaggerVersion": SWAGGER,
        "apis": [{"path": f"/{each}", "description": ""} for each in _resources()],
    }


def declaration(version: str, resource: str) -> dict[str, Any] | None:
    """`GET /apidocs.json/{resource}`: its calls; None where there is no such resource."""
    if resource not in _resources():
        return None
    calls: dict[str, list[dict[str, Any]]] = {}
    for route in _REAL:
        if route.path.split("/")[1] == resource:
            calls.setdefault(_path(route), []).append(_operation(route))
    return {
        "swaggerVersion": SWAGGER,
        "apiVersion": version,
        "basePath": "/",
        "resourcePath": f"/{resource}",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "apis": [{"path": path, "operations": operations} for path, operations in calls.items()],
        "models": {},
    }


def page(version: str) -> str:
    """`GET /apidocs/`: the calls on a page without scripts, where the real server has Swagger's own pages."""
    rows = "".join(f"<tr><td>{each.method}<td>{html.escape(_path(each))}" for each in _REAL)
    title = f"Layer0 API {html.escape(version)}"
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><table>{rows}</table>"


def _resources() -> list[str]:
    return list(dict.fromkeys(_tops(_REAL)))


def _tops(routes: Iterable[Route]) -> Iterable[str]:
    return (each.path.split("/")[1] for each in routes)


def _path(route: Route) -> str:
    path = route.path
    for name in _PARTS:
        path = path.replace("ID", f"{{{name}}}", 1)
    return path


def _operation(route: Route) -> dict[str, Any]:
    parameters = [
        {"type": "string", "paramType": "path", "name": name, "required": True}
        for name in _PARTS[: route.path.count("ID")]
    ]
    if route.body is not None:
        parameters.append(
            {"type": route.body.__name__, "paramType": "body", "name": "body", "required": True}
        )
    return {
        "type": "void",
        "method": route.method,
        "nickname": route.act.__name__.strip("_"),
        "parameters": parameters,
    }
