"""For a name that does not exist, the error suggests similar ones."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound, ImageNotFound, RegistryUnavailable, RepositoryNotFound
from ecr_widgets.kit import Kit
from ecr_widgets.model.services import Place
from ecr_widgets.steps.shared.nearest import nearest_repository, nearest_tag
from ecr_widgets.steps.shared.service_lookup import find_environment, require_service
from tests.fakes import FakeEcr, FakeLayer0, World, digest_of


@pytest.fixture
def filled(kit: Kit, world: World) -> Kit:
    kit.create_repository("team/web")
    for tag in ("2026.11.7", "2026.11.9"):
        world.manifests.add(("team/web", digest_of(tag)))
        world.tags["team/web", tag] = digest_of(tag)
    return kit


def test_a_tag_is_answered_with_the_nearest_tags(filled: Kit) -> None:
    """An unknown tag is answered with similar tags, an unknown repository with similar repositories."""
    with pytest.raises(ImageNotFound, match=r"did you mean '2026\.11\.\d' or '2026\.11\.\d'\?"):
        filled.find_image("team/web", "2026.11.8")
    with pytest.raises(RepositoryNotFound, match=r"did you mean 'team/web'\?"):
        filled.find_image("team/wbe", "2026.11.9")


def test_a_repository_is_answered_with_the_nearest_repositories(filled: Kit) -> None:
    """An unknown repository that may not be created is answered with similar ones."""
    with pytest.raises(RepositoryNotFound, match=r"did you mean 'team/web'\?"):
        filled.create_repository("team/wbe", create=False)


def test_what_cannot_be_listed_is_answered_with_another_hint(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If names cannot be listed, the given hint is returned instead."""
    ecr = FakeEcr(world)

    def closed(*_: object) -> None:
        raise RegistryUnavailable("no way")

    monkeypatch.setattr(ecr, "list_repositories", closed)
    monkeypatch.setattr(ecr, "list_images", closed)
    assert nearest_repository(ecr, "team/wbe", "look") == "look"
    assert nearest_tag(ecr, "team/web", "1.0", "look") == "look"


def test_services_and_environments_are_answered_with_the_nearest(world: World) -> None:
    """Unknown environments and services are answered with similar ones of the same target."""
    layer0 = FakeLayer0(world)
    layer0.create_environment("demo")
    (place,) = layer0.list_environments()
    layer0.create_service(place.environment_id, "timeoutsvc", "timeout.1")
    with pytest.raises(EntityNotFound, match=r"did you mean 'demo'\?"):
        find_environment(layer0, "dmeo")
    with pytest.raises(EntityNotFound, match=r"did you mean 'timeoutsvc'\?"):
        require_service(layer0, Place(place.environment_id, "demo"), "timeotsvc")
