"""Which certificates a listener in this Layer0 may use, by name and ARN."""

from __future__ import annotations

import re

from ecr_widgets.sandbox.layer0.identifiers import ACCOUNT

KNOWN_NAMES = ("sandbox", "default")
"""Names of the certificates that exist in this sandbox; any ARN of the usual form is accepted, too."""
_OF_THE_API = re.compile(r"l0-.+-api")
"""The certificate that every Layer0 creates for itself, whatever its instance is called."""
_ARN_PREFIXES = ("arn:aws:acm:", "arn:aws:iam:")


def is_known(name: str, arn: str) -> bool:
    """Whether a listener may use this certificate; an ARN takes precedence over a name."""
    if arn:
        return arn.startswith(_ARN_PREFIXES)
    return name in KNOWN_NAMES or _OF_THE_API.fullmatch(name) is not None


def full_arn(name: str, arn: str) -> str:
    """The ARN of a certificate, given its name or ARN; empty if neither is given."""
    return arn or (f"arn:aws:iam::{ACCOUNT}:server-certificate/{name}" if name else "")


def full_name(name: str, arn: str) -> str:
    """The name of a certificate, given its name or ARN; ACM's certificates have none."""
    return name or (arn.rpartition("/")[2] if arn.startswith("arn:aws:iam:") else "")
