"""`ecr-widgets doctor` on a machine without any access; `tests/sandbox` has one with all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets import doctor as doctor_module
from ecr_widgets.cli.doctor import command
from ecr_widgets.errors import AuthorizationError, EngineError, ImageNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken

BIN = Path(sys.executable).parent


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without any settings, whose Docker socket does not exist."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "LAYER0_", "DOCKER_"))
    }
    return kept | {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
    }


def doctor(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "ecr-widgets", "doctor", *words], env=environ, capture_output=True, text=True, check=False
    )


TELLS = {
    "AWS identity": "AWS_PROFILE",
    "ECR registry": "AWS_PROFILE",
    "Docker Engine": "at unix:///nowhere/docker.sock (DOCKER_HOST): ",
    "Layer0": "take both from `l0-setup endpoint`",
}


def test_each_thing_that_is_missing_is_told_with_what_to_do(environ: dict[str, str]) -> None:
    """Each missing thing is one line with a next step other than `doctor`, and the exit code is 1."""
    done = doctor(environ)
    assert done.returncode == 1
    lines = dict(zip(TELLS, done.stdout.splitlines(), strict=True))
    for what, hint in TELLS.items():
        assert lines[what].startswith(f"missing  {what} ")
        assert hint in lines[what]
        assert "doctor" not in lines[what]
    assert "apt-get install docker.io" in lines["Docker Engine"]


def test_the_same_is_told_to_programs(environ: dict[str, str]) -> None:
    """With --json the findings are one document with one object per check."""
    told = json.loads(doctor(environ, "--json").stdout)
    assert [(each["what"], each["ok"]) for each in told] == [(what, False) for what in TELLS]


def test_the_policy_that_applies_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    """The policy in use is shown with its environments and any override, or with the reason why it is invalid."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nenvironments: {prod: {keys: ['%s']}}\n" % ("0" * 32))
    named = environ | {"ECR_WIDGETS_POLICY": str(policy)}
    assert f"ok       Policy            {policy} (sha256 " in doctor(named).stdout
    assert (
        ") for prod, overridden now: INC-1" in doctor(named | {"ECR_WIDGETS_OVERRIDE_GATE": "INC-1"}).stdout
    )
    policy.write_text("version: 1\nenvironment: {}\n")
    assert "did you mean 'environments'" in doctor(named).stdout.splitlines()[-1]


def test_an_unforeseen_failure_hides_no_other_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception in one check is reported and does not stop the others."""

    def broken() -> str:
        raise KeyError("proxies")

    monkeypatch.setattr(doctor_module, "_CHECKS", {"first": broken, "second": lambda: "fine"})
    done = CliRunner().invoke(command, ["--json"])
    assert [each["ok"] for each in json.loads(done.stdout)] == [False, True]
    assert "KeyError: 'proxies'" in done.stdout


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        (ImageNotFound("the registry has no image"), True, "the engine reaches 127.0.0.1:5000"),
        (AuthorizationError("the registry refused the pull"), True, "the engine reaches 127.0.0.1:5000"),
        (EngineError("dial tcp: connection refused"), False, "does not reach 127.0.0.1:5000: dial tcp"),
    ],
)
def test_an_engine_that_does_not_reach_the_registry_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: Exception, *, ok: bool, words: str
) -> None:
    """Any answer from the registry, even a refusal, means that the engine reaches it; a failed connection is a finding."""

    class Elsewhere:
        def pull(self, *_: object, **__: object) -> str:
            raise answer

    class Ecr:
        def authorization_token(self) -> AuthorizationToken:
            at = datetime(2026, 11, 26, tzinfo=UTC)
            return AuthorizationToken("127.0.0.1:5000", "AWS", "unused", at, at)

    monkeypatch.setattr("ecr_widgets.adapters.docker_engine.DockerEngine", Elsewhere)
    monkeypatch.setattr("ecr_widgets.adapters.boto_ecr.BotoEcr", Ecr)
    monkeypatch.setattr(
        doctor_module, "_CHECKS", {"ECR registry": lambda: "fine", "Docker Engine": lambda: "fine"}
    )
    told = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert (told[-1]["what"], told[-1]["ok"]) == ("Engine to ECR", ok)
    assert words in told[-1]["told"]
    assert ok or "DOCKER_HOST" in told[-1]["told"]
