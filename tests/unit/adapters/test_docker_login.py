"""`docker login` failures: the hint matches the cause."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.adapters import docker_login
from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.secrets.redaction import SecretRegistry

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = AuthorizationToken("registry.test", "AWS", "password-of-the-test", NOW, NOW + timedelta(hours=12))
KNOWN = SecretRegistry()
KNOWN.register(TOKEN.password)
NO_HELPER = (
    "Error saving credentials: error storing credentials - err: exec: "
    '"docker-credential-pass": executable file not found in $PATH, out: ``'
)


REFUSED = "Error saving credentials: error storing credentials - err: exit status 1, out: "


def docker(folder: Path, script: str) -> dict[str, str]:
    """Return an environment whose `docker` runs the script."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


WARNING = "WARNING! Your password will be stored unencrypted.\nConfigure a credential helper to remove this warning.\n"


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        (NO_HELPER, "install the helper"),
        (f"{WARNING}Error saving credentials: mkdir /nonexistent: permission denied", "set DOCKER_CONFIG"),
        (
            f"{WARNING}Error saving credentials: open /ro/config.json1: read-only file system",
            "set DOCKER_CONFIG",
        ),
        (f"{WARNING}{REFUSED}`the key chain is locked`", "see what it says"),
        (f"{REFUSED}`not implemented`", "logs in by itself"),
        ("Cannot connect to the Docker daemon", "check that the engine runs"),
    ],
)
def test_the_hint_is_about_what_failed(tmp_path: Path, told: str, hint: str) -> None:
    """The hint matches the failure: a missing or refusing credential helper, an unwritable folder or a stopped engine."""
    (tmp_path / "told").write_text(told)
    with pytest.raises(AuthorizationError) as failed:
        docker_login.store_login(
            TOKEN, KNOWN.redact, docker(tmp_path, f"cat {tmp_path / 'told'} >&2; exit 1")
        )
    assert hint in (failed.value.hint or "")


def test_a_login_that_hangs_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that does not end in time, as when a helper waits for input, is an error of ours."""
    monkeypatch.setattr(docker_login, "_TIMEOUT_S", 0.05)
    with pytest.raises(AuthorizationError, match="did not end within"):
        docker_login.store_login(TOKEN, KNOWN.redact, docker(tmp_path, "exec sleep 60"))


def test_what_a_helper_says_is_told_without_the_password(tmp_path: Path) -> None:
    """A helper's error is told whole, on one line, whatever bytes it holds, and the password in no form."""
    password = base64.b64encode(f"the password: {TOKEN.password}".encode()).decode()
    (tmp_path / "told").write_bytes(f"{REFUSED}`open it\nfirst {password} ".encode() + b"\xee\xff`")
    with pytest.raises(AuthorizationError) as failed:
        docker_login.store_login(
            TOKEN, KNOWN.redact, docker(tmp_path, f"cat {tmp_path / 'told'} >&2; exit 1")
        )
    assert f"{REFUSED}`open it first " in failed.value.message
    assert password not in failed.value.message
    assert "***" in failed.value.message
