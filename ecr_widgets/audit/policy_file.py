"""A gate's policy file, as it currently is on disk."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from ecr_widgets.adapters.strict_yaml import load_yaml, why_no_yaml
from ecr_widgets.errors import InputError, SettingsError
from ecr_widgets.model.gate_policy import GatePolicy, read_policy

_LARGEST_BYTES = 256 * 1024
_LARGEST_VALUE = 10_000


def read_policy_file(path: Path) -> GatePolicy:
    """Read a policy file, completely and only once.

    Raises:
        SettingsError: It does not exist, cannot be read, is a link, is writable by everyone, or is not a policy.
    """
    import yaml

    content = _read(path)
    try:
        document = load_yaml(content, largest=_LARGEST_VALUE, as_written=True)
        return read_policy(document, hashlib.sha256(content).hexdigest())
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        why = error.message if isinstance(error, InputError) else why_no_yaml(error)
        hint = error.hint if isinstance(error, InputError) else None
        raise SettingsError(f"the policy {str(path)!r} is not used: {why}", hint=hint) from error


def _read(path: Path) -> bytes:
    def refused(why: str, hint: str) -> SettingsError:
        return SettingsError(f"the policy {str(path)!r} is not used: {why}", hint=hint)

    try:
        # A link may point to another file the next time; opening a pipe would block.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise refused("it is not a regular file", "name the policy's file")
            if status.st_mode & stat.S_IWOTH:
                raise refused("everybody may write to it", f"chmod o-w {str(path)!r}")
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        if path.is_symlink():
            raise refused("it is a link", "name the file itself") from error
        raise refused(
            error.strerror or str(error), "correct the path, or unset ECR_WIDGETS_POLICY"
        ) from error
    if len(content) > _LARGEST_BYTES:
        raise refused(f"it has more than {_LARGEST_BYTES // 1024} KiB", "name the policy's file")
    return content
