"""Seals attached in the sandbox's registry by the commands, read from there alone, and verified by cosign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.registries import Registries
from ecr_widgets.cli import main
from ecr_widgets.model.evidence import RUN_TYPE
from tests.audit.attested import NOW, REPOSITORY, Attested
from tests.audit.cosign import SUITES, cosign_of
from tests.engines.packages import NoPackages
from tests.sandbox.test_verbs import verb


@pytest.fixture
def here(
    sandbox_environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Attested]:
    """The sandbox's registry, and runs that this user's own key seals."""
    environ = sandbox_environ | {
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "ECR_WIDGETS_RUNS": str(tmp_path / "runs"),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    ecr = boto3.client("ecr")
    ecr.create_repository(repositoryName=REPOSITORY)
    made = Attested(OciRegistry(), Registries().session().token(), tmp_path)
    made.ring = default_ring()
    yield made
    ecr.delete_repository(repositoryName=REPOSITORY, force=True)


def run(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code, done.output
    return done


def test_what_is_attached_is_found_from_the_registry_alone(here: Attested, tmp_path: Path) -> None:
    """By tag and by digest, whatever happens to the folder of runs; a second time nothing is attached."""
    image, other = here.image("1"), here.image("2")
    here.seal(image, "run-1", kind="failed")
    here.seal(image, "run-2", hours=1)
    told = json.loads(run("attest", "run-1", "--json").stdout)
    assert [(each["run_id"], each["state"], each["image"]) for each in told] == [
        ("run-1", "attached", str(image))
    ]
    missing = run("attest", "--missing").stdout.splitlines()
    assert [line.split()[:2] for line in missing] == [["run-1", "already"], ["run-2", "attached"]]
    (here.runs / "seals.jsonl").unlink()
    for name in (f"{REPOSITORY}:1", str(image), f"{REPOSITORY}@{image.digest}"):
        found = json.loads(run("audit", "of", name, "--json").stdout)
        assert [each["run"]["verdict"] for each in found["proofs"]] == ["failed", "proven"]
    text = run("audit", "of", f"{REPOSITORY}:1").stdout
    assert "demo/timeoutsvc" in text
    assert "nothing is attached to it" in run("audit", "of", str(other), code=1).stdout
    run("audit", "of", f"{REPOSITORY}:none", code=1)
    # Without a known key, what is attached proves nothing.
    KeyRing(tmp_path / "data").folder.joinpath("ecr-widgets").rename(tmp_path / "gone")
    assert "not known here" in run("audit", "of", str(image), code=1).stdout


def test_a_copy_takes_its_evidence_along(here: Attested) -> None:
    """Unchanged, so that it counts in the other repository, too; what was attached later goes with the next copy."""
    boto3.client("ecr").create_repository(repositoryName="promoted")
    try:
        image = here.image("1")
        here.attach(here.seal(image, "run-1"))
        here.put(image, b"sbom", artifactType="application/spdx+json")
        words = ["copy", f"{REPOSITORY}:1", "promoted:1", "--json"]
        told = json.loads(run(*words).stdout)
        assert (told["changed"], told["note"]) == (True, "with 1 of its signatures and attestations")
        (proof,) = json.loads(run("audit", "of", "promoted:1", "--json").stdout)["proofs"]
        assert proof["run"]["run_id"] == "run-1"
        assert json.loads(run(*words).stdout)["changed"] is False
        here.attach(here.seal(image, "run-2", hours=1))
        assert json.loads(run(*words).stdout)["changed"] is True
        assert len(json.loads(run("audit", "of", "promoted:1", "--json").stdout)["proofs"]) == 2
    finally:
        boto3.client("ecr").delete_repository(repositoryName="promoted", force=True)


def test_a_secret_in_a_seal_is_never_attached(here: Attested, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command refuses one run, and leaves it out where it attaches all that are missing."""
    image = here.image()
    here.seal(image, "run-1", actor="of-a-token-4711-canary")
    here.seal(image, "run-2", hours=1)
    monkeypatch.setenv("LAYER0_AUTH_TOKEN", "of-a-token-4711-canary")
    assert "a known secret is in its seal" in run("attest", "run-1", code=1).output
    done = run("attest", "--missing", code=1)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["run-1", "not"],
        ["run-2", "attached"],
    ]
    assert "canary" not in done.output
    assert len(here.evidence(image).proofs) == 1


def test_a_notebook_is_attached_where_no_others_read_it(here: Attested) -> None:
    """Asked of ECR; once the repository's policy lets others in, the command refuses, and the seal is attached all the same."""
    image = here.image()
    here.seal(image, "run-1")
    told = json.loads(run("attest", "run-1", "--notebook", "--json").stdout)
    assert [(each["what"], each["state"]) for each in told] == [
        ("seal", "attached"),
        ("notebook", "attached"),
    ]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boto3.client("ecr").set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    refused = run("attest", "run-1", "--notebook", code=1).stdout.splitlines()
    assert "already attached" in refused[0]
    assert "its policy allows anybody" in refused[1]


def test_each_finished_run_is_attached_where_that_is_asked_for(
    here: Attested, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """By the switch; where it cannot be, the run has succeeded all the same, and says why it is not attached."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL attested=yes\n")
    environ = sandbox_environ | {
        "XDG_DATA_HOME": str(tmp_path / "data"), "ECR_WIDGETS_RUNS": str(tmp_path / "runs"), "ECR_WIDGETS_ATTEST": "1",
    }  # fmt: skip
    words = ["run", "push", "-p", "repository", REPOSITORY, "-p", "context", str(tmp_path)]
    words += ["-p", "dockerfile", "Dockerfile", "--json", "-p", "tag"]
    told = json.loads(verb(environ, tmp_path, *words, "own"))
    assert "unattached" not in told
    (proof,) = json.loads(run("audit", "of", f"{REPOSITORY}:own", "--json").stdout)["proofs"]
    assert (proof["run"]["run_id"], proof["run"]["verdict"]) == (told["run_id"], "proven")
    for each in default_ring().folder.glob("*.pem"):
        each.chmod(0o644)
    assert "unsealed" in json.loads(verb(environ, tmp_path, *words, "other"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", SUITES)
def test_cosign_verifies_what_is_attached(here: Attested, tmp_path: Path, suite: str) -> None:
    """In the registry, with the exported key alone; another key, another image and another type are refused."""
    image, other = here.image("1"), here.image("2")
    here.attach(here.seal(image))
    wrong, _ = KeyRing(tmp_path / "other").signing_key(now=NOW)
    host, login = here.token.registry, here.token
    try:
        with cosign_of(suite) as cosign:
            own_key = cosign.file("own.pub", run("audit", "key", "export", "--pem").stdout.encode())
            wrong_key = cosign.file("wrong.pub", wrong.pem.encode())

            def verified(key: str, kind: str, name: str) -> tuple[bool, str]:
                words = ["--key", key, "--type", kind, "--allow-http-registry", "--allow-insecure-registry"]
                words += ["--registry-username", login.user, f"--registry-password={login.password}"]
                return cosign.run("verify-attestation", *words, name)

            right, told = verified(own_key, RUN_TYPE, str(image))
            assert right, told
            assert host in told
            for key, kind, name in (
                (wrong_key, RUN_TYPE, str(image)),
                (own_key, "https://ecr-widgets.invalid/attestation/other/v1", str(image)),
                (own_key, RUN_TYPE, str(other)),
            ):
                assert not verified(key, kind, name)[0]
    except NoPackages as error:
        pytest.skip(str(error))
