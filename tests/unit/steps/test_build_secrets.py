"""Secrets that would stay readable in an image are refused or reported before the build."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.steps.shared.build_secrets import kept_secrets, refuse_secret_arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [("API_TOKEN", "hunter22"), ("DB", "pg://u:hunter22@db/x"), ("X", "AKIAABCDEFGHIJKLMNOP")],
)
def test_a_secret_as_build_argument_is_refused(name: str, value: str) -> None:
    """A build argument that looks like a secret, by name or value, is refused, and the error does not show the value."""
    with pytest.raises(InputError, match=name) as raised:
        refuse_secret_arguments({name: value})
    assert value not in f"{raised.value} {raised.value.hint}"


def test_ordinary_arguments_pass() -> None:
    """Ordinary build arguments, such as versions and paths, are accepted."""
    refuse_secret_arguments({"VERSION": "1.2.3", "TOKEN_FILE": "/run/token", "SLEEP_TIME": "60"})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("ENV API_TOKEN=hunter22", "API_TOKEN"),
        ("arg DB_PASSWORD=hunter22", "DB_PASSWORD"),
        ("ENV MODE=plain API_TOKEN=hunter22", "a password"),
        ("RUN curl -u me:hunter22 https://example.com/x", "a user and a password"),
        ("LABEL db=postgres://me:hunter22@db/x", "an address with a password"),
        ("COPY .env /app/", ".env"),
        ("ADD keys/id_rsa /root/", "id_rsa"),
        ("COPY --chown=1 a.pem /", "a.pem"),
    ],
)
def test_a_dockerfile_that_keeps_a_secret_is_reported(line: str, what: str) -> None:
    """A Dockerfile line that keeps a secret is reported with its number and the name, without the value."""
    (line_kept,) = kept_secrets(f"FROM busybox\n{line}\n")
    assert "line 2" in line_kept
    assert what in line_kept
    assert "hunter22" not in line_kept


@pytest.mark.parametrize(
    "line",
    [
        "ARG API_TOKEN",
        "ENV MODE=plain",
        "COPY app.py /",
        "RUN cat .env",
        "COPY . /",
        "RUN TOKEN=$TOKEN make",
        "RUN --mount=type=secret,id=token make",
    ],
)
def test_an_ordinary_dockerfile_is_not_reported(line: str) -> None:
    """An ordinary Dockerfile line, such as an argument without a value, is not reported."""
    assert kept_secrets(f"FROM busybox\n{line}\n") == []
