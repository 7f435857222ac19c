"""The sandbox's Layer0 on its engine, as users get it."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ecr_widgets.sandbox import Sandbox
from ecr_widgets.settings import Settings
from tests.ports import free_port
from tests.sandbox.layer0.served import Served
from tests.sandbox.layer0.test_balancers import CHECK

PAGE = "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www"


@pytest.fixture
def layer0(sandbox: Sandbox) -> Served:
    settings = Settings.from_environment(sandbox.environ({})).layer0
    assert settings is not None
    return Served(settings.endpoint.rstrip("/"), settings.authorization_token)


def test_copies_behind_a_balancer_take_turns_and_scale(layer0: Served) -> None:
    """Three real containers answer through one port of 127.0.0.1; scaled to none it answers 503."""
    environment = layer0.value(
        "POST", "/environment", environment_name="balanced", operating_system="linux", target_cap_size=0
    )
    where = {"environment_id": environment["environment_id"]}
    port = free_port()
    balancer = layer0.value(
        "POST",
        "/loadbalancer",
        **where,
        load_balancer_name="lb",
        ports=[{"host_port": port, "container_port": 80, "protocol": "http"}],
        health_check=CHECK,
        idle_timeout=30,
    )
    container = {
        "name": "web",
        "image": "busybox",
        "memory": 16,
        "command": ["sh", "-c", PAGE],
        "portMappings": [{"hostPort": 80, "containerPort": 8080}],
    }
    coded = base64.b64encode(json.dumps({"containerDefinitions": [container]}).encode()).decode()
    deploy = layer0.value("POST", "/deploy", deploy_name="balanced", dockerrun=coded)
    service = layer0.value(
        "POST",
        "/service",
        **where,
        service_name="web",
        deploy_id=deploy["deploy_id"],
        load_balancer_id=balancer["load_balancer_id"],
    )
    layer0.value("PUT", f"/service/{service['service_id']}/scale", desired_count=3)
    hosts = set()
    deadline_s = time.monotonic() + 60
    while len(hosts) < 3 and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                hosts.add(answer.read())
        except OSError:
            time.sleep(0.1)
    assert len(hosts) == 3
    layer0.value("PUT", f"/service/{service['service_id']}/scale", desired_count=0)
    while layer0.value("GET", f"/service/{service['service_id']}")["running_count"]:
        time.sleep(0.1)
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    refused.value.close()
    job = layer0.value("DELETE", f"/environment/{where['environment_id']}")
    while layer0.value("GET", f"/job/{job}")["job_status"] not in (3, 4):
        time.sleep(0.1)
    assert layer0.value("GET", f"/job/{job}")["job_status"] == 3


def test_the_sandbox_is_told_its_layer0s_version(sandbox: Sandbox) -> None:
    """The `l0` command takes a server of exactly its own version."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    try:
        engine = sandbox.env()["DOCKER_HOST"]
        with Sandbox(folder / "state", docker_host=engine, layer0_version="v0.12.11") as started:
            url = started.env()["LAYER0_API_ENDPOINT"].rstrip("/")
            assert Served(url).ask("GET", "/health").headers["Version"] == "v0.12.11"
    finally:
        shutil.rmtree(folder)
