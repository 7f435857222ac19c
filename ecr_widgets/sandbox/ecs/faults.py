"""Errors in AWS's words."""

from __future__ import annotations

from typing import Any


class EcsError(Exception):
    """An error response.

    Args:
        code: As in `__type`.

        members: More members next to the message.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.members = code, message, status, members


def client_error(message: str) -> EcsError:
    """A ClientException."""
    return EcsError("ClientException", message)


def invalid(message: str) -> EcsError:
    """An InvalidParameterException."""
    return EcsError("InvalidParameterException", message)


def unsupported(what: str) -> EcsError:
    """The error for what the sandbox does not support."""
    return EcsError("UnsupportedFeatureException", f"The sandbox has no {what}.")
