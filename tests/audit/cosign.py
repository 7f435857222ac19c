"""cosign out of Debian's suites, unpacked beside this machine's own packages as the engines are."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.engines.bench import ROOT
from tests.engines.packages import provide_root

FOLDER = ROOT / "build" / "engines"
SUITES = ("trixie", "sid")
"""With cosign 2 and 3."""


@dataclass(frozen=True)
class Cosign:
    """One release of cosign in a root of its own."""

    suite: str
    root: Path
    folder: Path
    """Within the root, for the files of one test."""

    def file(self, name: str, content: bytes) -> str:
        """Give it a file, and say what it is called there."""
        (self.folder / name).write_bytes(content)
        return f"/tmp/{self.folder.name}/{name}"

    def run(self, command: str, *words: str) -> tuple[bool, str]:
        """Whether it is content, and what it says."""
        more: list[str] = []
        if self.suite == "trixie":
            # Takes bundles only where told, and asks the network for roots that it does not need then.
            roots = b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
            more = ["--new-bundle-format", "--trusted-root", self.file("roots.json", roots)]
        done = subprocess.run(
            ["chroot", self.root, "/usr/bin/cosign", command, "--insecure-ignore-tlog=true", *more, *words],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": "/root", "PATH": "/usr/sbin:/usr/bin", "NO_PROXY": "*"},
            timeout=120,
        )
        return done.returncode == 0, done.stdout + done.stderr


@contextmanager
def cosign_of(suite: str) -> Iterator[Cosign]:
    """A release of cosign.

    Raises:
        NoPackages: This machine cannot have it.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    root = provide_root(FOLDER, suite, ("cosign",), lambda _: None)
    folder = Path(tempfile.mkdtemp(prefix="cosign-", dir=root / "tmp"))
    try:
        yield Cosign(suite, root, folder)
    finally:
        shutil.rmtree(folder)
