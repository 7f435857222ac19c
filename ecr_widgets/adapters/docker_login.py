"""`docker login`, for people who use the docker command: the password is passed only on standard input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ecr_widgets.errors import AuthorizationError, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken

_TIMEOUT_S = 60.0


def store_login(token: AuthorizationToken, environ: Mapping[str, str] = os.environ) -> str:
    """Have Docker store the token as a login.

    Returns:
        Where it is stored, for people: a credential helper's name, or the file that holds it in readable form.

    Raises:
        SettingsError: There is no `docker` command.

        AuthorizationError: Docker or the registry refused.
    """
    command = shutil.which("docker", path=environ.get("PATH"))
    if command is None:
        raise SettingsError(
            "the docker command is not installed",
            hint="runbooks need none: they log in by themselves at every step",
        )
    try:
        done = subprocess.run(
            [command, "login", "--username", token.user, "--password-stdin", "--", token.registry],
            input=token.password,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AuthorizationError(
            f"docker login to {token.registry} did not end within {_TIMEOUT_S:.0f} s",
            hint="a credential helper may be waiting for input; try `docker login` by hand",
        ) from error
    if done.returncode:
        # Warnings come before the error.
        lines = done.stderr.replace(token.password, "***").strip().splitlines()
        why = lines[-1] if lines else f"exit code {done.returncode}"
        raise AuthorizationError(f"docker login to {token.registry} failed: {why}", hint=_hint(why))
    return _store_of(token.registry, environ)


def _hint(why: str) -> str:
    if "docker-credential-" in why:
        return "install the helper that config.json names as credsStore or credHelpers, or remove it there"
    if "saving credentials" in why:
        return "set DOCKER_CONFIG to a folder that you can write"
    return "check that the engine runs and trusts the registry"


def _store_of(registry: str, environ: Mapping[str, str]) -> str:
    path = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config = json.loads(path.read_bytes())
        helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
    except (OSError, ValueError, AttributeError, RecursionError):
        helper = None
    return f"docker-credential-{helper}" if helper else f"{path} (readable; set credsStore to keep it safe)"
