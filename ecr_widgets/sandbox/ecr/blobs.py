"""Blobs on disk: hashed while they are streamed in, and linked to the repositories that may serve them."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any


class Upload:
    """One blob being uploaded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()
        path.touch(mode=0o600)

    @property
    def digest(self) -> str:
        """Digest of what has arrived so far."""
        return f"sha256:{self._sha256.hexdigest()}"

    def append(self, chunk: bytes) -> None:
        """Add bytes."""
        with self.path.open("ab") as file:
            file.write(chunk)
        self._sha256.update(chunk)
        self.size_bytes += len(chunk)


class Blobs:
    """All of a sandbox's blobs, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._uploads_folder = folder / "uploads"
        for each in (self._blobs, self._uploads_folder):
            each.mkdir(parents=True, exist_ok=True)
        self.links: set[tuple[str, str]] = set()
        """Repository and digest of each blob that a repository may serve."""
        self._uploads: dict[str, Upload] = {}

    def start(self) -> str:
        """Begin an upload and return its id."""
        upload_id = secrets.token_hex(16)
        self._uploads[upload_id] = Upload(self._uploads_folder / upload_id)
        return upload_id

    def find_upload(self, upload_id: str) -> Upload | None:
        return self._uploads.get(upload_id)

    def finish(self, upload_id: str, repository: str, digest: str) -> bool:
        """Keep an upload as a blob of the repository; False if its bytes do not match the digest."""
        upload = self._uploads.pop(upload_id)
        if upload.digest != digest:
            upload.path.unlink()
            return False
        upload.path.replace(self.path(digest))
        self.links.add((repository, digest))
        return True

    def cancel(self, upload_id: str) -> None:
        if (upload := self._uploads.pop(upload_id, None)) is not None:
            upload.path.unlink(missing_ok=True)

    def mount(self, digest: str, *, source: str, target: str) -> bool:
        """Add one repository's blob to another; False if the source does not have it."""
        if (source, digest) not in self.links:
            return False
        self.links.add((target, digest))
        return True

    def link(self, repository: str, manifest: dict[str, Any]) -> None:
        """Let a repository serve the blobs that one of its manifests names."""
        for part in (*(manifest.get("layers") or ()), manifest.get("config", {})):
            if "digest" in part:
                self.links.add((repository, part["digest"]))

    def has(self, repository: str, digest: str) -> bool:
        """Whether the repository may serve the blob."""
        return (repository, digest) in self.links

    def path(self, digest: str) -> Path:
        """Where a blob's bytes are."""
        return self._blobs / digest.removeprefix("sha256:")
