"""Imports go one way: the table below is the architecture."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ecr_widgets"

VALUES = {"errors", "model"}
MAY_IMPORT = {
    "errors": set(),
    "actor": set(),
    "locks": set(),
    "run_clock": {"channel"},
    "disk": set(),
    "system_errors": {"errors"},
    "docker_library": set(),
    "model": VALUES,
    "secrets": VALUES | {"secrets"},
    "dockerrun": VALUES | {"dockerrun", "secrets"},
    "settings": VALUES,
    "channel": {"errors"},
    "saved_runs": VALUES | {"run_clock", "saved_runs"},
    "proofs": VALUES | {"ports", "saved_runs"},
    "private_folder": {"locks"},
    "approved_files": VALUES | {"private_folder"},
    "ports": VALUES | {"ports"},
    "adapters": VALUES
    | {"actor", "adapters", "disk", "docker_library", "locks"}
    | {"private_folder", "ports", "run_clock", "settings"},
    "steps": VALUES | {"approved_files", "dockerrun", "steps", "ports", "secrets"},
    "recording": VALUES | {"actor", "recording", "ports", "channel", "run_clock", "saved_runs"},
    "runbooks": VALUES | {"runbooks", "saved_runs", "secrets"},
    # Adapters: AWS KMS, for those whose key is there. Ports: the registry, for what is attached to images.
    "audit": VALUES | {"adapters", "audit", "disk", "locks", "ports", "saved_runs", "steps"},
    # Adapters and settings: whether the environment is guarded, and where notices go.
    "engine": VALUES
    | {"actor", "approved_files", "engine", "adapters", "audit", "channel", "disk"}
    | {"ports", "private_folder", "run_clock", "runbooks", "saved_runs", "secrets", "settings"},
    "kit": VALUES | {"approved_files", "dockerrun", "kit", "system_errors", "steps", "ports", "recording"},
    # A target's run is a run of our own command, in a slot that the engine knows.
    "fleets": VALUES | {"channel", "engine", "fleets", "runbooks", "secrets"},
    "panels": VALUES | {"audit", "panels", "kit", "recording", "saved_runs", "secrets", "steps"},
    "connections": VALUES
    | {
        "actor",
        "approved_files",
        # What is proven about an image, for the gate.
        "audit",
        "engine",
        "panels",
        "ports",
        "proofs",
        "recording",
        "adapters",
        "settings",
        "channel",
        "fleets",
        "runbooks",
        "secrets",
    },
    "doctor": VALUES | {"adapters", "audit", "ports", "settings"},
    "desk": VALUES
    | {"audit", "connections", "desk", "doctor", "engine", "runbooks", "saved_runs", "settings", "steps"},
    "sandbox": VALUES | {"docker_library", "sandbox", "settings"},
    "cli": VALUES
    | {
        "adapters",
        "audit",
        "cli",
        "connections",
        "desk",
        "dockerrun",
        "doctor",
        "engine",
        "fleets",
        "system_errors",
        "recording",
        "runbooks",
        "sandbox",
        "settings",
    }
    | {"actor", "disk", "kit", "ports", "proofs", "saved_runs", "secrets", "steps"},
    # Adapters: the place of the saved run that it watches.
    "runbook_form": VALUES
    | {"adapters", "connections", "panels", "recording", "runbooks", "saved_runs", "secrets", "settings"},
    "moved_modules": set(),
    "__init__": {"moved_modules", "connections", "desk", "kit", "panels", "runbook_form"},
}
ONLY_IN = {
    "boto3": {"adapters/aws_session.py", "adapters/boto_ecr.py", "adapters/ecs"},
    "botocore": {
        "adapters/aws_calls.py",
        "adapters/aws_session.py",
        "adapters/credential_process.py",
        "adapters/ecs",
        "adapters/s3_store.py",
        "sandbox/ecr/signing.py",
        "sandbox/ecs/wire.py",
    },
    "docker": {"docker_library.py"},
    "urllib3": {
        "adapters/http.py",
        "adapters/registry.py",
        "adapters/notify.py",
        "adapters/registry_protocol.py",
        "adapters/registry_repository.py",
        "adapters/layer0/transport.py",
        "adapters/ssh_transport.py",
    },
    "papermill": {"engine/papermill_engine.py", "engine/papermill_files.py"},
    "jupyter_client": {"engine/kernel.py", "engine/kernel_check.py"},
    "nbformat": {
        "desk/folder.py",
        "engine/papermill_engine.py",
        "runbooks/notebook_file.py",
        "runbooks/template.py",
    },
    "cryptography": {"audit/signatures.py", "sandbox/workloads/certificates.py"},
    "rfc8785": {"audit/canonical.py"},
    "distributed": {"fleets/executors.py"},
    "moto": {"sandbox/ecr", "sandbox/neighbours.py"},
    "tornado": {"sandbox"},
}


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def wrong_arrows(package: Path) -> list[str]:
    """Return the imports that the tables do not allow."""
    wrong = []
    for path in sorted(package.rglob("*.py")):
        where = path.relative_to(package)
        layer = where.parts[0].removesuffix(".py")
        for module in sorted(imports(path)):
            top, _, rest = module.partition(".")
            if top == "ecr_widgets" and rest:
                if rest.partition(".")[0] not in MAY_IMPORT[layer]:
                    wrong.append(f"{where} imports {module}")
            elif (top in ONLY_IN and not any(where.is_relative_to(allowed) for allowed in ONLY_IN[top])) or (
                layer in ("model", "dockerrun") and top not in {*sys.stdlib_module_names, "msgspec"}
            ):
                wrong.append(f"{where} imports {module}")
    return wrong


def test_every_import_points_down() -> None:
    """No file imports what its layer may not import."""
    assert wrong_arrows(PACKAGE) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("model/a.py", "import requests"),
        ("steps/a.py", "from ecr_widgets.adapters.boto_ecr import BotoEcr"),
        ("kit/a.py", "import boto3"),
        ("engine/a.py", "def f():\n    from ecr_widgets.sandbox import Sandbox"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, where: str, line: str) -> None:
    """The check reports planted violations, also inside functions."""
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text(line)
    assert len(wrong_arrows(tmp_path)) == 1


def test_importing_the_package_loads_nothing_slow() -> None:
    """`import ecr_widgets` loads no AWS, Docker, papermill, pandas or widget library."""
    slow = [
        "papermill",
        "docker",
        "boto3",
        "botocore",
        "pandas",
        "ipywidgets",
        "moto",
        "nbformat",
        "urllib3",
        "click",
    ]
    code = f"import sys, ecr_widgets; print([name for name in {slow!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_kit_that_was_only_made_has_loaded_no_client() -> None:
    """A kit that was only connected has loaded no client library, neither AWS's nor Docker's."""
    slow = ["papermill", "docker", "boto3", "botocore", "pandas", "moto", "nbformat", "urllib3"]
    code = f"import sys, ecr_widgets; ecr_widgets.connect(environ={{}}); print([n for n in {slow!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
