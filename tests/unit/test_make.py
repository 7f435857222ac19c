"""What the Makefile and its scripts do on machines of other kinds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def write_command(folder: Path, name: str, body: str = "exit 0") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("user_id", "words"), [("0", "lab --allow-root runs"), ("1000", "lab runs")])
def test_the_demo_tells_a_command_that_works_for_who_reads_it(
    tmp_path: Path, user_id: str, words: str
) -> None:
    """JupyterLab refuses root without a word more, and others need none."""
    write_command(tmp_path, "id", f"echo {user_id}")
    told = subprocess.run(
        ["make", "-n", "demo"],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f'.venv/bin/jupyter {words}"' in told


def packages(tmp_path: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """`system-packages engine` on a machine that has these commands in /usr/bin and nothing in the folders for root."""
    script = (ROOT / "scripts" / "system-packages").read_text()
    assert SBIN in script
    # So that what this machine has does not count.
    (tmp_path / "script").write_text(script.replace(SBIN, str(tmp_path / "none")))
    for name in commands:
        write_command(tmp_path / "bin", name)
    write_command(tmp_path / "bin", "id", "echo 1000")
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, tmp_path / "script", "engine"],
        env={"PATH": str(tmp_path / "bin"), "DOCKER_HOST": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(Path("/var/run/docker.sock").is_socket(), reason="an engine answers here")
def test_dockers_own_packages_are_not_replaced(tmp_path: Path) -> None:
    """They put dockerd into /usr/bin; Debian's docker.io would remove them."""
    done = packages(tmp_path, "dockerd", "iptables", "busybox", "ip")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(Path("/var/run/docker.sock").is_socket(), reason="an engine answers here")
def test_what_is_missing_is_named_with_the_command_for_it(tmp_path: Path) -> None:
    """Who is not root gets it to pass on, and exit code 2."""
    done = packages(tmp_path, "iptables", "busybox", "ip")
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends docker.io" in done.stderr
