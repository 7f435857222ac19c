"""The policy file on disk, and runs that keep the policy they started with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ecr_widgets.audit.gate import FileGate
from ecr_widgets.audit.policy_file import read_policy_file
from ecr_widgets.channel import POLICY_SHA256_VARIABLE
from ecr_widgets.engine.request import kernel_environ
from ecr_widgets.errors import SettingsError
from ecr_widgets.settings import POLICY_VARIABLE
from tests.documents import ROOT

KEY = "0f3c9a1e5b7d2f4860a1b2c3d4e5f607"
POLICY = f"version: 1\nenvironments:\n  prod:  # a comment\n    keys: [{KEY}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_yaml_and_json_are_read(file: Path) -> None:
    """A policy is read from YAML and JSON, and a key that consists of digits only stays text."""
    assert [*read_policy_file(file).environments] == ["prod"]
    file.write_text(json.dumps({"version": 1, "environments": {"demo": {"keys": [KEY]}}}))
    assert [*read_policy_file(file).environments] == ["demo"]
    file.write_text(POLICY.replace(KEY, "1" * 32))
    assert read_policy_file(file).environments["prod"].keys == ("1" * 32,)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (POLICY + "  prod:\n    keys: []\n", "twice in line 3"),
        (POLICY + "environment: {}\n", "did you mean 'environments'"),
        ("version: [", "line"),
        ("", "policy cannot be used"),
        ("a: &a [*a]", "contains itself"),
        ("[" * 5000, "policy|YAML"),
        ("version: 1 # " + "x" * 300_000, "more than 256 KiB"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(file: Path, content: str, why: str) -> None:
    """A file that is not a valid policy is refused with its name and the place."""
    file.write_text(content)
    with pytest.raises(SettingsError, match=why) as error:
        read_policy_file(file)
    assert str(file) in str(error.value)


def test_a_file_that_others_may_exchange_is_refused(file: Path, tmp_path: Path) -> None:
    """A policy file is refused if it is a link, a pipe, a folder, missing, or writable by everybody."""
    link, pipe = tmp_path / "link.yaml", tmp_path / "pipe.yaml"
    link.symlink_to(file)
    os.mkfifo(pipe)
    for path, why in (
        (link, "it is a link"),
        (pipe, "not a regular file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "no", "No such"),
    ):
        with pytest.raises(SettingsError, match=why):
            read_policy_file(path)
    file.chmod(0o666)
    with pytest.raises(SettingsError, match="everybody may write"):
        read_policy_file(file)


def test_a_run_keeps_to_the_policy_that_it_began_with(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run refuses a policy that changed since it started; work by hand uses the current file."""
    monkeypatch.chdir(file.parent)
    environ = kernel_environ({POLICY_VARIABLE: file.name}, runs=None)
    assert environ[POLICY_VARIABLE] == str(file)
    of_run = FileGate(file, sha256=environ[POLICY_SHA256_VARIABLE])
    by_hand = FileGate(file)
    assert of_run.policy() == by_hand.policy()
    file.write_text("version: 1\n")
    assert not by_hand.policy().environments
    with pytest.raises(SettingsError, match="changed since the run began"):
        of_run.policy()


def test_a_run_does_not_start_with_a_policy_that_cannot_be_read(file: Path) -> None:
    """A run does not start with an unreadable policy; without a policy, none is recorded."""
    with pytest.raises(SettingsError):
        kernel_environ({POLICY_VARIABLE: f"{file}.none"}, runs=None)
    assert POLICY_SHA256_VARIABLE not in kernel_environ({}, runs=None)


def test_the_policy_of_the_page_can_be_used(tmp_path: Path) -> None:
    """The policy shown in docs/gate.md can be used as it is."""
    page = (ROOT / "docs" / "gate.md").read_text()
    path = tmp_path / "policy.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    policy = read_policy_file(path)
    assert [*policy.environments, *policy.repositories] == ["prod", "ecs:prod", "live/*"]
