"""One kernel process and the connection to it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_widgets.channel import ADDRESS_VARIABLE, RUN_ID_VARIABLE
from ecr_widgets.engine.docker_config import private_docker_config
from ecr_widgets.engine.kernel_launcher import WHY_NOT_STARTED
from ecr_widgets.engine.orphans import end_processes_with
from ecr_widgets.engine.run_folder import CHANNEL, RunFolder
from ecr_widgets.errors import RunError
from ecr_widgets.model.bucket_path import is_bucket
from ecr_widgets.settings import RUNS_VARIABLE

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

_STOP_TIMEOUT_S = 2.0
_RELEASE_TIMEOUT_S = 12.0
"""The same if runs are in a bucket: before it ends the kernel releases its leases, for which the next run would wait."""
_END_TIMEOUT_S = 5.0
_RECONNECT_MS = 5
"""How soon the client retries a kernel that does not listen yet; ZeroMQ's default is up to 200 ms."""
# The current folder is for cells: a file in it must not replace a standard module. Python 3.13 imports some modules before
# our code could remove the folder from the path, so it must not be there at the start.
_LAUNCH = ("-P", "-c", "from ecr_widgets.engine.kernel_launcher import main; main()")
_LONGEST_SOCKET_PREFIX = 100
"""Socket paths have at most 107 bytes, on macOS 103."""


class Kernel:
    """A Python kernel as the child of its own guard, started immediately and connected later.

    Importing the client while the kernel starts hides most of the start time.

    Raises:
        RunError: It cannot be started.
    """

    def __init__(self, run_id: str, *, environ: Mapping[str, str], cwd: Path) -> None:
        self.run_id = run_id
        with contextlib.ExitStack() as undo:
            try:
                self._private = RunFolder(environ)
                undo.callback(self._private.remove)
                folder = self._private.path
                connection = folder / "kernel.json"
                connection.write_text(json.dumps(_connection(folder)))
                docker = private_docker_config(folder / "docker", environ)
            except OSError as error:
                raise RunError(
                    f"the kernel's private folder cannot be made: {error.strerror}{f' ({error.filename})' if error.filename else ''}",
                    run_id=run_id,
                    hint="free some space there, or set TMPDIR",
                ) from error
            self.channel_address = folder / CHANNEL
            own = {RUN_ID_VARIABLE: run_id, ADDRESS_VARIABLE: str(self.channel_address)}
            try:
                self._process = subprocess.Popen(
                    [sys.executable, *_LAUNCH, "-f", str(connection)],
                    env={**_for_kernels(environ), **own, **docker},
                    cwd=cwd,
                    # The kernel's guard waits for this pipe, which closes when this process ends, however it ends.
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                raise RunError(
                    f"the kernel's process cannot be started in {str(cwd)!r}: {error.strerror}",
                    run_id=run_id,
                    hint="check the folder, memory and the number of processes (`ulimit -u`), then run again",
                ) from error
            undo.pop_all()
        self._connection = connection
        self._has_leases = is_bucket(environ.get(RUNS_VARIABLE, ""))
        self._client: BlockingKernelClient | None = None
        self._asked_to_end = False
        self.language_info: dict[str, Any] = {}
        """The kernel's description of its language, once it is connected."""

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def exit_code(self) -> int | None:
        """None while the kernel runs, else its exit code (negative: the signal), which is also its guard's."""
        return self._process.poll()

    def connect(self, *, timeout_s: float) -> BlockingKernelClient:
        """The client, once the kernel answers.

        Args:
            timeout_s: Longest time until it does, in seconds.

        Raises:
            RunError: The kernel died or stayed silent.
        """
        import zmq
        from jupyter_client.blocking.client import BlockingKernelClient

        client = BlockingKernelClient(connection_file=str(self._connection))
        client.load_connection_file()
        client.context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        client.start_channels(stdin=False, hb=False)
        self._client = client
        deadline_s = time.monotonic() + timeout_s
        asked: set[str] = set()
        # Requests sent before the kernel's sockets are bound wait in ours, so one would do. The subscription to iopub has no
        # such guarantee: only a status message from it proves that outputs will arrive.
        heard = answered = False
        while not (heard and answered):
            if self.exit_code is not None or time.monotonic() > deadline_s:
                how = f"in {timeout_s:g} s" if self.exit_code is None else f"exit code {self.exit_code}"
                raise RunError(
                    f"the kernel did not start ({how}){self._why_not_started()}",
                    run_id=self.run_id,
                    hint="see this process's limits with `ulimit -a`, or try `python -m ipykernel` in the same environment",
                )
            if not asked or (answered and not heard):
                asked.add(client.kernel_info())
            if not answered and (reply := _received(client.shell_channel, 100)):
                answered, self.language_info = True, dict(reply["content"].get("language_info", {}))
            heard = heard or _received(client.iopub_channel, 100 if answered else 0) is not None
        while _received(client.shell_channel, 0) or _received(client.iopub_channel, 0):
            pass
        return client

    def _why_not_started(self) -> str:
        try:
            why = (self._private.path / WHY_NOT_STARTED).read_text()
        except OSError:
            return ""
        return f": {why}" if why else ""

    def interrupt(self) -> None:
        """Interrupt the running cell."""
        # The guard passes it on.
        self._process.send_signal(signal.SIGINT)

    def ask_to_end(self) -> None:
        """Ask the kernel to shut down, so that closing it takes less time."""
        if not self._asked_to_end and self.exit_code is None and self._client is not None:
            self._asked_to_end = True
            self._client.shutdown()

    def close(self) -> None:
        """End the kernel and everything it started, and remove its files."""
        try:
            self.ask_to_end()
            if self._asked_to_end:
                self._await_guard(_RELEASE_TIMEOUT_S if self._has_leases else _STOP_TIMEOUT_S)
        finally:
            # The guard notices this, and ends everything that a cell has started before it ends itself.
            if self._process.stdin is not None:
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)
            self._process.kill()
            if self._process.wait() == -signal.SIGKILL:
                # Either its kernel was killed by SIGKILL too, or the guard itself was, and has ended nothing.
                end_processes_with(ADDRESS_VARIABLE, str(self.channel_address))
            if self._client is not None:
                self._client.stop_channels()
            self._private.remove()

    def _await_guard(self, longest_s: float) -> None:
        """Wait until the guard closes its end of the pipe, which it does when it ends."""
        assert self._process.stdin is not None
        # `Popen.wait` with a timeout polls only every 50 ms.
        end = select.poll()
        end.register(self._process.stdin, 0)
        if end.poll(longest_s * 1000):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)


def _for_kernels(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables for notices, which may hold a secret: only the engine sends notices."""
    return {name: value for name, value in environ.items() if not name.startswith("ECR_WIDGETS_NOTIFY_")}


def _received(channel: Any, timeout_ms: int) -> Mapping[str, Any] | None:
    if not channel.socket.poll(timeout_ms):
        return None
    message: Mapping[str, Any] = channel.get_msg(timeout=0)
    return message


def _connection(folder: Path) -> dict[str, Any]:
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    said = {"key": secrets.token_hex(32), "signature_scheme": "hmac-sha256", "kernel_name": "python3"}
    prefix = str(folder / "line")
    if len(os.fsencode(prefix)) <= _LONGEST_SOCKET_PREFIX:
        # Sockets in a folder of this user alone: nobody else can bind them before the kernel does.
        return (
            said | {name: number for number, name in enumerate(names, 1)} | {"ip": prefix, "transport": "ipc"}
        )
    sockets = [socket.socket() for _ in names]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    finally:
        for one in sockets:
            one.close()
    return said | ports | {"ip": "127.0.0.1", "transport": "tcp"}
