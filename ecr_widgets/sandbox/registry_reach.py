"""Whether an engine that was there reaches the sandbox's registry, and how one in a network of its own is made to.

A socket on this machine does not say where its engine's network is: that of a rootless Docker is a namespace of its own,
that of Docker Desktop and its like is in a virtual machine. Their 127.0.0.1 is another.
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
"""Podman tries three times, with pauses."""
_JOIN_TIMEOUT_S = 10.0

_LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
socket.send_fds(socket.socket(fileno=0), [b"x"], [listener.fileno()])
"""


class Heard(Enum):
    """What a registry heard of a pull."""

    NOTHING = "nothing"
    TLS = "a TLS hello"
    REQUEST = "a request"


def new_name() -> str:
    """A repository that nobody has, and that nobody else asks for."""
    return f"ecr-widgets/reach-{secrets.token_hex(8)}"


def ask_for(repository: str, *, docker_host: str, registry_host: str, login: dict[str, str]) -> str:
    """Have the engine pull what does not exist, and give its answer."""
    engine = LocalEngine(docker_host, timeout_s=_PULL_TIMEOUT_S)
    try:
        engine.pull_image(f"{registry_host}/{repository}", "none", login=login)
    except EngineError as error:
        return error.message.removeprefix(f"the engine at {docker_host} ")
    return "it answers as if there were such an image"


def listen_where_engine_is(docker_host: str, port: int) -> socket.socket | None:
    """Listen on a port of 127.0.0.1 in the network namespace of an engine that is not in ours.

    The socket belongs to that namespace for as long as it is open, whoever holds it: no process stays there.

    Returns:
        None where the engine's network is this process's, or where it cannot be found or joined.
    """
    pid = _process_behind(docker_host)
    nsenter = find_tool("nsenter")
    if pid is None or nsenter is None or not _has_other_network(pid):
        return None
    command = [nsenter, f"--net=/proc/{pid}/ns/net"]
    if os.geteuid() != 0:
        # Whoever started a rootless engine may do there what root may here.
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
    """Say of an engine that it cannot use the registry, and what to do.

    Args:
        words: The engine's own.
    """
    if heard is Heard.TLS:
        return EngineUnavailable(
            f"the engine at {docker_host} cannot use the sandbox's registry, which speaks plain HTTP: {words}",
            hint="configure Podman for that, in /etc/containers/registries.conf, or in ~/.config/containers/registries.conf where"
            ' it is rootless: a line [[registry]], and below it location = "127.0.0.1" and insecure = true',
        )
    return EngineUnavailable(
        f"the engine at {docker_host} does not reach this machine's 127.0.0.1, where the sandbox's registry is: it"
        f" runs in a virtual machine, or in a network that cannot be joined ({words})",
        hint="set DOCKER_HOST to an engine that runs on this machine itself; or run the sandbox in the engine's own"
        " network: in a container started with --network host and with the engine's socket mounted",
    )


def _process_behind(docker_host: str) -> int | None:
    """The process that listens on an engine's socket, None where it cannot be found."""
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
    return pid or None  # 0 is a process that is not in our pid namespace


def _has_other_network(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:
        return False
