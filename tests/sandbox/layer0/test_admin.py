"""What the client asks of a Layer0 as such, of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import EntityNotFound, Layer0Error
from ecr_widgets.settings import Layer0Settings
from tests.sandbox.layer0.served import serve
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


def test_tags_are_set_and_taken_away_and_restored(api: Layer0Api) -> None:
    """A key has one value; the server's own tags come back."""
    api.set_tag("service", "api", "name", "other")
    api.set_tag("service", "api", "note", "x")
    assert api.tags("service")["api"]["name"] == "other"
    api.restore_own_tags()
    api.delete_tag("service", "api", "note")
    assert api.tags("service")["api"] == {"name": "api", "environment_id": "api", "load_balancer_id": "api"}
    with pytest.raises(Layer0Error, match="no item found"):
        api.delete_tag("service", "nobody123456", "note")
