"""Addresses in answers: which ones may be followed, and which parts may be shown."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from ecr_widgets.model.loopback import is_loopback


def follow(url: str, location: str) -> str | None:
    """The address that an answer's `Location` names; None if it must not be followed.

    It may be followed if it is https or on this machine, and holds no login.
    """
    with suppress(ValueError):
        parts = urlsplit(joined := urljoin(url, location))
        encrypted = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
        return joined if encrypted and parts.hostname and "@" not in parts.netloc else None
    return None


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def shown(url: str) -> str:
    """An address for a message: only scheme and host, since the rest may be a signature or a login."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "an address that cannot be read"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
