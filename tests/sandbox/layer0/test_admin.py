"""What the client asks of a Layer0 as such, of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import EntityNotFound
from ecr_widgets.settings import Layer0Settings
from tests.sandbox.layer0.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers
from tests.unit.adapters.scripted import answering, http


@pytest.fixture
def api() -> Iterator[Layer0Api]:
    with serve(FakeContainers()) as served:
        yield Layer0Api(Layer0Settings(served.url, served.token))


def test_it_tells_of_itself(api: Layer0Api) -> None:
    """Health, version and set-up."""
    assert api.is_healthy()
    assert api.version() == "v0.12.6"
    assert api.config()["prefix"] == "local"


@pytest.mark.parametrize(("second", "healthy"), [(http(200, b'""'), True), (http(404, b"404"), False)])
def test_health_is_asked_for_under_both_paths(second: bytes, *, healthy: bool) -> None:
    """Servers before v0.10.7 know the other one only."""
    with answering(http(404, b"custom 404", label="text/plain"), second) as server:
        assert Layer0Api(Layer0Settings(server.url, "token")).is_healthy() is healthy
    assert [each.target for each in server.asked] == ["/health", "/admin/health"]


def test_the_scaler_tells_of_the_one_instance(api: Layer0Api) -> None:
    """An unknown environment is an error."""
    demo = api.find_environment("demo")
    assert demo is not None
    scale = api.scale_environment(demo.environment_id)
    assert (scale.environment_id, scale.after, scale.waiting) == (demo.environment_id, 1, ())
    assert 22 in scale.instances[0].used_ports
    with pytest.raises(EntityNotFound):
        api.scale_environment("nobody123456")


def test_tags_are_set_and_taken_away_and_restored() -> None:
    """A key has one value; the server's own tags come back."""
    with serve(FakeContainers()) as served:
        assert served.ask("POST", "/tag", tag("api", "name", "other")).status == 201
        assert served.ask("POST", "/tag", tag("api", "note", "x")).status == 201
        assert tags_of(served, "api")["name"] == "other"
        Layer0Api(Layer0Settings(served.url, served.token)).restore_own_tags()
        assert served.ask("DELETE", "/tag", tag("api", "note")).status == 204
        assert tags_of(served, "api") == {"name": "api", "environment_id": "api", "load_balancer_id": "api"}
        assert "no item found" in served.ask("DELETE", "/tag", tag("nobody123456", "note")).body


def tag(entity_id: str, key: str, value: str = "") -> str:
    """A service's tag, as it is sent."""
    return json.dumps({"entity_id": entity_id, "entity_type": "service", "key": key, "value": value})


def tags_of(served: Served, entity_id: str) -> dict[str, str]:
    """What the server says of a service's tags."""
    found = {each["entity_id"]: each["tags"] for each in served.ask("GET", "/tag?type=service").value}
    return {each["key"]: each["value"] for each in found[entity_id]}
