"""Which certificates a listener of this Layer0 may show, by their names and ARNs."""

from __future__ import annotations

import re

from ecr_widgets.sandbox.layer0.identifiers import ACCOUNT

KNOWN_NAMES = ("sandbox", "default")
"""Certificates that exist in this sandbox, by name; any ARN of the usual form is accepted, too."""
_OF_THE_API = re.compile(r"l0-.+-api")
"""The certificate that every Layer0 makes for itself, whatever its instance is called."""
_ARN_PREFIXES = ("arn:aws:acm:", "arn:aws:iam:")


def is_known(name: str, arn: str) -> bool:
    """Whether a listener may show this certificate; an ARN counts before a name."""
    if arn:
        return arn.startswith(_ARN_PREFIXES)
    return name in KNOWN_NAMES or _OF_THE_API.fullmatch(name) is not None


def full_arn(name: str, arn: str) -> str:
    """The ARN of a certificate that is known by its name or ARN; empty where there is none."""
    return arn or (f"arn:aws:iam::{ACCOUNT}:server-certificate/{name}" if name else "")


def full_name(name: str, arn: str) -> str:
    """The name of a certificate that is known by its name or ARN; those of ACM have none."""
    return name or (arn.rpartition("/")[2] if arn.startswith("arn:aws:iam:") else "")
