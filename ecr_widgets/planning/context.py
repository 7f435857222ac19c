"""What a build would be made of, as one hash: a plan that is approved is a plan of just that content."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

from ecr_widgets.model.build_context import BuildContext, unreadable


def context_sha256(context: BuildContext) -> str:
    """SHA-256 over names, permissions, link targets and contents of what a build is sent, in hexadecimal.

    Raises:
        BuildError: A file cannot be read.
    """
    whole = hashlib.sha256()
    for sent in context.sent():
        mode = sent.status.st_mode
        try:
            if stat.S_ISLNK(mode):
                content = str(sent.path.readlink())
            elif stat.S_ISREG(mode):
                content = _sha256(sent.path)
            else:
                content = ""
        except OSError as error:
            raise unreadable(sent.path, error) from error
        # One JSON array a file: no two different contexts give the same text.
        whole.update(json.dumps([sent.name, mode, content]).encode() + b"\n")
    # The Dockerfile counts wherever it is, ignored or outside.
    whole.update(_sha256(context.dockerfile).encode())
    return whole.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
