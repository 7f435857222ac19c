"""An image as an engine saves it, read as a stream.

Source: OCI image layout specification, "Blobs"; Docker Engine API, ImageGet.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator


def is_index(archive: Iterator[bytes], digest: str) -> bool:
    """Whether a manifest in the archive is an index: for engines that do not report it (Docker before 28)."""
    with tarfile.open(fileobj=_Stream(archive), mode="r|") as tar:
        for member in tar:
            if member.name == f"blobs/{digest.replace(':', '/')}":
                content = tar.extractfile(member)
                return content is not None and "manifests" in json.load(content)
    return False


class _Stream(io.RawIOBase):
    """Chunks as a file that can be read once, from start to end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._left) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._left += chunk
        taken, self._left = (self._left, b"") if size < 0 else (self._left[:size], self._left[size:])
        return taken
