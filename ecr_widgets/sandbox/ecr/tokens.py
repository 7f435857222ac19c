"""Authorization tokens as ECR issues them: random, and valid for a limited time."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from enum import Enum


class Entry(Enum):
    """How a registry judges an Authorization header."""

    WELCOME = "welcome"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class Tokens:
    """The tokens of one sandbox.

    Args:
        lifetime_s: Lifetime of a new token, in seconds; 12 hours on AWS.
    """

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._expires_at_s: dict[str, float] = {}

    def issue(self) -> tuple[str, float]:
        """A new password for user AWS, and when it expires (seconds since the epoch)."""
        # ECR's begin like this too. On a command line, one that began with a minus sign would be read as an option.
        password = f"eyJ{secrets.token_urlsafe(48)}"
        self._expires_at_s[password] = time.time() + self._lifetime_s
        return password, self._expires_at_s[password]

    def judge(self, header: str | None) -> Entry:
        """Whether a Basic Authorization header grants access."""
        try:
            scheme, _, coded = (header or "").partition(" ")
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Entry.UNKNOWN
        if scheme.lower() != "basic" or user != "AWS" or password not in self._expires_at_s:
            return Entry.UNKNOWN
        return Entry.WELCOME if time.time() < self._expires_at_s[password] else Entry.EXPIRED
