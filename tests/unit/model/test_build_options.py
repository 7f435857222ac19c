"""What may be asked of a build."""

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
    """Nor does anything get through to the command line that is more than it seems."""
    with pytest.raises(InputError):
        BuildOptions.read(**asked)


def test_records_hold_what_was_asked_besides() -> None:
    """Secrets by id and variable; nothing of what was left as it is."""
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
    """As runbook parameters and command lines have them."""
    assert BuildOptions.read(secrets=["npm=NPM_TOKEN", "CA"]).secrets == {"npm": "NPM_TOKEN", "CA": "CA"}
