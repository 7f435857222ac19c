"""Engines out of Debian's suites, unpacked beside this machine's own packages, which nothing here touches.

An apt of its own: lists, cache and an empty status file below one folder, so that it resolves down to the C library; the
mirror, its key and all settings are those that this machine uses for its own packages. No maintainer script runs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ecr_widgets.errors import EngineUnavailable

_FOLDERS = (
    "e",
    "d",
    "old",
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "root",
    "var/lib",
    "var/tmp",
    "etc/containers",
    "etc/docker",
)
_MERGED = ("bin", "sbin", "lib", "lib64")


class NoPackages(EngineUnavailable):
    """This machine cannot have the packages; the message says why, to be told where a test is skipped."""


def provide_root(
    folder: Path, suite: str, packages: tuple[str, ...], progress: Callable[[str], None]
) -> Path:
    """Unpack packages of a suite with all that they need into a folder that can be a root; what is there is kept.

    Args:
        folder: Holds what is downloaded, some 100 MB a suite, and what is unpacked, some 400 MB a root.

    Raises:
        NoPackages: Not Debian, not root, no mirror, or the suite lacks one of them.
    """
    root = folder / f"{suite}-{packages[0]}"
    complete = root / ".complete"
    if complete.exists() and complete.read_text().split() == list(packages):
        return root
    archives = _download(folder / f"{suite}-packages", suite, packages, progress)
    progress(f"unpacking {packages[0]} of Debian {suite}")
    shutil.rmtree(root, ignore_errors=True)
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in archives:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as content:
            words: list[str | Path] = ["tar", "--extract", "--keep-directory-symlink", "--directory", root]
            subprocess.run(
                [*words, "--exclude=./usr/share/doc", "--exclude=./usr/share/locale"],
                stdin=content.stdout,
                check=True,
            )
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    complete.write_text("\n".join(packages))
    return root


def _download(
    folder: Path, suite: str, packages: tuple[str, ...], progress: Callable[[str], None]
) -> list[Path]:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    mirror, key = _mirror()
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={key}] {mirror} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": archives,
        # Containers switch it off for their own apt; without it, each call reads the whole list of packages anew.
        "Dir::Cache::pkgcache": "pkgcache.bin",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = [
        "apt-get",
        "-qq",
        *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")),
    ]
    install = ["--yes", "install", *packages]
    progress(f"downloading {' '.join(packages)} of Debian {suite}")
    _run([*apt, "update"], suite)
    # The list of this installation, as with nothing downloaded yet: the folder may hold more, of another one's.
    listed = _run([*apt, "-o", f"Dir::Cache::archives={folder / 'lists'}", "--print-uris", *install], suite)
    _run([*apt, "--download-only", *install], suite)
    return [archives / line.split()[1] for line in listed.splitlines() if line.startswith("'")]


@cache
def _mirror() -> tuple[str, str]:
    """Where this machine's own Debian packages come from, and the key that they are signed with."""
    release = Path("/etc/os-release")
    facts = (
        dict(line.replace('"', "").split("=", 1) for line in release.read_text().splitlines() if "=" in line)
        if release.exists()
        else {}
    )
    if facts.get("ID") != "debian" or shutil.which("apt-get") is None:
        raise NoPackages(
            f"engines come from Debian's packages, and this is {facts.get('PRETTY_NAME', 'another system')}"
        )
    words = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(CREATED_BY)"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", words], capture_output=True, text=True, check=False
    ).stdout
    for line in told.splitlines():
        uri, suite, component, key, kind = line.split("|")
        if (suite, component, kind) == (facts.get("VERSION_CODENAME"), "main", "Packages"):
            keyring = key if key.startswith("/") else "/usr/share/keyrings/debian-archive-keyring.gpg"
            return uri, keyring
    raise NoPackages("this machine's package sources name no mirror of Debian")


def _run(command: list[str], suite: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=None)
    if done.returncode != 0:
        why = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NoPackages(
            f"Debian {suite} cannot be had from this machine's mirror: {why[-1] if why else done.returncode}"
        )
    return done.stdout
