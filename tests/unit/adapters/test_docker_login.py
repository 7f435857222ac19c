"""`docker login` failures: the hint matches the cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.adapters import docker_login
from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.authorization_token import AuthorizationToken

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = AuthorizationToken("registry.test", "AWS", "password-of-the-test", NOW, NOW + timedelta(hours=12))
NO_HELPER = (
    "Error saving credentials: error storing credentials - err: exec: "
    '"docker-credential-pass": executable file not found in $PATH, out: ``'
)


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
        ("Cannot connect to the Docker daemon", "check that the engine runs"),
    ],
)
def test_the_hint_is_about_what_failed(tmp_path: Path, told: str, hint: str) -> None:
    """The hint matches the failure: a missing credential helper, an unwritable folder or a stopped engine."""
    (tmp_path / "told").write_text(told)
    with pytest.raises(AuthorizationError) as failed:
        docker_login.store_login(TOKEN, docker(tmp_path, f"cat {tmp_path / 'told'} >&2; exit 1"))
    assert hint in (failed.value.hint or "")


def test_a_login_that_hangs_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that does not end in time, as when a helper waits for input, is an error of ours."""
    monkeypatch.setattr(docker_login, "_TIMEOUT_S", 0.05)
    with pytest.raises(AuthorizationError, match="did not end within"):
        docker_login.store_login(TOKEN, docker(tmp_path, "exec sleep 60"))
