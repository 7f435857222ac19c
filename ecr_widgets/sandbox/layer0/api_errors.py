"""Layer0's error codes, and the HTTP status for each."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The values of Layer0's `error_code` that this server uses, by Layer0's names; numbers since v0.10.7."""

    INVALID_JSON = 1
    INVALID_DEPLOY_ID = 4
    INVALID_ENVIRONMENT_ID = 6
    INVALID_LOAD_BALANCER_NAME = 11
    INVALID_SERVICE_NAME = 13
    INVALID_TAG_KEY = 17
    INVALID_TAG_VALUE = 18
    MISSING_PARAMETER = 19
    THROTTLED = 20
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
    """An error response."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """HTTP status of the response."""
        if self.code in _BAD_REQUEST:
            return 400
        if self.code in _NOT_FOUND:
            return 404
        return 503 if self.code is Code.THROTTLED else 500


_WORDS = (("environment", "service"), ("application", "environment"), ("listener", "port"))
"""AWS's words and what Layer0 replaces them with, one after the other."""


def aws_error(text: str, aws_code: str = "ClientException") -> ApiError:
    """An AWS error as Layer0 passes it on: in lower case, in Layer0's words, followed by AWS's code."""
    message = text.lower()
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    return ApiError(Code.UNEXPECTED_ERROR, f"AWS Error: {message} (code '{aws_code}')")
