"""All of docker-py that this package uses."""

from __future__ import annotations

import docker
from docker.auth import AuthConfig
from docker.credentials import CredentialsNotFound, Store
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

__all__ = [
    "APIError",
    "AuthConfig",
    "CredentialsNotFound",
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
