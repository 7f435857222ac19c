"""`ecr-widgets push --create` with an encryption."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main
from tests.fakes import KMS_KEY, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A world with a local image, which the commands are connected to."""
    world = World()
    world.local["app"] = digest_of("app")
    monkeypatch.setattr(
        "ecr_widgets.connections.connect", lambda **_: make_kit(FakeConnections(world), tmp_path)
    )
    return world


def test_a_repository_is_created_with_its_encryption(world: World) -> None:
    """A push creates the repository with the given encryption and key, and a second push accepts it as it is."""
    words = ["push", "app", "team/app", "1", "--create", "--encryption", "KMS", "--kms-key", "alias/team"]
    for _ in range(2):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
    made = world.repositories["team/app"]
    assert (made.encryption, made.kms_key) == ("KMS", KMS_KEY)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--encryption KMS", "give --create with them"),
        ("--kms-key alias/team", "give --create with them"),
        ("--create --encryption kms", "'kms' is not one of 'AES256', 'KMS'"),
        ("--create --kms-key alias/team", "encryption is left out; give encryption KMS"),
        ("--create --encryption AES256 --kms-key alias/team", "encryption is AES256; give encryption KMS"),
        ("--create --encryption KMS --kms-key team", "'team' is not a KMS key; give its ARN"),
    ],
)
def test_a_bad_encryption_is_refused_and_nothing_changed(world: World, options: str, why: str) -> None:
    """Invalid encryption options are refused with exit code 2 and what to give instead, and nothing is changed."""
    done = CliRunner().invoke(main, ["push", "app", "team/app", "1", *options.split()])
    assert done.exit_code == 2
    assert why in done.output
    assert world.changes == []


def test_another_encryption_than_stands_fails_the_push(world: World) -> None:
    """A push that requests another encryption than the repository has fails before the image is sent."""
    assert CliRunner().invoke(main, ["push", "app", "team/app", "1", "--create"]).exit_code == 0
    before = list(world.changes)
    words = ["push", "app", "team/app", "2", "--create", "--encryption", "KMS"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "encryption is AES256 and not KMS; encryption cannot be changed after creation" in done.output
    assert world.changes == before


def test_an_image_that_is_not_there_creates_no_repository(world: World) -> None:
    """A push of an image that the engine does not have fails and names it, and no repository is created for it."""
    done = CliRunner().invoke(main, ["push", "nosuch", "team/app", "1", "--create"])
    assert done.exit_code == 1
    assert "no local image 'nosuch' on the engine" in done.output
    assert world.changes == []
