"""Services as lists show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.services import Deployment, Service, Summary
from ecr_widgets.steps.shared.service_list import (
    ListedService,
    ServiceState,
    list_with_state,
    short_reference,
)
from tests.fakes import FakeLayer0, World, digest_of

MOVED_AT = datetime(2026, 11, 26, tzinfo=UTC)
NEW = Deployment("d2", "web.2", "PRIMARY", 3, 3, 0, MOVED_AT)
OLD = Deployment("d1", "web.1", "ACTIVE", 3, 2, 0, MOVED_AT)
IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web@{digest_of('web')}"


def service(*deployments: Deployment, running: int = 3, wanted: int = 3) -> Service:
    return Service("web00000", "web", "demo", wanted, running, 0, deployments)


def listed(one: Service | None) -> ListedService:
    return ListedService(Summary("web00000", "web", "demo", "demo"), one)


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (service(NEW), ServiceState.STABLE),
        (service(NEW, replace(OLD, running_count=0)), ServiceState.STABLE),
        (service(NEW, OLD), ServiceState.MOVING),
        (service(NEW, running=2), ServiceState.SHORT),
        (service(running=0), ServiceState.SHORT),
        (service(replace(NEW, state="FAILED")), ServiceState.FAILED),
        (service(NEW, running=0, wanted=0), ServiceState.STOPPED),
        (None, ServiceState.GONE),
    ],
)
def test_a_state_is_one_word(one: Service | None, state: ServiceState) -> None:
    """A service's state follows from its counts and deployments; it is failed if its target gave up."""
    assert listed(one).state is state


def test_a_service_is_listed_with_image_and_time() -> None:
    """A service is listed with its deploy's image, and without one if the deploy was deleted."""
    layer0 = FakeLayer0(World())
    layer0.create_environment("demo", instance_size="m3.medium", operating_system="linux", min_count=0)
    (place,) = layer0.list_environments()
    stored = layer0.create_deploy(
        "web", b'{"containerDefinitions": [{"name": "web", "image": "%s"}]}' % IMAGE.encode()
    )
    layer0.create_service(place.environment_id, "web", stored.deploy_id)
    (one,) = list_with_state(layer0, place.environment_id)
    assert (one.name, one.images, one.digests) == ("demo/web", (IMAGE,), (digest_of("web"),))
    assert one.since is not None
    layer0.delete_deploy(stored.deploy_id)
    assert list_with_state(layer0)[0].images == ()


def test_a_service_that_is_deleted_meanwhile_stays_in_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is deleted while it is listed is shown as gone."""
    layer0 = FakeLayer0(World())

    def gone(_: str) -> Service:
        raise EntityNotFound("gone", status=404)

    monkeypatch.setattr(layer0, "list_services", lambda _=None: (Summary("web00000", "web", "demo", "demo"),))
    monkeypatch.setattr(layer0, "read_service", gone)
    assert [each.state for each in list_with_state(layer0)] == [ServiceState.GONE]


def test_a_reference_is_shown_without_its_registry() -> None:
    """An image is shown without its registry, by tag or short digest; any other text is unchanged."""
    assert short_reference(IMAGE) == f"team/web@{digest_of('web')[7:19]}"
    assert short_reference("host.test/team/web:1.10") == "team/web:1.10"
    assert short_reference("%%template%%") == "%%template%%"
