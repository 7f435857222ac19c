"""How ECR encrypts a repository.

Source: Amazon ECR API, EncryptionConfiguration: the key is named by ARN, id or alias. The Amazon ECR user guide,
"Encryption at rest": it is set when the repository is created, and ECR stores the ARN of the key that was named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecr_widgets.errors import InputError

ENCRYPTIONS = ("AES256", "KMS")
"""What can be chosen; in US government regions ECR also reports a third type, `KMS_DSSE`."""

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
_ALIAS = r"alias/[A-Za-z0-9/_-]{1,250}"
_KEY = re.compile(
    rf"{_ID}|{_ALIAS}|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:(?:key/(?:{_ID})|{_ALIAS})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a repository is encrypted, as requested or as ECR reports it."""

    type: str
    """`AES256`: keys managed by S3; `KMS`: a key in AWS Key Management Service."""
    kms_key: str | None = None
    """ARN, id or alias of the key; None for AWS's own key for ECR, or if any key will do."""

    @classmethod
    def parse(cls, encryption: str, kms_key: str = "") -> Encryption | None:
        """Parse what was asked for; None if nothing was.

        Args:
            encryption: One of `ENCRYPTIONS`, or empty.

            kms_key: With `KMS`: ARN, id or alias of a key, or empty.

        Raises:
            InputError: Another word, a key without `KMS`, or something that does not name a key.
        """
        if encryption and encryption not in ENCRYPTIONS:
            raise InputError(
                f"encryption is {encryption!r}", hint=f"give {' or '.join(ENCRYPTIONS)}, or leave it out"
            )
        if not kms_key:
            return cls(encryption) if encryption else None
        if encryption != "KMS":
            raise InputError(
                f"a KMS key is given, and encryption is {encryption or 'left out'}",
                hint="give encryption KMS with it, or leave the key out",
            )
        if not _KEY.fullmatch(kms_key):
            raise InputError(
                f"{kms_key!r} is not a KMS key",
                hint="give its ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), its id, or an alias (alias/NAME)",
            )
        return cls(encryption, kms_key)

    def is_met_by(self, current: Encryption) -> bool:
        """Whether a repository with this current encryption has what was asked for.

        ECR stores the ARN of the key behind an alias. An alias cannot be resolved here, so any key meets it.
        """
        if self.type != current.type or self.kms_key is None:
            return self.type == current.type
        if current.kms_key is None:
            return False
        if _is_alias(self.kms_key) != _is_alias(current.kms_key):
            return True
        if self.kms_key.startswith("arn:") and current.kms_key.startswith("arn:"):
            return self.kms_key == current.kms_key
        return _name(self.kms_key) == _name(current.kms_key)

    def __str__(self) -> str:
        return self.type if self.kms_key is None else f"{self.type} with key {self.kms_key}"


def _is_alias(kms_key: str) -> bool:
    return _name(kms_key).startswith("alias/")


def _name(kms_key: str) -> str:
    """Id or alias, without the ARN's prefix."""
    return kms_key.rpartition(":")[2].removeprefix("key/")
