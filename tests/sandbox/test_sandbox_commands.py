"""`ecr-widgets sandbox` and `doctor` on a sandbox that is up."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ecr_widgets.sandbox import Sandbox
from tests import ours

STANDARD = r"AWS_[A-Z_]+|DOCKER_[A-Z_]+|LAYER0_[A-Z_]+"


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return ours.call("sandbox", "--folder", folder, *words, environ=os.environ, cwd=Path.cwd())


@pytest.fixture
def folder(sandbox: Sandbox) -> Path:
    return sandbox.status().folder


def test_env_prints_export_lines_of_standard_variables(folder: Path, sandbox: Sandbox) -> None:
    """Nothing else, so that a shell can evaluate it and any client understands it."""
    told = command(folder, "env").stdout.splitlines()
    names = [re.fullmatch(rf"export ({STANDARD})=\S+", line) for line in told]
    assert all(names), told
    assert {name[1] for name in names if name} == set(sandbox.env())


@pytest.mark.parametrize(
    ("words", "code"), [(["sh", "-c", "exit 7"], 7), (["true"], 0), (["no-such-command"], 2)]
)
def test_exec_ends_as_the_command_ends(folder: Path, words: list[str], code: int) -> None:
    """With its exit code; a command that is not there is refused."""
    assert command(folder, "exec", "--", *words).returncode == code


def test_exec_gives_the_command_the_sandboxs_variables(
    folder: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The same that `env` prints."""
    told = tmp_path / "told"
    words = ("sh", "-c", f'echo "$AWS_ENDPOINT_URL $DOCKER_HOST" > {told}')
    assert command(folder, "exec", "--", *words).returncode == 0
    assert told.read_text().split() == [sandbox.env()["AWS_ENDPOINT_URL"], sandbox.env()["DOCKER_HOST"]]


def test_what_needs_a_sandbox_says_that_there_is_none(tmp_path: Path) -> None:
    """With the command that starts one, and an exit code that is not 0; `status` and `down` need none."""
    for words in (["env"], ["exec", "--", "true"]):
        done = command(tmp_path / "none", *words)
        assert done.returncode != 0
        assert "sandbox up" in done.stderr
    for words in (["status"], ["down"]):
        assert command(tmp_path / "none", *words).returncode == 0


def test_doctor_tells_what_it_reaches_and_as_whom(sandbox_environ: dict[str, str], sandbox: Sandbox) -> None:
    """Identity, registry, engine and Layer0 answer; exit code 0."""
    done = ours.call("doctor", "--json", environ=sandbox_environ, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    told = {each["what"]: (each["ok"], each["told"]) for each in json.loads(done.stdout)}
    assert [ok for ok, _ in told.values()] == [True] * 5
    assert told["AWS identity"][1] == "arn:aws:iam::111222333444:user/sandbox in account 111222333444"
    assert told["ECR registry"][1].startswith(sandbox.status().registry_host)
    assert f"at {sandbox_environ['DOCKER_HOST']} (DOCKER_HOST), images in " in told["Docker Engine"][1]
    assert told["Engine to ECR"][1] == f"the engine reaches {sandbox.status().registry_host}"
    assert told["Layer0"][1].endswith(sandbox_environ["LAYER0_API_ENDPOINT"])
