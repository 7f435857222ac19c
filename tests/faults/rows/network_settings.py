"""Rows 78 and 86: the network and the identity as the user set them, also where that cannot work."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import boto3
import urllib3

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.errors import EcrWidgetsError
from tests.faults.plan import Attempt, row
from tests.unit.adapters.scripted import answering, http
from tests.unit.adapters.test_http import CLIENTS, HOST

_PLAIN: Callable[[], object] = lambda: urllib3.PoolManager().request(  # noqa: E731
    "GET", f"https://{HOST}/v2/", retries=False, timeout=1
)


@contextmanager
def _environ(folder: Path, changes: dict[str, str]) -> Iterator[None]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy") and "BUNDLE" not in name
    }
    base = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "nosecret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_MAX_ATTEMPTS": "1",
    }
    with (
        mock.patch.dict(os.environ, kept | base | changes, clear=True),
        mock.patch("urllib3.util.retry.time.sleep"),
        mock.patch("botocore.endpoint.time.sleep"),
        mock.patch("ecr_widgets.adapters.layer0.transport.time.sleep"),
    ):
        yield


def _by_the_proxy(at: Attempt, client: Callable[[], object]) -> None:
    name = at.rng.choice(("HTTPS_PROXY", "https_proxy"))
    with answering(http(502)) as proxy:
        address = at.rng.choice((proxy.url, proxy.host, f"http://user:word@{proxy.host}"))
        with _environ(at.folder, {name: address}):
            try:
                client()
            except (EcrWidgetsError, urllib3.exceptions.HTTPError):
                pass
    assert {each.method for each in proxy.asked} == {"CONNECT"}, "it went past the proxy"


def _past_the_proxy(at: Attempt) -> None:
    """urllib3 by itself reads no such variable."""
    _by_the_proxy(at, _PLAIN)


@row(
    78,
    "a network whose only way out is a proxy, with and without a login",
    tries=100,
    quick=8,
    control=_past_the_proxy,
)
def proxies(at: Attempt) -> None:
    """Each client of ours asks the proxy."""
    _by_the_proxy(at, CLIENTS[at.rng.choice(sorted(CLIENTS))])


_BROKEN: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "credential_process = /nowhere/helper"),
    ({}, "credential_process = echo {}"),
    ({}, "credential_process = echo not json"),
    ({}, "role_arn = arn:aws:iam::111222333444:role/r\nweb_identity_token_file = /nowhere"),
    ({}, "role_arn = arn:aws:iam::111222333444:role/r\nsource_profile = nobody"),
    ({}, "login_session = arn:aws:iam::111222333444:user/a"),
    ({"AWS_SECRET_ACCESS_KEY": "key\n"}, ""),
    ({"AWS_SESSION_TOKEN": "to\nken"}, ""),
    ({"AWS_CA_BUNDLE": "/nowhere/ca.pem"}, ""),
    ({"AWS_ENDPOINT_URL": "http://aws.example.com"}, ""),
    ({"HTTPS_PROXY": "socks5://proxy.example.com"}, ""),
    ({"AWS_PROFILE": "nobody"}, ""),
)


def _broken(chance: random.Random, folder: Path) -> dict[str, str]:
    changes, profile = chance.choice(_BROKEN)
    (folder / "config").write_text(f"[profile ops]\nregion = us-east-1\n{profile}\n")
    return (
        {"AWS_PROFILE": "ops", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""} if profile else changes
    )


def _by_boto3(at: Attempt) -> None:
    """boto3 by itself raises whatever its parts raise, or asks over plain http."""
    with _environ(at.folder, _broken(at.rng, at.folder)):
        try:
            boto3.Session().client("ecr").get_authorization_token()
        except Exception as error:
            raise AssertionError(type(error).__name__) from error


@row(
    86,
    "AWS settings that cannot work: programs, files, keys, addresses and proxies",
    tries=100,
    quick=12,
    control=_by_boto3,
)
def broken_settings(at: Attempt) -> None:
    """One line of our own with a hint, and nothing is sent anywhere else."""
    with _environ(at.folder, _broken(at.rng, at.folder)):
        try:
            BotoEcr().authorization_token()
        except EcrWidgetsError as error:
            assert error.hint, error
            assert "\n" not in str(error), error
            assert "is not AWS" not in str(error), error
        else:
            raise AssertionError("it was asked")
