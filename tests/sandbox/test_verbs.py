"""The thin verbs for images and services: the same steps, without a notebook."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import ours
from tests.sandbox.conftest import SHIPPED


def verb(environ: dict[str, str], folder: Path, *words: str | Path, code: int = 0) -> str:
    """Run a verb; what it printed on stdout, or on stderr where it should fail."""
    done = ours.call(*words, environ=environ, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_push_deploy_and_rollback_go_hand_in_hand(sandbox_environ: dict[str, str], tmp_path: Path) -> None:
    """One image pushed, deployed twice with different memory, and brought back; each prints what it did."""
    dockerrun = SHIPPED / "wait" / "timeout.dockerrun.aws.json"
    environ = sandbox_environ
    words = [
        "docker",
        "build",
        "-q",
        "-f",
        SHIPPED / "wait" / "Dockerfile.wait",
        "-t",
        "verbs/app",
        SHIPPED / "wait",
    ]
    subprocess.run(words, env=environ, capture_output=True, check=True)
    image = verb(environ, tmp_path, "push", "verbs/app", "verbs/app", "1", "--create").strip()
    assert "/verbs/app@sha256:" in image
    told = json.loads(verb(environ, tmp_path, "push", "verbs/app", "verbs/app", "1", "--json"))
    assert (told["image"], told["changed"]) == (image, False)
    shown = verb(environ, tmp_path, "deploy", "demo", "thin", "verbs/app:1", dockerrun)
    assert shown == f"thin runs {image} (thin.1)\n"
    other = json.loads(dockerrun.read_text())
    other["containerDefinitions"][0]["memory"] = 12
    (tmp_path / "other.json").write_text(json.dumps(other))
    verb(environ, tmp_path, "deploy", "demo", "thin", "verbs/app:1", tmp_path / "other.json")
    assert verb(environ, tmp_path, "rollback", "demo", "thin") == "thin runs thin.1\n"
    assert verb(environ, tmp_path, "rollback", "demo", "thin") == "thin runs thin.1, as it did before\n"
    assert (
        json.loads(verb(environ, tmp_path, "rollback", "demo", "thin", "thin.2", "--json"))["changed"] is True
    )


def test_an_image_is_built_with_what_was_asked_or_refused_before_it_began(
    sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Building again changes nothing; what this builder would drop, or a secret that is not there, is exit code 2."""
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox AS first\nARG OF\nLABEL of=$OF\nFROM first\nRUN false\n"
    )
    words = ["build", ".", "verbs/built", "--build-arg", "OF=me", "--target", "first", "--json"]
    built = json.loads(verb(sandbox_environ, tmp_path, *words))
    assert built["builder"]
    again = json.loads(verb(sandbox_environ, tmp_path, *words))
    assert again == built | {"changed": False}
    failed = verb(sandbox_environ, tmp_path, "build", ".", "verbs/built", code=1)
    assert "the build failed" in failed
    told = verb(sandbox_environ, tmp_path, "build", ".", "verbs/built", "--secret", "npm=NOT_SET", code=2)
    assert "NOT_SET" in told or "docker-buildx" in told
    (tmp_path / "Dockerfile").write_text("# syntax=frontend.example/mine\nFROM busybox\n")
    verb(sandbox_environ, tmp_path, "build", ".", "verbs/built", "--platform", "linux", code=2)


def test_repositories_and_images_are_listed_and_copied(
    sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """As a table for people, as JSON for programs; the copy has the digest of its source and is made once."""
    words = ["docker", "build", "-q", "-t", "lists/app", "-"]
    subprocess.run(
        words, env=sandbox_environ, input=b"FROM busybox\nLABEL a=lists\n", capture_output=True, check=True
    )
    image = verb(sandbox_environ, tmp_path, "push", "lists/app", "lists/app", "1", "--create").strip()
    digest = image.rpartition("@")[2]
    verb(sandbox_environ, tmp_path, "run", "create_repository", "-p", "repository", "lists/live")
    assert verb(sandbox_environ, tmp_path, "copy", "lists/app:1", "lists/live:2026.11").endswith(
        f"/lists/live@{digest}\n"
    )
    # The sandbox's registry is a loopback host, and any name of account 111222333444's registry in us-east-1.
    own = "111222333444.dkr-ecr.us-east-1.on.aws"
    words = ["copy", f"lists/app@{digest}", f"{own}/lists/live:2026.11", "--to-region", "us-east-1", "--json"]
    assert json.loads(verb(sandbox_environ, tmp_path, *words))["changed"] is False
    shown = verb(sandbox_environ, tmp_path, "repositories", "lists/").splitlines()
    assert [line.split()[0] for line in shown] == ["REPOSITORY", "lists/app", "lists/live"]
    (told,) = json.loads(verb(sandbox_environ, tmp_path, "images", "lists/live", "2026", "--json"))
    assert (told["digest"], told["tags"]) == (digest, ["2026.11"])
    assert digest in verb(sandbox_environ, tmp_path, "images", "lists/live")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("images", "lists/nobody"), 1, "does not exist"),
        (("copy", "lists/app", "lists/live:1"), 2, "has no tag"),
        (("copy", "lists/app:nobody", "lists/live:1"), 1, "not in its registry"),
        (("copy", "lists/app:1", "lists/live:1", "--to-profile", "nobody"), 2, "nobody"),
        (
            ("copy", "lists/app:1", "222333444555.dkr.ecr.us-east-1.amazonaws.com/lists/app:1"),
            2,
            "is not the registry",
        ),
        (
            ("copy", "lists/app:1", "lists/live:1", "--to-region", "eu-west-1"),
            1,
            "The sandbox is region us-east-1",
        ),
        (("run", "deploy", "-p", "repository", "docker.io/lists/app"), 2, "is not the registry"),
        (("push", "verbs/nobody", "verbs/app", "1"), 1, "no local image"),
        (("push", "verbs/app", "Bad//Name", "1"), 2, "not a repository name"),
        (("deploy", "demo", "x", "verbs/app", "none.json"), 2, "neither tag nor digest"),
        (("deploy", "demo", "x", "verbs/nobody:1", "none.json"), 2, "cannot read 'none.json'"),
        (("deploy", "demo", "x", "verbs/nobody:1", "wait/timeout.dockerrun.aws.json"), 1, "does not exist"),
        (("rollback", "demo", "nobody"), 1, "is not in environment"),
    ],
)
def test_bad_input_is_one_clear_error(
    words: tuple[str, ...], code: int, why: str, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """With the contract's exit code."""
    assert why in verb(sandbox_environ, tmp_path, *words, code=code)
