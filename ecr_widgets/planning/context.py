"""What a build would be made of, as one hash: a plan that is approved is a plan of just that content."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from pathlib import Path

from ecr_widgets.errors import BuildError


def context_sha256(context: Path, names: Iterable[str]) -> str:
    """SHA-256 over names, permissions, link targets and contents of a build context's files, in hexadecimal.

    Args:
        names: Relative to the context; what .dockerignore leaves out is left out by the caller.

    Raises:
        BuildError: A file cannot be read.
    """
    whole = hashlib.sha256()
    for name in sorted(set(names)):
        path = context / name
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                content = ""
        except OSError as error:
            raise BuildError(
                f"{str(path)!r} of the build context cannot be read: {error.strerror}",
                hint="mend its permissions, or name it in .dockerignore",
            ) from error
        # One JSON array a file: no two different contexts give the same text.
        whole.update(json.dumps([name, status.st_mode, content]).encode() + b"\n")
    return whole.hexdigest()
