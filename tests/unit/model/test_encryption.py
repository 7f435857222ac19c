"""A repository's encryption: what can be requested, and what satisfies it."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.encryption import Encryption

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"
ARN = f"arn:aws:kms:us-east-1:111222333444:key/{ID}"
ALIAS_ARN = "arn:aws-us-gov:kms:us-gov-west-1:111222333444:alias/team/app"


def test_nothing_asked_for_is_none() -> None:
    """An empty encryption is None, so that ECR chooses."""
    assert Encryption.parse("") is None


@pytest.mark.parametrize("key", ["", ID, MULTI_REGION, ARN, "alias/team/app", "alias/aws/ecr", ALIAS_ARN])
def test_a_key_is_named_by_arn_id_or_alias(key: str) -> None:
    """A KMS key may be an ARN, an id or an alias; without one it is AWS's own key."""
    assert Encryption.parse("KMS", key) == Encryption("KMS", key or None)


@pytest.mark.parametrize(
    ("encryption", "key", "what"),
    [
        ("aes256", "", "encryption is 'aes256'; give AES256 or KMS, or leave it out"),
        ("KMS_DSSE", "", "encryption is 'KMS_DSSE'; give AES256 or KMS"),
        ("", ARN, "a KMS key is given, and encryption is left out; give encryption KMS with it"),
        ("AES256", ARN, "a KMS key is given, and encryption is AES256; give encryption KMS with it"),
        ("KMS", "team", "'team' is not a KMS key; give its ARN"),
        ("KMS", ID.upper(), "is not a KMS key"),
        ("KMS", "alias/", "is not a KMS key"),
        ("KMS", f"{ARN} ", "is not a KMS key"),
        ("KMS", f"{ARN}\n", "is not a KMS key"),
        ("KMS", ARN.replace("kms", "s3"), "is not a KMS key"),
        ("KMS", ARN.replace(ID, "team"), "is not a KMS key"),
    ],
)
def test_what_ecr_would_refuse_is_refused_with_what_to_give(encryption: str, key: str, what: str) -> None:
    """An encryption or key that ECR would refuse is refused with what to give instead."""
    with pytest.raises(InputError) as refused:
        Encryption.parse(encryption, key)
    assert what in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("asked", "standing", "is_met"),
    [
        (Encryption("AES256"), Encryption("AES256"), True),
        (Encryption("AES256"), Encryption("KMS", ARN), False),
        (Encryption("KMS"), Encryption("AES256"), False),
        (Encryption("KMS"), Encryption("KMS_DSSE", ARN), False),
        (Encryption("KMS"), Encryption("KMS", ARN), True),
        (Encryption("KMS", ARN), Encryption("KMS", ARN), True),
        (Encryption("KMS", ARN), Encryption("KMS", ARN.replace("us-east-1", "eu-west-1")), False),
        (Encryption("KMS", ID), Encryption("KMS", ARN), True),
        (Encryption("KMS", MULTI_REGION), Encryption("KMS", ARN), False),
        (Encryption("KMS", ID), Encryption("KMS"), False),
        (Encryption("KMS", "alias/a"), Encryption("KMS"), False),
        (Encryption("KMS", "alias/a"), Encryption("KMS", ARN), True),
        (Encryption("KMS", "alias/a"), Encryption("KMS", "alias/b"), False),
        (Encryption("KMS", "alias/team/app"), Encryption("KMS", ALIAS_ARN), True),
        (Encryption("KMS", "alias/a"), Encryption("AES256"), False),
    ],
)
def test_what_was_asked_for_is_met_or_not(asked: Encryption, standing: Encryption, *, is_met: bool) -> None:
    """A key id matches its ARN; an alias matches any KMS key's ARN, since it does not tell which key it stands for."""
    assert asked.is_met_by(standing) is is_met
