"""Errors in AWS's words."""

from __future__ import annotations

from typing import Any


class EcsError(Exception):
    """An answer that is an error.

    Args:
        code: As in `__type`.

        members: What comes beside the message.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.members = code, message, status, members


def client_error(message: str) -> EcsError:
    """What ECS calls ClientException."""
    return EcsError("ClientException", message)


def invalid(message: str) -> EcsError:
    """What ECS calls InvalidParameterException."""
    return EcsError("InvalidParameterException", message)


def unsupported(what: str) -> EcsError:
    """What the sandbox does not do."""
    return EcsError("UnsupportedFeatureException", f"The sandbox has no {what}.")
