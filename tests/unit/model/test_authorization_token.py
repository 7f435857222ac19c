"""ECR's authorization token."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.authorization_token import AuthorizationToken

ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(hours=12)


def decode(text: str, endpoint: str = "https://1.example") -> AuthorizationToken:
    return AuthorizationToken.decode(
        text, proxy_endpoint=endpoint, issued_at=ISSUED, expires_at=ISSUED + LIFE
    )


def encoded(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def test_a_token_holds_user_password_and_registry() -> None:
    """The first colon separates user and password; the password may contain more of them."""
    token = decode(encoded("AWS:a:b="))
    assert (token.user, token.password, token.registry) == ("AWS", "a:b=", "1.example")


@pytest.mark.parametrize(
    ("endpoint", "registry"),
    [
        ("https://1.example", "1.example"),
        ("https://1.example/", "1.example"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("1.example", "1.example"),
    ],
)
def test_the_registry_is_the_host_alone(endpoint: str, registry: str) -> None:
    """A token's registry is the endpoint's host, without scheme or slash."""
    assert decode(encoded("AWS:secret"), endpoint).registry == registry


@pytest.mark.parametrize(
    "text",
    ["", "%%%", "hunter2", "hunter2ä", "QVdT\nOnB3", encoded("AWS"), encoded("AWS:"), encoded(":hunter2"),
     base64.b64encode(b"AWS:\xff").decode()],
)  # fmt: skip
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    """A token that cannot be decoded is refused, and neither the message nor its cause contains the text."""
    with pytest.raises(AuthorizationError, match="cannot be decoded") as caught:
        decode(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_password_shows_nowhere_by_accident() -> None:
    """Neither repr nor str of a token contains the password."""
    token = decode(encoded("AWS:hunter2"))
    assert "hunter2" not in repr(token) + str(token)


@pytest.mark.parametrize(
    ("after", "fresh"),
    [
        (timedelta(0), True),
        (LIFE / 2 - timedelta(seconds=1), True),
        (LIFE / 2, False),
        (LIFE - timedelta(seconds=1), False),
        (timedelta(days=400), False),
        (timedelta(hours=-1), False),
    ],
)
def test_a_token_is_fresh_in_the_first_half_of_its_life(after: timedelta, *, fresh: bool) -> None:
    """A token is fresh in the first half of its lifetime, and not before it was issued."""
    assert decode(encoded("AWS:hunter2")).is_fresh_at(ISSUED + after) == fresh
