"""Options of a build."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.build_options import BuildOptions


@pytest.mark.parametrize(
    "asked",
    [
        {"dockerfile": "-"},
        {"platform": "amd64"},
        {"platform": "linux/amd64;linux/arm64"},
        {"secrets": {"npm": "not a name"}},
        {"secrets": {"npm,src=/etc/shadow": "TOKEN"}},
        {"secrets": {"npm": "/run/secrets/npm"}},
        {"secrets": ["npm=a value"]},
        {"cache_from": "type=local,src=/tmp"},
        {"cache_to": "Not/An-Image"},
    ],
)
def test_what_no_builder_takes_is_refused(asked: dict[str, Any]) -> None:
    """Options that no builder accepts, or that would smuggle other settings into the command line, are refused."""
    with pytest.raises(InputError):
        BuildOptions.read(**asked)


def test_records_hold_what_was_asked_besides() -> None:
    """Records hold the given options only, and secrets by id and variable."""
    options = BuildOptions.read(
        platform=" linux/amd64 ,linux/arm/v7,", secrets={"npm": "TOKEN"}, cache_from="a:1, b"
    )
    assert options.given() == {
        "platforms": ["linux/amd64", "linux/arm/v7"],
        "secrets": {"npm": "TOKEN"},
        "cache_from": ["a:1", "b"],
    }
    assert BuildOptions.read().given() == {}


def test_secrets_may_be_listed() -> None:
    """Secrets may be given as a list, as in runbook parameters and on the command line."""
    assert BuildOptions.read(secrets=["npm=NPM_TOKEN", "CA"]).secrets == {"npm": "NPM_TOKEN", "CA": "CA"}
