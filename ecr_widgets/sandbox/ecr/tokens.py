"""Authorization tokens as ECR hands them out: random, and good for a while."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from enum import Enum


class Entry(Enum):
    """What a registry makes of an Authorization header."""

    WELCOME = "welcome"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class Tokens:
    """The tokens of one sandbox.

    Args:
        lifetime_s: Life of a new token, in seconds; AWS gives 12 hours.
    """

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._expires_at_s: dict[str, float] = {}

    def issue(self) -> tuple[str, float]:
        """A new password for user AWS, and when it expires (seconds since the epoch)."""
        # ECR's begin so too. One that began with a minus sign would be taken for an option where somebody types it.
        password = f"eyJ{secrets.token_urlsafe(48)}"
        self._expires_at_s[password] = time.time() + self._lifetime_s
        return password, self._expires_at_s[password]

    def judge(self, header: str | None) -> Entry:
        """Whether a Basic Authorization header lets in."""
        try:
            scheme, _, coded = (header or "").partition(" ")
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Entry.UNKNOWN
        if scheme.lower() != "basic" or user != "AWS" or password not in self._expires_at_s:
            return Entry.UNKNOWN
        return Entry.WELCOME if time.time() < self._expires_at_s[password] else Entry.EXPIRED
