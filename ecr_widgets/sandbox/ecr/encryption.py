"""How ECR interprets the encryption requested for a new repository; moto stores whatever it is given.

There are no keys in the sandbox: every valid key name counts as existing, and an alias's key id is derived from its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from ecr_widgets.sandbox.ecr.images import refuse

_TYPES = ("AES256", "KMS", "KMS_DSSE")
_AWS_OWN = "alias/aws/ecr"


def encryption_of(asked: Mapping[str, str] | None, *, account: str, region: str) -> dict[str, str]:
    """The encryption that the repository shows from then on: its key by ARN, as on AWS.

    Raises:
        ServiceException: InvalidParameterException for an unknown type, or a key with a type that uses none.
    """
    kind = (asked or {}).get("encryptionType", "AES256" if asked is None else "")
    key = (asked or {}).get("kmsKey")
    if kind not in _TYPES:
        raise refuse(
            "InvalidParameterException",
            "Invalid parameter at 'encryptionConfiguration.encryptionType' failed to satisfy constraint: 'Member must"
            f" satisfy enum value set: [{', '.join(_TYPES)}]'",
        )
    if kind == "AES256":
        if key is not None:
            raise refuse(
                "InvalidParameterException",
                "Invalid parameter at 'encryptionConfiguration.kmsKey': a key is not used by encryption type AES256",
            )
        return {"encryptionType": kind}
    return {"encryptionType": kind, "kmsKey": _arn(key or _AWS_OWN, account, region)}


def _arn(key: str, account: str, region: str) -> str:
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    name = key.rpartition(":")[2]
    key_id = str(uuid5(NAMESPACE_URL, name)) if name.startswith("alias/") else name
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"
