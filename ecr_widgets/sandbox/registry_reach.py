"""Whether an existing engine reaches the sandbox's registry, and how to get there from an engine in another network.

A socket on this machine does not tell where its engine's network is: a rootless Docker has its own network namespace, and
Docker Desktop and the like run in a virtual machine. Their 127.0.0.1 is a different one.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import subprocess
import sys
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.sandbox.local_engine import LocalEngine
from ecr_widgets.sandbox.processes import find_tool

_PULL_TIMEOUT_S = 20.0
"""Long enough for Podman, which tries three times with pauses."""
_JOIN_TIMEOUT_S = 10.0

_LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
socket.send_fds(socket.socket(fileno=0), [b"x"], [listener.fileno()])
"""


class Heard(Enum):
    """What the registry received of a pull."""

    NOTHING = "nothing"
    TLS = "a TLS hello"
    REQUEST = "a request"


def new_name() -> str:
    """A repository name that does not exist and that nobody else asks for."""
    return f"ecr-widgets/reach-{secrets.token_hex(8)}"


def ask_for(repository: str, *, docker_host: str, registry_host: str, login: dict[str, str]) -> str:
    """Have the engine pull what does not exist; returns its error message."""
    engine = LocalEngine(docker_host, timeout_s=_PULL_TIMEOUT_S)
    try:
        engine.pull_image(f"{registry_host}/{repository}", "none", login=login)
    except EngineError as error:
        return error.message.removeprefix(f"the engine at {docker_host} ")
    return "it answers as if there were such an image"


def listen_where_engine_is(docker_host: str, port: int) -> socket.socket | None:
    """Listen on a port of 127.0.0.1 in the engine's network namespace, if that is not ours.

    The socket stays in that namespace for as long as it is open, whichever process holds it: none is left there.

    Returns:
        None if the engine's network is this process's own, or cannot be found or joined.
    """
    pid = _process_behind(docker_host)
    nsenter = find_tool("nsenter")
    if pid is None or nsenter is None or not _has_other_network(pid):
        return None
    command = [nsenter, f"--net=/proc/{pid}/ns/net"]
    if os.geteuid() != 0:
        # The user who started a rootless engine has root's rights in its namespace.
        command += [f"--user=/proc/{pid}/ns/user", "--preserve-credentials"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            subprocess.run(
                [*command, sys.executable, "-I", "-c", _LISTEN, str(port)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_JOIN_TIMEOUT_S,
                check=True,
            )
        except subprocess.SubprocessError:
            return None
        _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    listener = socket.socket(fileno=handles[0])
    listener.setblocking(False)  # noqa: FBT003 -- the standard library takes it by position
    return listener


def unreachable(docker_host: str, heard: Heard, words: str) -> EngineUnavailable:
    """The error for an engine that cannot use the registry, with what to do about it.

    Args:
        words: The engine's own message.
    """
    if heard is Heard.TLS:
        return EngineUnavailable(
            f"the engine at {docker_host} cannot use the sandbox's registry, which speaks plain HTTP: {words}",
            hint="configure Podman for that, in /etc/containers/registries.conf, or in ~/.config/containers/registries.conf if"
            ' it is rootless: a line [[registry]], and below it location = "127.0.0.1" and insecure = true',
        )
    return EngineUnavailable(
        f"the engine at {docker_host} does not reach this machine's 127.0.0.1, where the sandbox's registry is: it"
        f" runs in a virtual machine, or in a network that cannot be joined ({words})",
        hint="set DOCKER_HOST to an engine that runs on this machine itself; or run the sandbox in the engine's own"
        " network: in a container started with --network host and with the engine's socket mounted",
    )


def _process_behind(docker_host: str) -> int | None:
    """The process that listens on an engine's socket; None if it cannot be found."""
    parts = urlsplit(docker_host)
    if parts.scheme != "unix":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(parts.path)
            credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None  # 0 is a process outside our pid namespace


def _has_other_network(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:
        return False
