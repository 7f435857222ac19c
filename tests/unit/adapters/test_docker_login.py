"""`docker login` with commands that are stood in for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.adapters import docker_login
from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.authorization_token import AuthorizationToken

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = AuthorizationToken("registry.example", "AWS", "secret-password", NOW, NOW + timedelta(hours=12))


def docker(folder: Path, script: str) -> dict[str, str]:
    """An environment whose `docker` is that script."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "DOCKER_CONFIG": str(folder)}


def test_a_helper_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of our errors, without the password, says after how long."""
    monkeypatch.setattr(docker_login, "_TIMEOUT_S", 0.1)
    with pytest.raises(AuthorizationError, match=r"given up after 0\.1 s") as told:
        docker_login.store_login(TOKEN, docker(tmp_path, "exec sleep 60"))
    assert TOKEN.password not in str(told.value)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('exec: "docker-credential-pass": executable file not found', "install that credential helper"),
        ("x509: certificate signed by unknown authority", "trusts the registry"),
    ],
)
def test_what_to_try_fits_what_docker_said(tmp_path: Path, said: str, hint: str) -> None:
    """A helper that is missing is no matter of the engine's."""
    with pytest.raises(AuthorizationError, match=hint):
        docker_login.store_login(TOKEN, docker(tmp_path, f"echo '{said}' >&2; exit 1"))
