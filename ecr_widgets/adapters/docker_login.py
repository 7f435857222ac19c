"""`docker login`, for people who use the docker command: the password is passed only on standard input."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from ecr_widgets.adapters.build_tool import read_config
from ecr_widgets.adapters.programs import run_in_time
from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.errors import AuthorizationError, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.settings.engine_address import docker_folder

_TIMEOUT_S = 300.0
"""A credential helper may have to ask a person, and a busy engine takes long."""


def store_login(
    token: AuthorizationToken, redact: Callable[[str], str], environ: Mapping[str, str] = os.environ
) -> str:
    """Have Docker store the token as a login.

    Args:
        redact: Masks the token in a text, in every form: a credential helper may repeat what it was given.

    Returns:
        Where it is stored, for people: a credential helper's name, or the file that holds it in readable form.

    Raises:
        SettingsError: There is no `docker` command, or it cannot read its configuration, which it would then overwrite.

        AuthorizationError: Docker or the registry refused.
    """
    command = shutil.which("docker", path=environ.get("PATH"))
    if command is None:
        raise SettingsError(
            "the docker command is not installed",
            hint="runbooks need none: they log in by themselves at every step",
        )
    try:
        _, output = _run([command, "--version"], environ)
        _check_configuration(output)
        words = ["login", "--username", token.user, "--password-stdin", "--", token.registry]
        code, output = _run([command, *words], environ, token.password)
    except subprocess.TimeoutExpired as error:
        raise AuthorizationError(
            f"docker login to {token.registry} did not end within {_TIMEOUT_S:.0f} s",
            hint="a credential helper may be waiting for input; try `docker login` by hand",
        ) from error
    if code:
        why = shortened(_error_in(redact(output))) or f"exit code {code}"
        raise AuthorizationError(f"docker login to {token.registry} failed: {why}", hint=_hint(why))
    return _store_of(token.registry, environ)


def _run(words: Sequence[str], environ: Mapping[str, str], given: str = "") -> tuple[int, str]:
    """The exit code, and what it wrote to stderr."""
    done = run_in_time(words, longest_s=_TIMEOUT_S, given=given.encode(), environ=environ)
    return done.returncode, done.stderr.decode(errors="replace")


def _check_configuration(output: str) -> None:
    """Refuse a configuration that docker warns about: docker goes on without it, and a login would then overwrite it."""
    unread = re.search(r"(?:loading|parsing) config file.*", output)
    if unread is not None:
        raise SettingsError(
            f"docker cannot read its configuration, and a login would overwrite it: error {unread[0]}",
            hint="correct the file, or move it away",
        )


def _error_in(output: str) -> str:
    """Docker's error, on one line; its warnings come first."""
    error = re.search(r"^error.*", output, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    lines = [error[0]] if error else output.strip().splitlines()[-1:]
    return " ".join(" ".join(lines).split())


def _hint(why: str) -> str:
    if "not implemented" in why:
        return "this credential helper logs in by itself: docker can pull and push without this command"
    if "docker-credential-" in why:
        return "install the helper that config.json names as credsStore or credHelpers, or remove it there"
    if "storing credentials" in why:
        return "the helper that config.json names as credsStore or credHelpers refused: see what it says, or remove it there"
    if "saving credentials" in why:
        return "set DOCKER_CONFIG to a folder that you can write"
    return "check that the engine runs and trusts the registry"


def _store_of(registry: str, environ: Mapping[str, str]) -> str:
    config = read_config(environ)
    helpers = config.get("credHelpers")
    helper = (helpers.get(registry) if isinstance(helpers, dict) else None) or config.get("credsStore")
    path = docker_folder(environ) / "config.json"
    return f"docker-credential-{helper}" if helper else f"{path} (readable; set credsStore to keep it safe)"
