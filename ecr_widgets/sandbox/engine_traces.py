"""What a private engine has on the machine outside the sandbox's folder: named before it is created, removed by name.

Removal needs only the traces, so any process can do it after a supervisor was killed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox.bridge import ports_of, remove_bridge, remove_bridges_of
from ecr_widgets.sandbox.folder import remove_tree
from ecr_widgets.sandbox.polling import wait_until
from ecr_widgets.sandbox.state import EngineTraces

_PREFIX = "ecrw-"
_BASES = (Path("/run"), Path("/tmp"))  # noqa: S108  # short, as socket paths end at 108 bytes; the folder is 0700
_EMPTY_TIMEOUT_S = 3.0
_CONTROL_GROUPS = Path("/sys/fs/cgroup")

MOUNT_POINTS = tuple(
    Path(each) for each in ("/etc/docker", "/run/docker", "/run/containerd", "/run/runc", "/opt/containerd")
)
"""Fixed paths of dockerd, containerd and BuildKit's runc: a private engine mounts its own folders over them."""

_MADE_AT_NS = 86_400 * 10**9
"""Modification time that marks an empty folder as made by a sandbox; any use of the folder changes it."""


def new_sandbox_id() -> str:
    """Choose four hexadecimal digits that no other sandbox on this machine has."""
    while True:
        sandbox_id = secrets.token_hex(2)
        name = f"{_PREFIX}{sandbox_id}"
        if not any((base / name).exists() for base in (*_BASES, Path("/sys/class/net"))):
            return sandbox_id


def plan(sandbox_id: str) -> EngineTraces:
    """Name the traces; nothing is created yet."""
    base = next((base for base in _BASES if os.access(base, os.W_OK)), _BASES[-1])
    name = f"{_PREFIX}{sandbox_id}"
    return EngineTraces(run_folder=str(base / name), cgroup=name, bridge=name)


def make_run_folder(traces: EngineTraces) -> None:
    """Create the run folder and the engine's mount points."""
    with _mount_points_locked():
        Path(traces.run_folder).mkdir(mode=0o700)
        for folder in MOUNT_POINTS:
            if not folder.exists():
                folder.mkdir(mode=0o755)
                os.utime(folder, ns=(_MADE_AT_NS, _MADE_AT_NS))


def remove_engine(traces: EngineTraces, data_root: Path, *, keep_data: bool = False) -> None:
    """Remove a private engine: its processes, interfaces, control groups, folders and data.

    Args:
        keep_data: Whether to keep its images and containers for the next engine.

    Raises:
        EngineError: One of its processes does not end.
    """
    for process in (traces.init, traces.launcher):
        if process is not None:
            process.send(signal.SIGKILL)
    for process in (traces.init, traces.launcher):
        if process is not None and not process.wait(10.0):
            raise EngineError(
                f"process {process.pid} of the private Docker Engine does not end", hint="try again"
            )
    if traces.bridge is not None:
        # The kernel removes the containers' ends a moment after their last process.
        bridge = traces.bridge
        wait_until(lambda: not ports_of(bridge), timeout_s=_EMPTY_TIMEOUT_S)
        remove_bridge(bridge)
    remove_bridges_of(data_root)
    wait_until(lambda: not remove_control_groups(traces.cgroup), timeout_s=_EMPTY_TIMEOUT_S)
    if not keep_data:
        remove_tree(data_root)
    with _mount_points_locked():
        remove_tree(Path(traces.run_folder))
        if not any(folder for base in _BASES for folder in base.glob(_PREFIX + "[0-9a-f]" * 4)):
            _remove_mount_points()


def _remove_mount_points() -> None:
    for folder in MOUNT_POINTS:
        try:
            if folder.stat().st_mtime_ns == _MADE_AT_NS:
                folder.rmdir()
        except OSError:
            continue


def remove_control_groups(name: str) -> int:
    """Remove what is left of the containers' control groups; return how many are still busy."""
    busy = 0
    # Version 2 has one tree at the top, version 1 one per controller below it.
    for root in (_CONTROL_GROUPS / name, *_CONTROL_GROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(root, topdown=False):
            try:
                os.rmdir(folder)  # noqa: PTH106  # os.walk hands out strings
            except FileNotFoundError:
                continue
            except OSError:
                busy += 1
    return busy


@contextmanager
def _mount_points_locked() -> Iterator[None]:
    # A lock on the folder itself: it leaves no file, and makes sandboxes come and go one at a time.
    handle = os.open(_BASES[0], os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
