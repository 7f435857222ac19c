"""What an installed package has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONT_END = "ecr_widgets/panels/front_end"
LEFT_BY_USE = (
    ".env", "notebooks/.env", "ecr_widgets/.env", "deploy.pem", "notebooks/deploy.pem", "ecr_widgets/deploy.pem",
    "notebooks/runs/login.ipynb", "notebooks/wait/runs/login.ipynb", "runs/login.ipynb", "notebooks/Untitled.ipynb",
    "notebooks/.ipynb_checkpoints/login-checkpoint.ipynb", "ecr_widgets/.ipynb_checkpoints/cli-checkpoint.py",
    "notebooks/wait/config.json", "credentials",
)  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Names in the wheel and in the source distribution of a checkout that people have worked in."""
    checkout, made = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in _of_git("ecr_widgets", "notebooks", "pyproject.toml", "README.md", "CHANGELOG.md"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, checkout / name)
    for name in LEFT_BY_USE:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("AWS_SECRET_ACCESS_KEY=left-by-use")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", made],
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    (wheel,), (source,) = made.glob("*.whl"), made.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        return {
            "wheel": set(zipfile.ZipFile(wheel).namelist()),
            "source": {name.partition("/")[2] for name in archive.getnames()},
        }


def _of_git(*paths: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_wheel_holds_the_package_and_the_runbooks_alone(packed: dict[str, set[str]]) -> None:
    """Each runbook with the files that it names, where the installed package looks for them; nothing left by use."""
    runbooks = {f"ecr_widgets/{name}" for name in _of_git("notebooks")}
    assert len(runbooks) > 10
    extension = {f"{FRONT_END}/package.json", f"{FRONT_END}/extension.js"}
    wheel = {name for name in packed["wheel"] if ".dist-info/" not in name and ".data/" not in name}
    assert wheel == {*_of_git("ecr_widgets"), *runbooks} - extension


def test_the_extension_is_where_jupyterlab_looks_for_it(packed: dict[str, set[str]]) -> None:
    """Whoever installs the wheel has it: its three files, each one as small as a picture."""
    data = {name.partition(".data/data/")[2] for name in packed["wheel"] if ".data/" in name}
    folder = "share/jupyter/labextensions/ecr-widgets"
    assert data == {f"{folder}/{name}" for name in ("package.json", "static/extension.js", "static/panel.js")}
    described = json.loads((ROOT / FRONT_END / "package.json").read_text())
    assert f"{folder}/{described['jupyterlab']['_build']['load']}" in data
    assert described["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert sum(each.stat().st_size for each in (ROOT / FRONT_END).iterdir()) < 30_000


def test_the_source_distribution_holds_what_the_wheel_is_made_of_alone(packed: dict[str, set[str]]) -> None:
    """No key, environment file, checkpoint or saved run of whoever packs it."""
    built = {"pyproject.toml", "README.md", "CHANGELOG.md", "PKG-INFO"}
    assert packed["source"] == {*_of_git("ecr_widgets", "notebooks"), *built}
