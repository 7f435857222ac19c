"""`ecr-widgets login`: Docker's own command can pull afterwards, and the password is only where Docker keeps it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import ours

HELPER = """#!/bin/sh
# Keeps what it is given in a file, as a credential helper keeps it in a key chain.
[ "$1" = store ] && cat > "$STORE" && exit 0
[ "$1" = get ] && [ -e "$STORE" ] && cat "$STORE" && exit 0
echo "credentials not found in native keychain"; exit 1
"""


@pytest.fixture
def environ(sandbox_environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A user's own Docker configuration with a credential helper."""
    config, tools = tmp_path / "docker-config", tmp_path / "tools"
    config.mkdir()
    tools.mkdir()
    (config / "config.json").write_text(json.dumps({"credsStore": "test", "detachKeys": "ctrl-e"}))
    (tools / "docker-credential-test").write_text(HELPER)
    (tools / "docker-credential-test").chmod(0o755)
    return sandbox_environ | {
        "DOCKER_CONFIG": str(config),
        "PATH": f"{tools}:{sandbox_environ['PATH']}",
        "STORE": str(tmp_path / "store"),
    }


def login(environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return ours.call("login", *options, environ=environ, cwd=Path.cwd())


def test_the_login_goes_into_dockers_own_store(environ: dict[str, str], tmp_path: Path) -> None:
    """The helper holds the password, the configuration does not, and what is printed does not."""
    done = login(environ, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["stored_in"] == "docker-credential-test"
    stored = json.loads((tmp_path / "store").read_text())
    assert (stored["Username"], stored["ServerURL"]) == ("AWS", told["registry"])
    password = stored["Secret"]
    assert len(password) >= 40
    assert password not in done.stdout + done.stderr
    config = (tmp_path / "docker-config" / "config.json").read_text()
    assert password not in config
    assert json.loads(config)["detachKeys"] == "ctrl-e"


def test_a_machine_without_docker_is_told_that_runbooks_need_no_login(environ: dict[str, str]) -> None:
    """Refused with exit code 2."""
    done = login(environ | {"PATH": "/nowhere"})
    assert done.returncode == 2
    assert "runbooks need none" in done.stderr


@pytest.mark.parametrize("written", ['{"auths": {"other.example": {"auth": "YTpi"}},}', '{"auths": []}'])
def test_a_configuration_that_docker_cannot_read_is_not_overwritten(
    environ: dict[str, str], tmp_path: Path, written: str
) -> None:
    """Docker would ignore such a file and write a new one; the login is refused with exit code 2, and the file stays."""
    config = tmp_path / "docker-config" / "config.json"
    config.write_text(written)
    done = login(environ)
    assert done.returncode == 2
    assert str(config) in done.stderr
    assert config.read_text() == written


def test_an_empty_configuration_is_one(environ: dict[str, str], tmp_path: Path) -> None:
    """As for docker, a configuration without content has no settings: the login is stored in it."""
    config = tmp_path / "docker-config" / "config.json"
    config.write_text("")
    done = login(environ, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["registry"] in json.loads(config.read_text())["auths"]
