"""Errors of the operating system in our words: which file they are about, or which limit was reached."""

from __future__ import annotations

import errno
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecr_widgets.errors import (
    AuthorizationError,
    BuildRefused,
    DeployTargetUnavailable,
    EcrWidgetsError,
    EngineUnavailable,
    InputError,
    LimitReached,
    RegistryUnavailable,
    SettingsError,
)

_BLAMES_OTHERS = (
    AuthorizationError,
    BuildRefused,
    DeployTargetUnavailable,
    EngineUnavailable,
    RegistryUnavailable,
    SettingsError,
)
"""Errors of ours that are wrong about the cause if a limit led to them: a setting, a file or the other side would be blamed."""
_OF_DISKS = {
    errno.ENOSPC: ("no space is left", "free some space there"),
    errno.EDQUOT: ("this user's disk quota is used up", "free some space there"),
    errno.EFBIG: ("the file would become larger than this process may write", "raise the limit: `ulimit -f`"),
}
_NO_MEMORY = ("no memory is left", "give it more: see `ulimit -v` and the limits of its container or service")
_NO_PROCESS = (
    "no further process or thread can be started",
    "raise the limit: `ulimit -u`, or that of its container or service (pids)",
)


@contextmanager
def in_words() -> Iterator[None]:
    """Raise a system's error, or one that came from a limit, as one of ours; others pass."""
    try:
        yield
    except Exception as error:
        if (ours := limit_reached(error) or gone_below_us(error) or _plain(error)) is None:
            raise
        raise ours from error


def limit_reached(error: BaseException) -> LimitReached | None:
    """What ran out, if that led to the error and it does not say so itself."""
    if isinstance(error, EcrWidgetsError) and not isinstance(error, _BLAMES_OTHERS):
        return None
    for each in _chain(error):
        if (said := _of_process(each)) is not None:
            what, hint = said
            return LimitReached(f"this process reached a limit: {what}", hint=f"{hint}, then run again")
        # What our own errors say about a disk is better: they know what was being written.
        if isinstance(each, OSError) and each.errno in _OF_DISKS and not isinstance(error, EcrWidgetsError):
            what, hint = _OF_DISKS[each.errno]
            return LimitReached(f"{_place(each, 'a file')} cannot be written: {what}", hint=hint)
    return None


def gone_below_us(error: BaseException) -> InputError | None:
    """What to say where the current folder was removed and no path can be found from there."""
    if isinstance(error, FileNotFoundError):
        try:
            Path.cwd()
        except FileNotFoundError:
            return InputError("the current folder does not exist any more", hint="change to another one")
    return None


def _of_process(error: BaseException) -> tuple[str, str] | None:
    """What this process has no more of, and what to do."""
    if isinstance(error, MemoryError):
        return _NO_MEMORY
    if isinstance(error, RuntimeError):
        return _NO_PROCESS if "can't start new thread" in str(error) else None
    # ZeroMQ's errors have such a number as well.
    number = getattr(error, "errno", None)
    if number == errno.EMFILE:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return f"it may open {most} files at a time", "raise it: `ulimit -n 1024`"
    if number == errno.ENFILE:
        return "this machine has too many open files", "stop the program that opens so many"
    if number == errno.ENOMEM:
        return _NO_MEMORY
    # The same number means something else for sockets.
    started = {frame.name for frame in traceback.extract_tb(error.__traceback__)} & {"_execute_child", "fork"}
    return _NO_PROCESS if number == errno.EAGAIN and started else None


def _plain(error: Exception) -> EcrWidgetsError | None:
    """A system's error without its number, and with its file first."""
    if type(error).__module__ != "builtins" or not isinstance(error, OSError) or not error.strerror:
        return None
    return EcrWidgetsError(f"{_place(error, 'a file or connection')} cannot be used: {error.strerror}")


def _place(error: OSError, otherwise: str) -> str:
    return repr(error.filename) if error.filename else otherwise


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
