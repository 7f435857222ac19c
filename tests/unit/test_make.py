"""What the Makefile and its scripts do on other kinds of machines."""

from __future__ import annotations

import re
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
    """`make demo` prints a command that works for the reader: root needs an option to start JupyterLab."""
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


def packages(
    tmp_path: Path, what: str, *commands: str, known: str = "", user_id: str = "1000", **environ: str
) -> subprocess.CompletedProcess[str]:
    """`system-packages` on a machine that has these commands in /usr/bin and nothing in the folders for root.

    Args:
        known: Packages that its lists know.
    """
    script = (ROOT / "scripts" / "system-packages").read_text()
    # So that commands of this machine are not found.
    for place in (
        SBIN,
        "/usr/sbin/policy-rc.d",
        "/usr/lib/docker",
        "/usr/libexec/docker",
        "/var/lib/apt/lists",
    ):
        assert place in script
        script = script.replace(place, f"{tmp_path}/machine{place.partition(':')[0]}")
    (tmp_path / "script").write_text(script)
    (tmp_path / "machine/var/lib/apt/lists").mkdir(parents=True)
    (tmp_path / "machine/usr/sbin").mkdir(parents=True)
    (tmp_path / "machine/var/lib/apt/lists/x_Packages").touch()
    for name in commands:
        write_command(tmp_path / "bin", name)
    write_command(tmp_path / "bin", "id", f"echo {user_id}")
    write_command(tmp_path / "bin", "apt-cache", f"case ' {known} ' in *\" $2 \"*) exit 0 ;; esac; exit 100")
    write_command(tmp_path / "bin", "apt-get", f'echo "$@" >>{tmp_path}/installed')
    for name in ("ls", "mktemp", "rm", "chmod", "tail"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, tmp_path / "script", what],
        env={"PATH": str(tmp_path / "bin"), "DOCKER_HOST": "", "HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


no_engine = pytest.mark.skipif(Path("/var/run/docker.sock").is_socket(), reason="an engine answers here")
ENGINE = ("dockerd", "iptables", "busybox", "ip")


@no_engine
def test_dockers_own_packages_are_not_replaced(tmp_path: Path) -> None:
    """If Docker's own packages are installed, nothing is installed over them."""
    done = packages(tmp_path, "engine", *ENGINE, "docker", user_id="0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@no_engine
def test_a_user_who_cannot_start_an_engine_is_told_at_once(tmp_path: Path) -> None:
    """Where no engine answers, a user who is not root is refused, even if an engine is installed."""
    done = packages(tmp_path, "engine", *ENGINE, "docker", user_id="1000")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "no Docker Engine answers this user, and only root can start one: use root,"
    )


@pytest.mark.parametrize("target", ["demo", "lab", "test", "bench", "faults", "engines"])
def test_the_engine_is_looked_for_before_anything_is_installed(target: str) -> None:
    """Whoever has no engine and cannot install one learns it before minutes of installing packages."""
    steps = subprocess.run(
        ["make", "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "scripts/venv" in steps.partition("scripts/system-packages engine")[2]
    assert "scripts/venv" not in steps.partition("scripts/system-packages engine")[0]


@no_engine
def test_what_is_missing_is_named_with_the_command_for_it(tmp_path: Path) -> None:
    """A user who is not root is shown the install command for missing packages, with exit code 2."""
    done = packages(tmp_path, "engine", *ENGINE[1:], "docker")
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends docker.io" in done.stderr


@no_engine
def test_the_docker_command_and_buildx_come_where_they_are_packages_of_their_own(tmp_path: Path) -> None:
    """If the docker command and buildx are separate packages, as in Debian 13, both are installed and named before."""
    done = packages(tmp_path, "engine", known="docker-cli docker-buildx", user_id="0")
    assert done.returncode == 0, done.stderr
    names = "docker.io iptables busybox-static iproute2 docker-cli docker-buildx"
    assert done.stdout == f"installing Debian packages: {names}\n"
    assert (tmp_path / "installed").read_text().splitlines() == [
        "update -qq",
        f"install --no-install-recommends --yes -qq {names}",
    ]
    assert not (tmp_path / "machine/usr/sbin/policy-rc.d").exists()


@no_engine
def test_what_the_system_has_no_package_for_is_done_without(tmp_path: Path) -> None:
    """A package that the system does not have, such as buildx in Debian 12, is skipped without an error."""
    done = packages(tmp_path, "engine", *ENGINE, "docker", user_id="0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "installed").exists()


@no_engine
def test_a_plug_in_that_is_there_is_seen(tmp_path: Path) -> None:
    """A Docker plug-in in the user's own folder counts as installed."""
    write_plugin = tmp_path / ".docker" / "cli-plugins"
    write_plugin.parent.mkdir()
    write_command(write_plugin, "docker-buildx")
    done = packages(tmp_path, "engine", *ENGINE, "docker", known="docker-buildx", user_id="0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@no_engine
@pytest.mark.parametrize(
    ("what", "code", "words"), [("engine", 2, "Docker Desktop"), ("venv", 2, "Homebrew"), ("tests", 0, "")]
)
def test_a_mac_is_told_what_it_needs(tmp_path: Path, what: str, code: int, words: str) -> None:
    """A Mac user gets a message for a Mac, without apt-get."""
    done = packages(tmp_path, what, OSTYPE="darwin23")
    assert done.returncode == code
    assert words in done.stderr
    assert "apt" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "path", [*(ROOT / "scripts").iterdir(), ROOT / "Makefile"], ids=lambda path: path.name
)
def test_scripts_keep_to_bash_3(path: Path) -> None:
    """The scripts use only features of bash 3, the version on a Mac."""
    newer = (
        r"(declare|local|typeset) -[a-zA-Z]*[An]|mapfile|readarray|coproc|&>>|\|&|wait -n|\$\{\w+(,|\^|@[A-Z])"
        r"|\w+=\(|\$\{\w+\[|printf .*%\("
    )
    assert re.findall(newer, path.read_text()) == []
