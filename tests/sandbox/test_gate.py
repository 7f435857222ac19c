"""A gate in front of an environment, as people run it: runbooks and commands on the sandbox, evidence from its registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit.keys import KeyRing
from tests import ours
from tests.audit.attested import NOW
from tests.sandbox.conftest import SHIPPED, records

APP = "gate/app"


class Gated:
    """Somebody with a policy in front of `demo`."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        key, _ = KeyRing(folder / "data" / "ecr-widgets" / "keys").signing_key(now=NOW)
        self.key = key.key
        self.environ = environ | {
            "XDG_DATA_HOME": str(folder / "data"),
            "ECR_WIDGETS_RUNS": str(folder / "runs"),
            "ECR_WIDGETS_POLICY": "policy.yaml",
        }
        self.write()

    def write(self, *rules: str, key: str = "") -> None:
        lines = ("version: 1", "environments:", "  demo:", f"    keys: ['{key or self.key}']")
        self.policy.write_text("\n".join((*lines, *(f"    {each}" for each in rules))) + "\n")

    def command(self, *words: str | Path, code: int = 0) -> str:
        done = ours.call(*words, environ=self.environ, cwd=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 or "--json" in words else done.stderr

    def book(self, name: str, *options: str, code: int = 0, **given: str) -> dict[str, Any]:
        words = [word for pair in given.items() for word in ("-p", *pair)]
        told: dict[str, Any] = json.loads(self.command("run", name, "--json", *options, *words, code=code))
        return told

    def push(self, tag: str) -> dict[str, Any]:
        (self.folder / "Dockerfile").write_text(
            (SHIPPED / "wait" / "Dockerfile.wait").read_text() + f"LABEL gate={tag}\n"
        )
        return self.book(
            "push",
            repository=APP,
            tag=tag,
            local_name=APP,
            context=str(self.folder),
            dockerfile="Dockerfile",
        )

    def deploy(self, tag: str, service: str, *options: str, code: int = 0) -> dict[str, Any]:
        file = SHIPPED / "wait" / "timeout.dockerrun.aws.json"
        return self.book(
            "deploy", *options, code=code,
            repository=APP, reference=tag, deploy=service, service=service, environment="demo", dockerrun=str(file),
        )  # fmt: skip


@pytest.fixture
def gated(sandbox_environ: dict[str, str], tmp_path: Path) -> Gated:
    return Gated(sandbox_environ, tmp_path)


@pytest.mark.timeout(600)
def test_an_image_runs_once_it_is_proven_or_overridden(gated: Gated) -> None:
    """Pushed without evidence it is refused before anything is changed; attached, it runs; and an override is listed."""
    gated.push("1")
    refused = gated.deploy("1", "gatesvc", code=2)
    last = refused["steps"][-1]
    assert (refused["state"], last["step"], last["state"]) == ("failed", "check_evidence", "failed")
    assert "keys: no key that may vouch" in refused["reason"]
    assert not any(each["changed"] for each in refused["steps"])
    gated.command("attest", "--missing")
    passed = gated.deploy("1", "gatesvc")
    check = records(passed)["check_evidence"]
    assert (check["outcome"]["decision"], len(check["outcome"]["evidence"])) == ("passed", 1)
    gated.write("did: {environment: staging}")
    gated.push("2")
    gated.command("attest", "--missing")
    gated.deploy("2", "gatesvc", code=2)
    overridden = gated.deploy("2", "gatesvc", "--override-gate", "INC-7: prod is down")
    outcome = records(overridden)["check_evidence"]["outcome"]
    assert (outcome["decision"], outcome["override"]) == ("overridden", "INC-7: prod is down")
    verdicts = {
        each["run_id"]: each["verdict"] for each in json.loads(gated.command("audit", "list", "--json"))
    }
    assert (verdicts[passed["run_id"]], verdicts[overridden["run_id"]]) == ("proven", "proven")
    (figures,) = json.loads(gated.command("audit", "figures", "--json"))
    assert (figures["service"], figures["overrides"]) == ("demo/gatesvc", 1)
    listed = gated.command("audit", "figures").splitlines()[-1]
    assert listed.startswith(f"gate overridden: {overridden['started_at']} {overridden['run_id']} by ")
    assert listed.endswith(": INC-7: prod is down")
    # The commands check the policy like the runbooks.
    assert "did: no proven run" in gated.command(
        "service",
        "deploy",
        "demo",
        "gatesvc",
        records(overridden)["create_deploy"]["outcome"]["deploy_id"],
        code=2,
    )
    gated.policy.write_text("version: 1\nrepositories: {'gate/l*': {keys: ['%s']}}\n" % ("0" * 32))
    assert "keys: no key that may vouch" in gated.command("copy", f"{APP}:1", "gate/live:1", code=2)


@pytest.mark.timeout(600)
def test_a_release_may_run_what_it_pushes_itself(gated: Gated) -> None:
    """Its journal says so; where it was to be seen elsewhere first, that is asked all the same, and after a rollback only warned."""
    given = {
        "environment": "demo", "repository": "gate/release", "tag": "1", "service": "gaterel", "deploy": "gaterel",
        "local_name": "gate/release",
    }  # fmt: skip
    released = gated.book("release", **given)
    check = records(released)["check_evidence"]["outcome"]
    assert (check["decision"], check["evidence"], len(check["images"])) == ("passed", [], 1)
    gated.write("did: {environment: staging}")
    refused = gated.book("release", code=1, **(given | {"tag": "2"}))
    assert "did: no proven run" in refused["reason"]
    planned = gated.book("release", "--plan", **(given | {"tag": "3"}))
    assert records(planned)["check_evidence"]["outcome"]["decision"] == "known when it is made"


def test_a_policy_that_cannot_be_read_refuses_before_the_start(gated: Gated) -> None:
    """Exit code 2, and no run is saved."""
    gated.policy.write_text("version: 1\nenvironment: {}\n")
    told = gated.deploy("1", "gatesvc", code=2)
    assert (told["state"], told["notebook"]) == ("refused", None)
    assert "did you mean 'environments'" in told["reason"]
    assert not list((gated.folder / "runs").glob("*.ipynb"))
