"""Secrets are taken out of texts."""

from __future__ import annotations

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.redaction import SecretRegistry

SECRET = 'k+e/y="1\\%&<2 3>4567890abcdefghijklmnop'


@pytest.fixture
def known() -> SecretRegistry:
    registry = SecretRegistry()
    registry.register(SECRET)
    return registry


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(json.dumps(SECRET)),
        repr(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        escape(SECRET),
        SECRET.encode().hex(),
    ],
)
def test_every_form_is_masked(known: SecretRegistry, form: str) -> None:
    """No encoding of the secret passes."""
    assert "***" in known.redact(f"before {form} after")
    assert form not in known.redact(f"before {form} after")


@pytest.mark.parametrize("prefix", ["", "AWS:", "user:", "ab"])
def test_base64_is_masked_at_every_offset(known: SecretRegistry, prefix: str) -> None:
    """The secret cannot be read out of the base64 of a longer text."""
    clean = known.redact(base64.b64encode((prefix + SECRET).encode()).decode())
    assert "***" in clean
    assert len(clean) < 20


def test_ordinary_text_stays(known: SecretRegistry) -> None:
    """Nothing but the secret is touched."""
    text = "sha256:" + "0123456789abcdef" * 4 + " 127.0.0.1:5000/xfra-wait:1.10"
    assert known.redact(text) == text


def test_a_short_secret_is_refused() -> None:
    """It would take ordinary words with it."""
    with pytest.raises(InputError):
        SecretRegistry().register("short")
