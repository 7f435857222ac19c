"""Repositories that are created where they are missing, and never with another encryption than was asked for."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InvalidReference, RepositoryNotFound, VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.steps.create_repository import CreateRepository
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import KMS_KEY, World
from tests.fakes.connections import FakeConnections, perform


def test_a_repository_is_created_once(outside: Outside, world: World) -> None:
    """The same call twice changes nothing the second time."""
    assert perform(CreateRepository("xfra-wait"), outside).changed
    assert not perform(CreateRepository("xfra-wait"), outside).changed
    assert world.changes == ["create repository xfra-wait"]


def test_a_missing_repository_is_refused_where_creation_is_off(outside: Outside, world: World) -> None:
    """Nothing is created against the parameter's word."""
    with pytest.raises(RepositoryNotFound, match="switched off"):
        perform(CreateRepository("xfra-wait", create=False), outside)
    assert world.changes == []


@pytest.mark.parametrize("name", ["X", "a", "a//b", "-a", "a" * 257, "a b"])
def test_a_name_that_ecr_refuses_is_refused_before_any_call(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """ECR's grammar is checked here, so that the message can say what is wrong."""
    monkeypatch.delattr(type(to.ecr), "find_repository")
    with pytest.raises(InvalidReference):
        perform(CreateRepository(name), outside)


def test_an_encryption_is_chosen_once_and_told(outside: Outside) -> None:
    """The outcome has what ECR says, the key by ARN; where nothing was asked for it says nothing."""
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
    """It cannot be changed, so the step neither changes the repository nor says that all is well."""
    perform(CreateRepository("app"), outside)
    for key in ("", KMS_KEY):
        asked = Encryption("KMS", key or None)
        with pytest.raises(VerifyError, match=f"encryption is AES256 and not {asked}; encryption cannot be"):
            perform(CreateRepository("app", encryption="KMS", kms_key=key), outside)
    assert world.changes == ["create repository app"]


def test_a_repository_that_somebody_makes_meanwhile_is_looked_at_too(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they chose is not what was asked for."""
    perform(CreateRepository("app"), outside)
    monkeypatch.setattr(to.ecr, "find_repository", lambda _: None)
    with pytest.raises(VerifyError, match="encryption is AES256 and not KMS"):
        perform(CreateRepository("app", encryption="KMS"), outside)
