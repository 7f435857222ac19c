"""docker-py without paramiko, which it imports for addresses that begin with ssh:// and which takes as long as docker-py."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands in for a module, which is imported when something in it is used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


_is_late = "paramiko" not in sys.modules and find_spec("paramiko") is not None
if _is_late:
    sys.modules["paramiko"] = _Later("paramiko")
try:
    import docker
    from docker.auth import AuthConfig
    from docker.credentials import Store
    from docker.errors import (
        APIError,
        DockerException,
        ImageNotFound,
        InvalidVersion,
        NotFound,
        TLSParameterError,
    )
    from docker.tls import TLSConfig
    from docker.utils.json_stream import json_stream
finally:
    # Later imports get the module itself.
    if _is_late:
        del sys.modules["paramiko"]

__all__ = [
    "APIError",
    "AuthConfig",
    "DockerException",
    "ImageNotFound",
    "InvalidVersion",
    "NotFound",
    "Store",
    "TLSConfig",
    "TLSParameterError",
    "docker",
    "json_stream",
]
