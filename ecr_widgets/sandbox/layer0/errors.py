"""Layer0's error codes and the HTTP status that each is answered with."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Layer0's `error_code`, by its name there."""

    INVALID_JSON = 1
    INVALID_DEPLOY_ID = 4
    INVALID_ENVIRONMENT_ID = 6
    INVALID_SERVICE_NAME = 13
    MISSING_PARAMETER = 19
    UNEXPECTED_ERROR = 21
    DEPLOY_DOES_NOT_EXIST = 23
    ENVIRONMENT_DOES_NOT_EXIST = 24
    JOB_DOES_NOT_EXIST = 25
    LOAD_BALANCER_DOES_NOT_EXIST = 26
    SERVICE_DOES_NOT_EXIST = 28
    TASK_DOES_NOT_EXIST = 29


_BAD_REQUEST = frozenset((1, 2, 4, 6, 12, 16, 17, 18, 19))
_NOT_FOUND = frozenset((23, 24, 25, 26, 28, 29))


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        if self.code in _BAD_REQUEST:
            return 400
        return 404 if self.code in _NOT_FOUND else 500
