"""Every recorded answer of a real server, given to the client."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import EntityNotFound, Layer0Error
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.settings import Layer0Settings
from tests.sandbox.layer0.replay import RECORDINGS, Exchange, exchanges
from tests.unit.adapters.scripted import answering, http

Call = Callable[[Layer0Api, str], object]
CALLS: list[tuple[str, Call]] = [
    ("GET /admin/version", lambda api, _: api.version()),
    ("POST /admin/sql", lambda api, _: api.restore_own_tags()),
    ("PUT /admin/scale/(.+)", lambda api, each: api.scale_environment(each)),
    (r"GET /tag\?.*type=environment", lambda api, _: api.list_environments()),
    (r"GET /tag\?.*type=deploy", lambda api, _: api.list_deploys("timeout")),
    (r"GET /tag\?.*type=service", lambda api, _: api._tagged("service")),
    (r"GET /tag\?.*", lambda api, _: api._tagged("any")),
    ("POST /deploy", lambda api, _: api.create_deploy("timeout", b"{}")),
    ("GET /deploy/(.+)", lambda api, each: api.read_deploy(each)),
    ("DELETE /deploy/(.+)", lambda api, each: api.delete_deploy(each)),
    ("GET /environment/(.+)", lambda api, each: api.read_environment(each)),
    ("POST /environment/", lambda api, _: api.create_environment("demo")),
    ("PUT /environment/(.+)", lambda api, each: api.update_environment(each, min_count=1)),
    ("DELETE /environment/(.+)/link/.+", lambda api, each: api.unlink_environments(each, "other")),
    ("POST /environment/(.+)/link", lambda api, each: api.link_environments(each, "other")),
    ("DELETE /environment/(.+)", lambda api, each: api.delete_environment(each)),
    ("POST /service/", lambda api, _: api.create_service("demo", "s", "d.1")),
    ("GET /service/", lambda api, _: decode.summaries(api._transport.read("/service/").value, "service")),
    (r"GET /service/(.+)/logs\?.*", lambda api, each: api.service_logs(each)),
    ("GET /service/(.+)", lambda api, each: api.read_service(each)),
    ("PUT /service/(.+)/scale", lambda api, each: api.scale_service(each, 1)),
    ("PUT /service/(.+)/deploy", lambda api, each: api.update_service(each, "d.1")),
    ("DELETE /service/(.+)", lambda api, each: api.delete_service(each)),
    (r"GET /task/(.+)/logs\?.*", lambda api, each: api.task_logs(each)),
    ("GET /task/", lambda api, _: api.list_tasks()),
    ("GET /task/(.+)", lambda api, each: api.read_task(each)),
    ("POST /task/", lambda api, _: api._job("POST", "/task/", {})),
    ("DELETE /task/(.+)", lambda api, each: api.delete_task(each)),
    ("GET /loadbalancer/", lambda api, _: api.list_load_balancers()),
    ("GET /loadbalancer/(.+)", lambda api, each: api.read_load_balancer(each)),
    (
        "POST /loadbalancer/",
        lambda api, _: api.create_load_balancer("demo", "l", [Port(80, 80)], health_check=HealthCheck()),
    ),
    ("PUT /loadbalancer/(.+)/.+", lambda api, each: api.update_load_balancer(each, idle_timeout=60)),
    ("DELETE /loadbalancer/(.+)", lambda api, each: api.delete_load_balancer(each)),
    ("GET /job/", lambda api, _: api.list_jobs()),
    ("GET /job/(.+)", lambda api, each: api.read_job(each)),
    ("DELETE /job/(.+)", lambda api, each: api.delete_job(each)),
]
NOT_ASKED = re.compile("GET /(deploy|environment)/")
"""Answers that the client does not use, since tags have more and are more reliable."""


def decoded(exchange: Exchange) -> object:
    """Return what the client makes of a recorded answer."""
    labels = {k: v for k, v in exchange.answered.items() if k not in ("Content-Type", "Content-Length")}
    answer = http(
        exchange.status,
        exchange.answer.encode(),
        label=exchange.answered.get("Content-Type", ""),
        more=labels,
    )
    for pattern, call in CALLS:
        match = re.fullmatch(pattern, exchange.call)
        if match is not None:
            with answering(answer) as server:
                api = Layer0Api(Layer0Settings(server.url, "bGF5ZXIwOm5vaGF4cGx6"))
                return call(api, match[1] if match.re.groups else "")
    assert NOT_ASKED.fullmatch(exchange.call), exchange.call
    return None


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda each: each.stem)
def test_every_recorded_answer_is_decoded(recording: Path) -> None:
    """A recorded success yields a value with its ids, and a recorded error one of our errors with its code and status."""
    seen = set()
    for exchange in exchanges(recording):
        if exchange.call in seen and exchange.method == "GET":
            continue  # a repeated poll
        seen.add(exchange.call)
        error, found = None, None
        try:
            found = decoded(exchange)
        except Layer0Error as raised:
            error = raised
        if NOT_ASKED.fullmatch(exchange.call):
            continue
        assert (error is None) == (exchange.status < 300), exchange.call
        if error is not None:
            assert error.status == exchange.status
            assert isinstance(error, EntityNotFound) == (exchange.status == 404)
            if isinstance(exchange.value, dict):
                assert error.code == exchange.value["error_code"]
                assert exchange.value["message"].strip() in str(error)
        elif isinstance(exchange.value, dict):
            told = exchange.value | (
                exchange.value.get("meta") or {"task_id": None} if "meta" in exchange.value else {}
            )
            for name in ("deploy_id", "service_id", "task_id", "job_id", "environment_id"):
                if name in told and hasattr(found, name):
                    assert getattr(found, name) == (told[name] or None), exchange.call
