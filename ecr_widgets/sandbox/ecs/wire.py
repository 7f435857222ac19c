"""JSON 1.1 on the wire: decodes requests, checks them against ECS's own model, and encodes answers.

Source: the service models that botocore carries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from ecr_widgets.sandbox.ecs.faults import EcsError

JSON = "application/x-amz-json-1.1"
_UNKNOWN = "unknown field"


class Model:
    """A service's calls, as described by botocore.

    Args:
        name: Its folder in botocore: `ecs`, `logs`.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self, operation: str, given: Mapping[str, Any]) -> None:
        """Refuse members that are missing, of the wrong type, or not one of the allowed words; unknown members pass.

        Raises:
            EcsError: Something is wrong; the message says what.
        """
        if operation not in self._model.operation_names:
            raise EcsError("UnknownOperationException", f"{operation} is no call of {self._name}")
        shape = self._model.operation_model(operation).input_shape
        if shape is None:
            return
        report = ParamValidator().validate(given, shape)
        # What this botocore does not know may just be newer.
        report._errors = [each for each in report._errors if each[0] != _UNKNOWN]
        if report.has_errors():
            raise EcsError("InvalidParameterException", report.generate_report())
        _check_words(given, shape, operation)

    @cached_property
    def _model(self) -> ServiceModel:
        return ServiceModel(Loader().load_service_model(self._name, "service-2"), self._name)


def _check_words(value: Any, shape: Shape, where: str) -> None:
    words = getattr(shape, "enum", None)
    if words and value not in words:
        raise EcsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy"
            f" enum value set: [{', '.join(words)}]",
        )
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members and item is not None:
                _check_words(item, shape.members[name], name)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            _check_words(item, shape.member, where)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for item in value.values():
            _check_words(item, shape.value, where)


def decode(body: bytes) -> dict[str, Any]:
    """A request's members; a null counts as not given.

    Raises:
        EcsError: Not a JSON object.
    """
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise EcsError("SerializationException", str(error)) from error
    if not isinstance(given, dict):
        raise EcsError("SerializationException", "The request is no JSON object")
    members: dict[str, Any] = _given(given)
    return members


def encode(answer: Mapping[str, Any]) -> bytes:
    """Encode an answer; times are in seconds since the epoch, and members that are None are left out."""
    return json.dumps(_given(answer), ensure_ascii=False).encode()


def encode_error(error: EcsError) -> bytes:
    """Encode an error."""
    return encode({"__type": error.code, "message": error.message, **error.members})


def _given(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _given(item) for key, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list | tuple) else value
