"""The sandbox's own Docker Engine, for machines where none answers.

It runs in its own mount and pid namespaces. So nobody else sees its mounts, and when the namespace's first process ends,
the kernel ends the engine, its containerd and every container with it, even after we crash. Outside it leaves only a
folder with a short path, one interface and one control group, all named after the sandbox.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ecr_widgets.errors import EngineError, EngineUnavailable
from ecr_widgets.sandbox.bridge import create_bridge
from ecr_widgets.sandbox.engine_traces import MOUNT_POINTS, make_run_folder
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.local_engine import LocalEngine
from ecr_widgets.sandbox.polling import wait_until
from ecr_widgets.sandbox.processes import TOOL_PATH, ProcessIdentity, child_of, find_tool
from ecr_widgets.sandbox.state import EngineTraces

INSTALL_COMMAND = "apt-get install --no-install-recommends docker.io iptables busybox-static iproute2"

_DOCKERS_BRIDGE = Path("/sys/class/net/docker0")
_READY_TIMEOUT_S = 60.0

_NAMESPACES = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
)

# First, mount over the fixed paths of dockerd and containerd, so that what they keep there stays in here. Then suppress the
# warning in each build that networking will not work without forwarding: on its closed bridge everything that should work
# does. Last, start containerd before dockerd: when dockerd 20.10 starts its own, it sometimes connects too early, waits for
# seconds, and kills it with a stack dump. The engine does not outlive its containerd.
_ENTRY = f"""
run=$1; shift
for folder in {" ".join(map(str, MOUNT_POINTS))}; do
    [ ! -d $folder ] || mount -n -t tmpfs -o mode=0755 tmpfs $folder || exit 1
done
mount -n --bind "$run/forwarding" /proc/sys/net/ipv4/ip_forward 2>/dev/null || true
(containerd --config "$run/containerd.toml"; echo "containerd ended"; kill 1) &
until [ -S "$run/containerd.sock" ]; do
    kill -0 $! 2>/dev/null || exit 1
    sleep 0.01
done
exec "$@"
"""

_CONTAINERD_SETTINGS = """\
version = 2
root = "{data}"
state = "{run}/c"
disabled_plugins = [
    "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[debug]
    level = "warn"
[grpc]
    address = "{run}/containerd.sock"
"""


class PrivateEngine:
    """Our own `dockerd`, from its start until it first answers; `engine_traces` removes it.

    Args:
        folder: Where images and the engine's log are kept.

        traces: Its places on the machine, from `engine_traces.plan`.
    """

    def __init__(self, folder: SandboxFolder, traces: EngineTraces) -> None:
        self.traces = traces
        self.docker_host = f"unix://{traces.run_folder}/docker.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def require() -> None:
        """Check that this machine can run one.

        Raises:
            EngineUnavailable: Something is missing; the error has the command that installs it.
        """
        missing = [
            tool for tool in ("dockerd", "containerd", "unshare", "setpriv") if find_tool(tool) is None
        ]
        if missing:
            raise EngineUnavailable(
                f"no Docker Engine answers and none can be started: {', '.join(missing)} not found",
                hint=f"as root: {INSTALL_COMMAND}",
            )
        if os.geteuid() != 0:
            raise EngineUnavailable(
                "no Docker Engine answers and none can be started: that needs root",
                hint="use root, or start the engine of this machine and set DOCKER_HOST; "
                f"to install one: {INSTALL_COMMAND}",
            )

    def start(self, progress: Callable[[str], None]) -> None:
        """Start `dockerd` without waiting for it. Call this only from the main thread.

        The kernel ends the engine when the thread that started it ends, so that a crash leaves none behind.
        """
        make_run_folder(self.traces)
        self._folder.engine_data.mkdir(mode=0o711, exist_ok=True)
        run_folder = self.traces.run_folder
        arguments = ["--bridge", self.choose_network(progress), *self._arguments()]
        reaper = find_tool("docker-init") or find_tool("tini")
        init = [reaper, "--"] if reaper is not None else []
        with self._folder.engine_log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_NAMESPACES, "sh", "-c", _ENTRY, "enter", run_folder, *init, "dockerd", *arguments],
                # Not the caller's environment: dockerd reads DOCKER_TLS_VERIFY and others from it.
                env={"PATH": TOOL_PATH, "HOME": run_folder, "TMPDIR": run_folder},
                cwd="/",
                umask=0o022,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.traces = replace(self.traces, launcher=ProcessIdentity.of(self._process.pid))

    def wait_ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until the engine answers.

        Raises:
            EngineUnavailable: It ended or did not answer; the message contains the end of its log.
        """
        assert self._process is not None
        process, engine = self._process, LocalEngine(self.docker_host)
        if not wait_until(lambda: process.poll() is not None or engine.ping(), timeout_s=timeout_s):
            raise self._unusable("does not answer")
        if process.poll() is not None:
            raise self._unusable("ended while it started")
        self.traces = replace(self.traces, init=child_of(self._process.pid))

    def choose_network(self, progress: Callable[[str], None]) -> str:
        """Create the bridge and return its name for dockerd.

        Raises:
            EngineUnavailable: None can be created, and dockerd without one would damage this machine's network.
        """
        bridge = self.traces.bridge
        assert bridge is not None
        try:
            create_bridge(bridge)
        except (EngineError, OSError) as error:
            if _DOCKERS_BRIDGE.exists():
                # dockerd without a bridge deletes that interface, which belongs to another engine or to this machine.
                raise EngineUnavailable(
                    f"a private Docker Engine needs a network of its own, and none can be made: {error}",
                    hint=f"remove the interface {_DOCKERS_BRIDGE.name} if no engine uses it, or set DOCKER_HOST to"
                    " an engine on this machine",
                ) from error
            progress(f"containers get no network and no published ports: {error}")
            self.traces = replace(self.traces, bridge=None)
            return "none"
        return bridge

    @property
    def pid(self) -> int:
        """The process to watch: it ends with the engine."""
        assert self._process is not None
        return self._process.pid

    def log_tail(self, lines: int = 8) -> str:
        """The last lines of the engine's log, for an error message."""
        try:
            text = self._folder.engine_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return "it left no log"
        return " | ".join(text.strip().splitlines()[-lines:]) or "its log is empty"

    def _unusable(self, why: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"the private Docker Engine {why}: {self.log_tail()}",
            hint="use an engine of this machine through DOCKER_HOST",
        )

    def kill(self) -> None:
        """Kill the engine and all that it runs, without waiting: nothing it keeps outlives the sandbox."""
        if self._process is None:
            return
        init = self.traces.init or child_of(self._process.pid)
        if init is not None:
            init.send(signal.SIGKILL)
            init.wait(10.0)
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _arguments(self) -> list[str]:
        run_folder = Path(self.traces.run_folder)
        settings = run_folder / "daemon.json"
        settings.write_text(
            "{}\n", encoding="ascii"
        )  # otherwise dockerd reads the one of the machine's own engine
        (run_folder / "forwarding").write_text("1\n", encoding="ascii")
        (run_folder / "containerd.toml").write_text(
            _CONTAINERD_SETTINGS.format(run=run_folder, data=self._folder.engine_data / "containerd-root"),
            encoding="utf-8",
        )
        return [
            *("--config-file", str(settings)),
            *("--host", self.docker_host),
            *("--containerd", str(run_folder / "containerd.sock")),
            *("--data-root", str(self._folder.engine_data)),
            *("--exec-root", str(run_folder / "x")),
            *("--pidfile", str(run_folder / "pid")),
            *("--storage-driver", storage_driver(self._folder.engine_data)),
            *("--exec-opt", "native.cgroupdriver=cgroupfs"),
            *("--cgroup-parent", f"/{self.traces.cgroup}"),
            *("--iptables=false", "--ip-masq=false", "--ip-forward=false", "--userland-proxy=true"),
            *("--log-level", "warn"),
        ]


def storage_driver(data_root: Path) -> str:
    """Choose `overlay2` if an overlay can be mounted on this file system, else `vfs`.

    By itself dockerd may choose a driver that leaves loop devices behind.
    """
    trial = data_root / "trial"
    shutil.rmtree(trial, ignore_errors=True)  # left by a start that was killed
    for name in ("lower", "upper", "work", "merged"):
        (trial / name).mkdir(parents=True)
    options = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/work"
    mount = [
        "unshare",
        "--mount",
        "mount",
        "-n",
        "-t",
        "overlay",
        "overlay",
        "-o",
        options,
        f"{trial}/merged",
    ]
    done = subprocess.run(mount, env={"PATH": TOOL_PATH}, capture_output=True, check=False)
    shutil.rmtree(trial)
    return "overlay2" if done.returncode == 0 else "vfs"
