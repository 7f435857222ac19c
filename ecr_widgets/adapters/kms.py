"""A signing key in AWS KMS: its private half never leaves KMS, and CloudTrail records each use.

Source: AWS KMS API, GetPublicKey, Sign (`MessageType` DIGEST, `SigningAlgorithm` ECDSA_SHA_256).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from ecr_widgets.adapters.aws_session import AwsSession
from ecr_widgets.adapters.ecr_calls import translated
from ecr_widgets.errors import SettingsError

_ALGORITHM = "ECDSA_SHA_256"
KIND = "make a key with key spec ECC_NIST_P256 and key usage SIGN_VERIFY"
"""What to do if a key is of another kind."""


class KmsKey:
    """One key, by its ARN. Every call may raise SettingsError, AuthorizationError or RegistryError."""

    def __init__(self, arn: str, *, on_secret: Callable[[str], None] = lambda _: None) -> None:
        parts = arn.split(":")
        if len(parts) != 6 or parts[2] != "kms" or not parts[5].startswith("key/"):
            raise SettingsError(
                f"{arn!r} is not the ARN of a KMS key", hint="give it as arn:aws:kms:REGION:ACCOUNT:key/ID"
            )
        self.arn = arn
        self._session = AwsSession(None, profile=None, region=parts[3], on_secret=on_secret)

    def read_public_key(self) -> bytes:
        """The public half in DER.

        Raises:
            SettingsError: The key is of another kind, or not for signing.
        """
        answer = translated("kms:GetPublicKey", lambda: self._client.get_public_key(KeyId=self.arn))
        if _ALGORITHM not in answer.get("SigningAlgorithms", ()):
            raise SettingsError(f"{self.arn} does not sign by {_ALGORITHM}", hint=KIND)
        return bytes(answer["PublicKey"])

    def sign(self, content: bytes) -> bytes:
        """An ECDSA signature over the content, in DER."""
        answer = translated(
            "kms:Sign",
            lambda: self._client.sign(
                KeyId=self.arn,
                Message=hashlib.sha256(content).digest(),
                MessageType="DIGEST",
                SigningAlgorithm=_ALGORITHM,
            ),
        )
        return bytes(answer["Signature"])

    @cached_property
    def _client(self) -> Any:
        return translated("kms:GetPublicKey", lambda: self._session.client("kms"))
