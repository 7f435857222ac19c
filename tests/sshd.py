"""A real sshd on loopback, and an `ssh` command that reaches nothing else, with keys of their own."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.sandbox.polling import wait_until
from tests.ports import free_port

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SEPARATION = Path("/run/sshd")
"""sshd of root wants this folder, which a service file makes."""


class NoSshd(Exception):
    """There is none here, and why."""


@dataclass(frozen=True)
class Sshd:
    """One that runs.

    Args:
        folder: Has the `ssh` command, for the front of PATH.

        known_hosts: What that command trusts.

        key: What it logs in with.
    """

    process: subprocess.Popen[bytes]
    port: int
    user: str
    folder: Path
    known_hosts: Path
    key: Path

    @property
    def address(self) -> str:
        """For DOCKER_HOST, followed by the path of a socket or by nothing."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}"


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Start one that lets this user in, and end it.

    Raises:
        NoSshd: It cannot run here.
    """
    program = shutil.which("sshd", path=_PATH)
    command = shutil.which("ssh", path=_PATH)
    if program is None or command is None:
        raise NoSshd("sshd is not installed: apt-get install openssh-server")
    made = False
    if os.geteuid() == 0:
        with suppress(FileExistsError):
            _SEPARATION.mkdir(mode=0o755)
            made = True
    user, port = pwd.getpwuid(os.geteuid()).pw_name, free_port()
    for name in ("host_key", "key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/key.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nMaxStartups 100\nSetEnv PATH={_PATH}\n"
    )
    # ssh reads the settings in the home folder of the user's entry, whatever HOME says.
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile none\n"
    )
    ssh = folder / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shlex.quote(command)} -F {shlex.quote(f"{folder}/ssh_config")} "$@"\n')
    ssh.chmod(0o755)
    log = folder / "sshd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", folder / "sshd_config"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        if not wait_until(lambda: _listens(port) or process.poll() is not None, timeout_s=30):
            raise NoSshd("sshd does not listen")
        if process.poll() is not None:
            raise NoSshd(f"sshd cannot run: {log.read_text(errors='replace').strip()}")
        yield Sshd(process, port, user, folder, known_hosts, folder / "key")
    finally:
        process.kill()
        process.wait()
        if made:
            _SEPARATION.rmdir()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
