"""Two users of this machine, for what one of them must not be able to do to the other; root can be both."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults import forked

GROUP = 61000
"""Both are in it."""
_CHECKOUT = Path(__file__).parents[1]


class NoSecondUser(Exception):
    """This machine cannot be two users; the text says why."""


@dataclass(frozen=True)
class User:
    """One of them, with a home of their own: keys, caches and state are not shared."""

    uid: int
    home: Path
    python: str
    """An interpreter that they can run: this one may be in a folder of root's alone."""

    @property
    def environ(self) -> dict[str, str]:
        """What a login of theirs starts with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SUDO_"))}
        paths = os.pathsep.join((str(_CHECKOUT), sysconfig.get_path("purelib")))
        own = {"HOME": str(self.home), "TMPDIR": str(self.home), "PYTHONPATH": paths}
        return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def command(self) -> tuple[str, ...]:
        """What `ecr-widgets` is for them."""
        return (self.python, "-c", "from ecr_widgets.cli import main; main()")

    def words(self, *words: str | Path) -> list[str]:
        """A command line of theirs; new files are the group's, too."""
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={GROUP}", "--clear-groups"]
        return [*become, "sh", "-c", 'umask 002; exec "$@"', "sh", *map(str, words)]

    def run(
        self, *words: str | Path, cwd: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this user."""
        own = {**self.environ, **(environ or {})}
        if words[0] == self.python:
            return forked.run(words, by=self._fork, cwd=cwd, env=own, capture_output=True, text=True)
        return subprocess.run(
            self.words(*words), cwd=cwd, env=own, capture_output=True, text=True, check=False
        )

    def start(
        self, *words: str | Path, cwd: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `ecr-widgets` as this user, and hear nothing of it."""
        own = {**self.environ, **(environ or {})}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self._fork([*self.command, *words], cwd=cwd, env=own, **quiet)

    def _fork(self, words: Sequence[str | Path], **more: Any) -> subprocess.Popen[Any]:
        return forked.Forked(words, user=self.uid, group=GROUP, extra_groups=[], umask=0o002, **more)

    def ours(
        self, *words: str | Path, cwd: Path, code: int = 0, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `ecr-widgets` as this user, and expect an exit code."""
        done = self.run(*self.command, *words, cwd=cwd, environ=environ)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def trusts(self, other: User, *, cwd: Path) -> None:
        """Take in the other's public key, with its fingerprint."""
        self.trusts_keys(other.ours("audit", "key", "export", cwd=cwd).stdout, cwd=cwd)

    def trusts_keys(self, exported: str, *, cwd: Path) -> None:
        """Take in exported keys, with their fingerprints."""
        given = [
            word
            for line in exported.splitlines()
            for word in ("--fingerprint", hashlib.sha256(line.encode()).hexdigest()[:32])
        ]
        file = self.home / "exported"
        file.write_text(exported)
        file.chmod(0o644)
        self.ours("audit", "key", "trust", file, *given, cwd=cwd)


@dataclass(frozen=True)
class Two:
    """Both, and a folder in which both may write."""

    alice: User
    bob: User
    shared: Path


@contextmanager
def two_users() -> Iterator[Two]:
    """Make them; their files are removed.

    Raises:
        NoSecondUser: This is not root, or another user could not read this checkout.
    """
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        raise NoSecondUser("only root, with setpriv, can be two users")
    # Short, as it may hold sockets, and where both may look.
    top = Path(tempfile.mkdtemp(prefix="two-", dir="/tmp"))
    try:
        top.chmod(0o755)
        users = []
        for uid, name in ((61001, "alice"), (61002, "bob")):
            home = top / name
            home.mkdir(mode=0o700)
            os.chown(home, uid, GROUP)
            users.append(_user(uid, home))
        shared = top / "shared"
        shared.mkdir()
        os.chown(shared, 0, GROUP)
        shared.chmod(0o2775)
        yield Two(users[0], users[1], shared)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _user(uid: int, home: Path) -> User:
    return User(uid, home, _python(uid))


@cache
def _python(uid: int) -> str:
    why = ""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        user = User(uid, Path("/"), python)
        code = "import importlib.util, ecr_widgets.cli; assert importlib.util.find_spec('papermill')"
        done = user.run("env", python, "-c", code, cwd=Path("/"))
        if done.returncode == 0:
            return python
        why = why or done.stderr.strip()[-200:]
    raise NoSecondUser(f"another user cannot run this checkout: {why}")
