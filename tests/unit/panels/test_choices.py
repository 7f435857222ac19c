"""The choices that a form offers."""

from __future__ import annotations

from datetime import timedelta

from ecr_widgets.panels.choices import Choices
from ecr_widgets.panels.notebook_kit import NotebookKit
from tests.fakes import World, digest_of


def test_what_exists_is_offered(kit: NotebookKit, world: World) -> None:
    """A form offers repositories by name, a repository's tags newest first, environments and their services."""
    for name in ("team/web", "team/app"):
        kit.create_repository(name)
    for number in range(3):
        digest = digest_of(str(number))
        world.manifests.add(("team/app", digest))
        world.tags["team/app", f"1.{number}"] = digest
        world.pushed_at[digest] = world.now + timedelta(hours=number)
    choices = Choices(lambda: kit)
    typed = {"repository": "team/app", "environment": "demo"}
    assert choices.of("repository", typed) == ("team/app", "team/web")
    assert choices.of("tag", typed) == ("1.2", "1.1", "1.0")
    assert "demo" in choices.of("environment", typed)
    assert choices.of("service", typed) == ()
    assert choices.of("timeout_s", typed) == ()


def test_what_cannot_be_read_offers_nothing(kit: NotebookKit) -> None:
    """If the names cannot be read, no choices are offered and no error is raised."""
    choices = Choices(lambda: kit)
    assert choices.of("tag", {"repository": "no/such"}) == ()
    assert choices.of("service", {"environment": "nowhere"}) == ()
