"""Commands, kernels and pieces of Python, forked from a process that has their modules: imports are most of a short one's CPU.

What is forked is a process of its own, with real signals, kills, files and exit codes. What differs from a started one: its
parent is not who asked for it, `/proc` shows the command line and the environment of the process that it was forked from, and it
ends without taking its modules apart: half of a short one's CPU, as that copies all memory that it shares with the other.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any
from unittest import mock

from jupyter_client import launcher

from ecr_widgets.engine import kernel
from ecr_widgets.fleets import start as target_run

AT_FORK = "FORKED_FIRST"
"""A variable with the path of a file of Python that a forked process executes first, as are those that are forked from it."""
_NUMBER = struct.Struct("ci")
_BEGAN, _ENDED = b"b", b"e"
"""What a number is about: a process that is killed at once ends without having begun, and its status is no process id."""
_LONGEST_REQUEST = 1 << 17
_NAMESPACES = {"net": 0x40000000, "uts": 0x04000000}
_PR_SET_DUMPABLE = 4
_NAMED = ("unshare", "--uts", "sh", "-c", 'echo "$0" > /proc/sys/kernel/hostname; exec "$@"')
_libc = ctypes.CDLL(None, use_errno=True)


class Forked(subprocess.Popen[Any]):
    """A process that is forked instead of started, by the process that `_line` leads to.

    Args:
        hostname: A name that only this process and those below it have.
    """

    def __init__(self, args: Sequence[str | Path], *, hostname: str = "", **more: Any) -> None:
        self._hostname = hostname
        self._status = -1
        super().__init__(args, **more)

    def _execute_child(
        self, args: Sequence[str | Path], _executable: Any, _preexec: Any, _close: Any, _pass: Any, cwd: Any, env: Any,
        _startup: Any, _flags: Any, _shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int,
        errwrite: int, _signals: Any, gid: int | None, gids: Sequence[int] | None, uid: int | None, umask: int, start_new_session: int,
        process_group: int,
    ) -> None:  # fmt: skip
        self._status, status = os.pipe()
        request = {
            "words": [*map(str, args)],
            "environ": dict(os.environ if env is None else env),
            "folder": str(cwd or Path.cwd()),
            "own": "session" if start_new_session else "group" if process_group == 0 else "",
            "hostname": self._hostname,
            "user": [
                os.getgroups() if gids is None else [*gids],
                os.getgid() if gid is None else gid,
                os.getuid() if uid is None else uid,
            ],
            "umask": _own.get("umask", -1) if umask == -1 else umask,
            "asked_by": os.getpid(),
        }
        standard = [
            given if given != -1 else number for number, given in enumerate((p2cread, c2pwrite, errwrite))
        ]
        places = [os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name in _NAMESPACES]
        python = str(args[0]) if Path(args[0]).name.startswith("python") else sys.executable
        line = _line(python, usual_environ() if python == sys.executable else request["environ"])
        socket.send_fds(line, [json.dumps(request).encode()], [*standard, status, *places])
        for handle in (status, *places):
            os.close(handle)
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]
        about, self.pid = self._read()
        if about != _BEGAN or self.pid < 0:
            raise OSError(
                -self.pid, os.strerror(-self.pid) if self.pid < 0 else "was not forked", str(args[0])
            )
        self._child_created = True

    def _read(self) -> tuple[bytes, int]:
        about, number = _NUMBER.unpack(
            os.read(self._status, _NUMBER.size) or _NUMBER.pack(_ENDED, signal.SIGKILL)
        )
        return about, number

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if not select.select([self._status], [], [], 0 if flags & os.WNOHANG else None)[0]:
            return 0, 0
        _, status = self._read()
        os.close(self._status)
        return self.pid, status

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        # As the one that it replaces: of two threads, the second would read and close what has that number by then.
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):  # type: ignore[attr-defined]
            try:
                pid, status = (0, 0) if self.returncode is not None else self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def start(words: Sequence[str | Path], *, hostname: str = "", **more: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`, forked where that makes no difference: what Python and the loader read as they start is the same.

    Args:
        hostname: As for `Forked`.
    """
    if _is_known(words) and _at_start(more.get("env") or os.environ) == _at_start(
        _own.get("environ") or usual_environ()
    ):
        return Forked(words, hostname=hostname, **more)
    return subprocess.Popen([*((*_NAMED, hostname) if hostname else ()), *words], **more)


def run(
    words: Sequence[str | Path], *, capture_output: bool = False, check: bool = False, given: str | None = None, by: Any = start,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """`subprocess.run` in the same way."""
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with by(words, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, **more) as process:
        out, err = process.communicate(given)
    done = subprocess.CompletedProcess(words, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


@contextmanager
def forking() -> Iterator[None]:
    """Kernels and runs of a fleet's targets that this process starts are forked."""
    instead = SimpleNamespace(**vars(subprocess) | {"Popen": start})
    with (
        mock.patch.object(kernel, "subprocess", instead),
        mock.patch.object(target_run, "subprocess", instead),
        mock.patch.object(launcher, "Popen", start),
    ):
        yield


def _is_known(words: Sequence[str | Path]) -> bool:
    return Path(words[0]).name in {"ecr-widgets", "papermill"} or (
        str(words[0]) == sys.executable and bool({"-c", "-m"} & set(words))
    )


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LD_"))}


@cache
def usual_environ() -> Mapping[str, str]:
    """The environment of the process that forks: what this one has as this is first called, before a test changes it."""
    return dict(os.environ)


def begin() -> None:
    """Start the process that forks, before this thread enters a network in which it would be killed with all others."""
    _line(sys.executable, usual_environ())


_starting = Lock()
_lines: dict[str, socket.socket] = {}
"""To the process that forks, for each interpreter."""
_MAIN = f"""
import atexit
last = []
atexit.register(lambda: [end() for end in last])  # before all others, and so called after them
from {__name__} import main
main(last)
"""
_own: dict[str, Any] = {}
"""Of a forked process: the line to the one that it was forked from, its environment and its umask."""


def _line(python: str, environ: Mapping[str, str]) -> socket.socket:
    if _own:
        line: socket.socket = _own["line"]
        return line
    with _starting:
        if python not in _lines:
            _lines[python] = _start_server(python, environ)
        return _lines[python]


def _start_server(python: str, environ: Mapping[str, str]) -> socket.socket:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST_REQUEST)
    with there:
        ends = [each.fileno() for each in (there, here)]
        server = subprocess.Popen(
            [python, "-P", "-c", _MAIN, *map(str, ends)],
            env=environ,
            pass_fds=ends,
            stdin=subprocess.PIPE,  # it ends with its input
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(here.close)
    atexit.register(server.communicate)
    return here


_OURS = (
    *("cli.audit", "cli.fleet", "cli.run", "cli.run_ids", "cli.target_run", "cli.targets", "cli.watching"),
    *("engine.own_door", "engine.papermill_engine", "engine.parameter_files", "engine.run"),
    *("audit.index", "audit.judging", "audit.resealing", "audit.sealing"),
    *(
        "adapters.bucket_store",
        "connections",
        "recording.notebook",
        "steps.fleet_result",
        "steps.plan_fleet",
        "steps.run_wave",
    ),
)
"""Modules that commands and kernels load when they need them, with all that these load."""


def _import() -> None:
    """What commands and kernels would import as they run, without checkers of addresses, which no notebook has."""
    for name in ("rfc3987_syntax", "rfc3986_validator"):
        sys.modules[name] = None  # type: ignore[assignment]
    import boto3
    import botocore.loaders
    import botocore.session
    import docker  # noqa: F401
    import jupyter_client.blocking.client  # noqa: F401
    import papermill.__main__  # noqa: F401

    from ecr_widgets.engine import run_kernel

    for name in _OURS:
        importlib.import_module(f"ecr_widgets.{name}")

    # All clients share what is read of botocore's files: most of what a new one costs.
    botocore.session.create_loader = cache(botocore.loaders.create_loader)
    for service in ("s3", "sts", "ecr", "ecs"):
        boto3.client(service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    run_kernel._import_without_debugger()
    # The last three: what a kernel loads as it starts.
    import ipykernel.ipkernel
    import ipykernel.kernelapp  # noqa: F401
    import IPython.core.completerlib
    import IPython.extensions.storemagic  # noqa: F401
    import tornado.platform.asyncio  # noqa: F401


def main(last: list[Callable[[], None]]) -> None:
    """Fork for each request. A watcher in between tells how the process ended.

    Args:
        last: What is called at the very end of a process.
    """
    # What is forked asks for more by the other end.
    line, theirs = (socket.socket(fileno=int(each)) for each in sys.argv[1:])
    theirs.set_inheritable(False)
    _own["line"] = theirs
    _import()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    while select.select([line, 0], [], [])[0] == [line]:
        request, handles, _, _ = socket.recv_fds(line, _LONGEST_REQUEST, 6)
        if os.fork() == 0:
            break
        for handle in handles:
            os.close(handle)
    else:
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    line.close()
    if pid:
        theirs.close()
        for handle in (*range(3), *handles[:3]):
            os.close(handle)
        os.write(handles[3], _NUMBER.pack(_ENDED, os.waitpid(pid, 0)[1]))
        os._exit(0)
    asked = json.loads(request)
    words, asked_by = asked.pop("words"), asked.pop("asked_by")
    told = os.dup(handles[3])
    try:
        _become(handles, **asked)
        number = os.getpid()
    except OSError as error:
        number = -(error.errno or 1)
    # As with a program that was started: who asks hears of it once all is set.
    os.write(told, _NUMBER.pack(_BEGAN, number))
    os.close(told)
    if number < 0:
        os._exit(1)
    with forking():
        if first := os.environ.get(AT_FORK):
            exec(Path(first).read_text(), {})
        # Its parent is the watcher.
        words = [str(os.getppid()) if word == str(asked_by) else word for word in words]
        try:
            _run(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            last.append(partial(_end, code))
            raise
        last.append(partial(_end, 0))


def _end(code: int) -> None:
    # Where a stream cannot be flushed, Python ends the process as usual and says so.
    with suppress(Exception):
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        os._exit(code & 0xFF)


def _become(
    handles: Sequence[int], *, environ: Mapping[str, str], folder: str, own: str, hostname: str, user: list[Any], umask: int
) -> None:  # fmt: skip
    if own == "session":
        os.setsid()
    elif own == "group":
        os.setpgid(0, 0)
    for number in range(3):
        os.dup2(handles[number], number)
    for (name, flag), there in zip(_NAMESPACES.items(), handles[4:], strict=True):
        if not os.path.samestat(os.fstat(there), Path(f"/proc/self/ns/{name}").stat()):
            _enter(_libc.setns, there, flag)
    for handle in handles:
        os.close(handle)
    if hostname:
        _enter(_libc.unshare, _NAMESPACES["uts"])
        socket.sethostname(hostname)
    if umask != -1:
        os.umask(umask)
    for become, now, wanted in zip(
        (os.setgroups, os.setgid, os.setuid), (os.getgroups(), os.getgid(), os.getuid()), user, strict=True
    ):
        if now != wanted:
            become(wanted)
            _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after the start of a program
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    _own.update(environ=environ, umask=umask)


def _enter(call: Any, *details: int) -> None:
    if call(*details):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _run(words: list[str]) -> None:
    program = Path(words[0]).name
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    sys.argv = words
    if program == "ecr-widgets":
        from ecr_widgets.cli import main as command

        command()
    elif program == "papermill":
        from papermill.__main__ import papermill

        papermill()
    elif "-c" in words:
        at = words.index("-c")
        sys.argv = words[at : at + 1] + words[at + 2 :]
        exec(words[at + 1], vars(module))
    else:
        at = words.index("-m") + 1
        sys.argv = words[at:]
        runpy.run_module(words[at], run_name="__main__", alter_sys=True)


def run_papermill(words: Sequence[str], *, environ: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
    """Its exit code, or the negative number of the signal that ended it; what it wrote to stdout and to stderr."""
    done = run(["papermill", *words], env=environ, cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
