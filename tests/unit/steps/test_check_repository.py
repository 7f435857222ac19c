"""The final check of a repository's settings."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.steps.check_repository import CheckRepository
from ecr_widgets.steps.create_repository import CreateRepository
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import KMS_KEY
from tests.fakes.connections import perform


def test_a_check_names_an_encryption_that_differs(outside: Outside) -> None:
    """A check names an encryption that differs, besides other settings; if none was asked for, any is accepted."""
    perform(CreateRepository("app"), outside)
    wrong = Encryption("KMS", KMS_KEY)
    with pytest.raises(VerifyError, match=f"tags_immutable is .*, encryption is AES256 and not {wrong}; enc"):
        perform(
            CheckRepository("app", tags_immutable=True, scan_on_push=True, encryption="KMS", kms_key=KMS_KEY),
            outside,
        )
    perform(CheckRepository("app", tags_immutable=False, scan_on_push=True), outside)
    outcome = perform(
        CheckRepository("app", tags_immutable=False, scan_on_push=True, encryption="AES256"), outside
    )
    assert (outcome.encryption, outcome.kms_key) == ("AES256", None)


def test_other_settings_of_a_repository_are_named(outside: Outside) -> None:
    """A check names each setting of an existing repository that differs."""
    perform(CreateRepository("app", scan_on_push=True), outside)
    assert not perform(CheckRepository("app", tags_immutable=False, scan_on_push=True), outside).changed
    with pytest.raises(VerifyError, match="tags_immutable is false and not true, scan_on_push is true"):
        perform(CheckRepository("app", tags_immutable=True, scan_on_push=False), outside)
