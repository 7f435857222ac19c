"""What an installed package contains."""

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
FRONT_END, LAUNCHER, RECORDS = (f"ecr_widgets/panels/{name}" for name in ("front_end", "launcher", "records"))
EXTENSIONS = {
    FRONT_END: ("ecr-widgets", "extension.js", "panel.js"),
    LAUNCHER: ("ecr-widgets-launcher", "launcher.js"),
    RECORDS: ("ecr-widgets-records", "records.js"),
}
"""Prebuilt extensions of JupyterLab: each one's folder, name and scripts."""
LEFT_BY_USE = (
    ".env", "notebooks/.env", "ecr_widgets/.env", "deploy.pem", "notebooks/deploy.pem", "ecr_widgets/deploy.pem",
    "notebooks/runs/login.ipynb", "notebooks/wait/runs/login.ipynb", "runs/login.ipynb", "notebooks/Untitled.ipynb",
    "notebooks/.ipynb_checkpoints/login-checkpoint.ipynb", "ecr_widgets/.ipynb_checkpoints/cli-checkpoint.py",
    "notebooks/wait/config.json", "credentials",
)  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Names in the wheel and the source distribution of a used checkout."""
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
    """The wheel holds just the package and the runbooks with their files, and nothing left over from use."""
    runbooks = {f"ecr_widgets/{name}" for name in _of_git("notebooks")}
    assert len(runbooks) > 10
    extension = {f"{FRONT_END}/package.json", f"{FRONT_END}/extension.js", *_of_git(LAUNCHER, RECORDS)}
    wheel = {name for name in packed["wheel"] if ".dist-info/" not in name and ".data/" not in name}
    assert wheel == {*_of_git("ecr_widgets"), *runbooks} - extension


def test_the_extensions_are_where_jupyterlab_looks_for_them(packed: dict[str, set[str]]) -> None:
    """The wheel holds the JupyterLab extensions where JupyterLab looks for them, each below 30 kB."""
    data = {name.partition(".data/data/")[2] for name in packed["wheel"] if ".data/" in name}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    expected = set()
    for source, (name, *scripts) in EXTENSIONS.items():
        folder = f"share/jupyter/labextensions/{name}"
        expected |= {f"{folder}/package.json", *(f"{folder}/static/{script}" for script in scripts)}
        described = json.loads((ROOT / source / "package.json").read_text())
        assert (described["name"], described["version"]) == (name, version)
        assert f"{folder}/{described['jupyterlab']['_build']['load']}" in expected
        assert sum(each.stat().st_size for each in (ROOT / source).iterdir()) < 30_000
    assert data == expected


def test_the_source_distribution_holds_what_the_wheel_is_made_of_alone(packed: dict[str, set[str]]) -> None:
    """The source distribution holds only what the wheel is made of: no key, environment file, checkpoint or saved run."""
    built = {"pyproject.toml", "README.md", "CHANGELOG.md", "PKG-INFO"}
    assert packed["source"] == {*_of_git("ecr_widgets", "notebooks"), *built}
