"""Engines that run beside this machine's own: each with a root, a store and an address of its own, all on this network.

Namespaces hold what an engine mounts and starts: when the first process in there ends, all of it is gone. What is left
outside is a folder, one interface and one control group, which `running` removes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ecr_widgets.sandbox.bridge import create_bridge, remove_bridge
from ecr_widgets.sandbox.engine_traces import remove_control_groups
from ecr_widgets.sandbox.folder import remove_tree
from ecr_widgets.sandbox.local_engine import LocalEngine
from ecr_widgets.sandbox.processes import child_of
from tests.engines.packages import NoPackages, provide_root

_PREFIX = "ecre-"
_READY_TIMEOUT_S = 90.0
_USER = 64990
"""Of rootless engines: a user id that nobody has."""
_USERS_OWN = ("USER=user", "HOME=/d/home", "XDG_RUNTIME_DIR=/d/run")
_NAMESPACES = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private"),
)
# A new root, not a changed one: inside of a changed root nobody may make user namespaces, as a rootless engine does.
_ENTRY = """
root=$1 shared=$2 data=$3; shift 3
mount --bind "$root" "$root"; cd "$root"
mount --bind "$shared" e; mount --bind "$data" d
mount -t proc proc proc; mount --rbind /sys sys
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/net dev/pts dev/shm
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "fuse 10 229" "net/tun 10 200"; do
    set -- $node "$@"; mknod -m 666 dev/$1 c $2 $3; shift 3
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts; ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for folder in run tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
pivot_root . old; umount -l /old
exec "$@"
"""


_TOOLS = ("mount", "coreutils", "dash")


class Store(Enum):
    """What keeps an engine's images."""

    GRAPH = "graph driver"
    CONTAINERD = "containerd"
    CONTAINERS = "containers-storage"


@dataclass(frozen=True)
class EngineKind:
    """An engine as people have it.

    Args:
        name: For a table; the engine itself tells its version.

        packages: The first one names the root that they are unpacked into.

        least_api: Oldest version of the API that it answers to; its own choice where empty.
    """

    name: str
    suite: str
    store: Store
    packages: tuple[str, ...] = ("docker.io", *_TOOLS)
    rootless: bool = False
    least_api: str = ""


_ROOTLESS = (
    *("rootlesskit", "slirp4netns", "uidmap", "iproute2", "bash", "grep", "util-linux", "docker.io"),
    *_TOOLS,
)
_PODMAN = ("podman", "runc", "netavark", "aardvark-dns", "iptables", "nftables", *_TOOLS)
KINDS = (
    EngineKind("Docker 20.10", "bookworm", Store.GRAPH),
    EngineKind("Docker 26.1", "trixie", Store.GRAPH),
    EngineKind("Docker 26.1", "trixie", Store.CONTAINERD),
    EngineKind("Docker 28", "sid", Store.GRAPH),
    # As Docker 29 has it, which no suite has yet.
    EngineKind("Docker 28", "sid", Store.CONTAINERD, least_api="1.44"),
    EngineKind("Docker 26.1 rootless", "trixie", Store.GRAPH, _ROOTLESS, rootless=True),
    EngineKind("Podman 5.4", "trixie", Store.CONTAINERS, _PODMAN),
    EngineKind("Podman 5.8", "sid", Store.CONTAINERS, _PODMAN),
    EngineKind(
        "Podman 5.8 rootless",
        "sid",
        Store.CONTAINERS,
        ("passt", "uidmap", "util-linux", *_PODMAN),
        rootless=True,
    ),
)


@contextmanager
def running(kind: EngineKind, folder: Path, progress: Callable[[str], None] = print) -> Iterator[str]:
    """Start an engine with nothing in it, give its DOCKER_HOST, and leave nothing of it.

    Args:
        folder: Keeps its packages for the next time.

    Raises:
        NoPackages: It cannot be had here.
    """
    if os.geteuid() != 0:
        raise NoPackages("engines beside this machine's own take root")
    root = provide_root(folder, kind.suite, kind.packages, progress)
    name = f"{_PREFIX}{secrets.token_hex(2)}"
    bridge = name if kind.store is not Store.CONTAINERS and not kind.rootless else None
    # Short, as socket paths end at 108 bytes.
    shared = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    data = folder / name
    data.mkdir()
    docker_host = f"unix://{shared}/docker.sock"
    try:
        if bridge is not None:
            create_bridge(bridge)
        command = _command(kind, root, data, shared, name)
        log = data / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_NAMESPACES, "sh", "-e", "-c", _ENTRY, "enter", root, shared, data, *command],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait_ready(process, docker_host, log)
            yield docker_host
        finally:
            _end(process)
    finally:
        if bridge is not None:
            remove_bridge(bridge)
        _wait_for(lambda: not remove_control_groups(name), 5.0)
        remove_tree(data)
        shutil.rmtree(shared)


def _command(kind: EngineKind, root: Path, data: Path, shared: Path, name: str) -> list[str]:
    """What becomes the engine, with the settings that it finds in its root."""
    user, home = (_set_up_user(root, data, shared), _USERS_OWN) if kind.rootless else ([], ("HOME=/root",))
    path = "PATH=/usr/share/docker.io/contrib:/usr/sbin:/usr/bin:/sbin:/bin"
    command = [*user, "env", "-i", path, *home]
    if kind.store is Store.CONTAINERS:
        _set_up_podman(root)
        return [
            *command,
            "BUILDAH_RUNTIME=runc",
            "podman",
            "--root",
            "/d/storage",
            "--runroot",
            "/run/storage",
            "system",
            "service",
            "--time=0",
            "unix:///e/docker.sock",
        ]
    settings = {"features": {"containerd-snapshotter": kind.store is Store.CONTAINERD}}
    (data / "daemon.json").write_text(json.dumps(settings if kind.suite != "bookworm" else {}))
    arguments = ["--host=unix:///e/docker.sock", "--config-file=/d/daemon.json", "--data-root=/d/data"]
    arguments += ["--iptables=false", "--ip-masq=false", "--ip-forward=false"]
    if kind.suite != "bookworm":
        arguments += ["--ip6tables=false"]
    if not kind.rootless:
        own = ["--exec-root=/run/d", "--pidfile=/run/d.pid", f"--bridge={name}", f"--cgroup-parent=/{name}"]
        least_api = [f"DOCKER_MIN_API_VERSION={kind.least_api}"] if kind.least_api else []
        return [*command, *least_api, "dockerd", *arguments, *own]
    return [*command, "dockerd-rootless.sh", *arguments]


def _set_up_user(root: Path, data: Path, shared: Path) -> list[str]:
    """A user of the root for a rootless engine, who owns its folders; gives back what makes a command that user's."""
    for file, line in {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\nuser:x:{_USER}:{_USER}::/d/home:/bin/sh",
        "group": f"root:x:0:\nuser:x:{_USER}:",
        "subuid": "user:2000000:65536",
        "subgid": "user:2000000:65536",
    }.items():
        (root / "etc" / file).write_text(f"{line}\n")
    for each in (data, shared, data / "home", data / "run"):
        each.mkdir(exist_ok=True)
        os.chown(each, _USER, _USER)
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def _set_up_podman(root: Path) -> None:
    """As Debian sets it up, but for plain HTTP to loopback, which Podman must be told of, and for what follows."""
    # Podman shows containers its own.
    (root / "etc" / "resolv.conf").touch()
    folder = root / "etc" / "containers"
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (folder / "registries.conf").write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
    # No systemd in here, no packet filter of this machine's touched, and crun does not take the older control groups.
    (folder / "containers.conf").write_text(
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n'
        '[network]\nfirewall_driver = "none"\n'
        '[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
    )


def _wait_ready(process: subprocess.Popen[bytes], docker_host: str, log: Path) -> None:
    engine = LocalEngine(docker_host)
    if (
        not _wait_for(lambda: engine.ping() or process.poll() is not None, _READY_TIMEOUT_S)
        or process.poll() is not None
    ):
        tail = log.read_text(errors="replace").strip().splitlines()[-8:]
        raise RuntimeError("the engine does not come up: " + " | ".join(tail))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the engine to end, so that it takes its interfaces away, then end all that is in its namespaces."""
    first = child_of(process.pid)
    if first is not None:
        first.send(signal.SIGTERM)
        first.wait(15.0)
        first.send(signal.SIGKILL)
    process.kill()
    process.wait()


def _wait_for(true: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def remove_remnants() -> None:
    """Remove what a killed run left outside its engines' namespaces; the engines themselves have ended with it."""
    running_now = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            running_now.append(path.read_bytes())
    for bridge in Path("/sys/class/net").glob(f"{_PREFIX}*"):
        if not any(f"--bridge={bridge.name}".encode() in words for words in running_now):
            remove_bridge(bridge.name)
            remove_control_groups(bridge.name)
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        if not any(str(folder).encode() in words for words in running_now):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    remove_remnants()
