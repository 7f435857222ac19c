"""Another image for a service, without a file: what it runs is the document, on both deploy targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sandbox.conftest import SHIPPED, Cells
from tests.sandbox.test_verbs import verb


@pytest.mark.parametrize("environment", ["demo", "ecs:demo"])
def test_a_service_gets_another_image_and_keeps_the_rest(
    environment: str, cells: Cells, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """By command, and the runbook plans it; a service that runs nothing is refused, and the name of the deploy stays."""
    environ, name = sandbox_environ, "runs" if environment == "demo" else "runsecs"
    for tag in ("1", "2", "3"):
        (tmp_path / "Dockerfile").write_text(f'FROM busybox\nLABEL of="{name}{tag}"\nCMD ["sleep", "600"]\n')
        verb(environ, tmp_path, "build", ".", f"{name}/app:{tag}")
        verb(environ, tmp_path, "push", f"{name}/app:{tag}", f"{name}/app", tag, "--create")
    refused = verb(environ, tmp_path, "deploy", environment, name, f"{name}/app:1", code=2)
    assert f"service '{name}' runs nothing whose document could be used" in refused
    assert "give a Dockerrun or task definition as a file" in refused
    example = json.loads((SHIPPED / "wait" / "timeout.dockerrun.aws.json").read_text())
    example["containerDefinitions"][0]["command"] = ["sleep", "900"]
    (tmp_path / "first.json").write_text(json.dumps(example))
    words = ("deploy", environment, name, f"{name}/app:1", "first.json", "--name", f"{name}-family")
    verb(environ, tmp_path, *words)
    (tmp_path / "first.json").unlink()
    moved = json.loads(verb(environ, tmp_path, "deploy", environment, name, f"{name}/app:2", "--json"))
    assert moved["deploy_id"].startswith(f"{name}-family")

    given = {
        "repository": f"{name}/app", "reference": "3", "environment": environment, "service": name,
        "dockerrun": "", "deploy": "", "container": "",
    }  # fmt: skip
    assert cells("deploy", planning=True, **given)[-1].outcome["planned"] is True
