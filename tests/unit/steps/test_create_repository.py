"""Repositories that are created if they do not exist, never with another encryption than requested."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InvalidReference, RepositoryNotFound, VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.steps.create_repository import CreateRepository
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import KMS_KEY, World
from tests.fakes.connections import FakeConnections, perform


def test_a_repository_is_created_once(outside: Outside, world: World) -> None:
    """A repository is created once; the second call changes nothing."""
    assert perform(CreateRepository("xfra-wait"), outside).changed
    assert not perform(CreateRepository("xfra-wait"), outside).changed
    assert world.changes == ["create repository xfra-wait"]


def test_a_missing_repository_is_refused_where_creation_is_off(outside: Outside, world: World) -> None:
    """With creation switched off, a missing repository is refused and nothing is created."""
    with pytest.raises(RepositoryNotFound, match="switched off"):
        perform(CreateRepository("xfra-wait", create=False), outside)
    assert world.changes == []


@pytest.mark.parametrize("name", ["X", "a", "a//b", "-a", "a" * 257, "a b"])
def test_a_name_that_ecr_refuses_is_refused_before_any_call(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name that ECR would refuse is refused before any call to ECR."""
    monkeypatch.delattr(type(to.ecr), "find_repository")
    with pytest.raises(InvalidReference):
        perform(CreateRepository(name), outside)


def test_an_encryption_is_chosen_once_and_told(outside: Outside) -> None:
    """The outcome has the encryption that ECR reports, the key by ARN, or none if none was asked for."""
    outcomes = [
        perform(step, outside)
        for step in (
            CreateRepository("app", encryption="KMS", kms_key="alias/team"),
            CreateRepository("app", encryption="KMS", kms_key=KMS_KEY),
            CreateRepository("app"),
        )
    ]
    assert [(each.changed, each.encryption, each.kms_key) for each in outcomes] == [
        (True, "KMS", KMS_KEY),
        (False, "KMS", KMS_KEY),
        (False, None, None),
    ]


def test_another_encryption_than_it_has_is_refused_for_good(outside: Outside, world: World) -> None:
    """If an existing repository has another encryption than requested, it is refused and left unchanged."""
    perform(CreateRepository("app"), outside)
    for key in ("", KMS_KEY):
        asked = Encryption("KMS", key or None)
        with pytest.raises(VerifyError, match=f"encryption is AES256 and not {asked}; encryption cannot be"):
            perform(CreateRepository("app", encryption="KMS", kms_key=key), outside)
    assert world.changes == ["create repository app"]


def test_a_repository_that_somebody_makes_meanwhile_is_looked_at_too(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that someone else creates in the meantime is also checked for its encryption."""
    perform(CreateRepository("app"), outside)
    monkeypatch.setattr(to.ecr, "find_repository", lambda _: None)
    with pytest.raises(VerifyError, match="encryption is AES256 and not KMS"):
        perform(CreateRepository("app", encryption="KMS"), outside)
