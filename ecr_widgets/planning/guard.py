"""Connections through which nothing can be changed, for whatever a plan has forgotten."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from ecr_widgets.errors import InputError
from ecr_widgets.kit import Connections

Port = TypeVar("Port")
_CHANGES = (
    "change_",
    "copy_",
    "create_",
    "update_",
    "delete_",
    "scale_",
    "build",
    "tag",
    "push",
    "pull",
    "put_",
    "link_",
    "unlink_",
    "restore_",
    "set_",
)
NOT_YET = "known when it is made"


class ReadOnly(Generic[Port]):
    """A port that refuses every call that changes something, for whatever a plan has forgotten."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_CHANGES) and name != "pushed_digests":
            raise InputError(f"{name} cannot be planned", hint="run it without --plan")
        return getattr(self._port, name)


class LookingOnly:
    """Connections through which nothing can be changed; no target is held."""

    def __init__(self, connections: Connections) -> None:
        self._to = connections
        self._guarded: dict[str, Any] = {}

    @property
    def locks(self) -> LookingOnly:
        """None are taken."""
        return self

    def hold(self, _target: str) -> AbstractContextManager[None]:
        """Hold nothing."""
        return nullcontext()

    def __getattr__(self, name: str) -> Any:
        if name == "ecr_of":
            return lambda **which: ReadOnly(self._to.ecr_of(**which))
        if name not in ("ecr", "engine", "layer0", "registry"):
            return getattr(self._to, name)
        return self._guarded.setdefault(name, ReadOnly(getattr(self._to, name)))
