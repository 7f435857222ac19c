"""Where runs are saved: a folder of this machine, or a prefix in a bucket of S3."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Self

from ecr_widgets.errors import SettingsError

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


class BucketPath(PurePosixPath):
    """A place in a bucket, shown as `s3://bucket/prefix/name`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address.

        Raises:
            SettingsError: It is not `s3://`, a bucket's name and perhaps a prefix.
        """
        bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
        parts = [part for part in prefix.split("/") if part]
        if not text.startswith(_SCHEME) or not _BUCKET.fullmatch(bucket) or {".", ".."} & set(parts):
            raise SettingsError(
                f"{text!r} is not the address of a bucket", hint="give s3://BUCKET or s3://BUCKET/PREFIX"
            )
        return cls(_SCHEME, bucket, *parts)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.parts[1]

    @property
    def key(self) -> str:
        """What follows the bucket's name, without a slash at either end."""
        return "/".join(self.parts[2:])

    def absolute(self) -> Self:
        """The same: it is one already."""
        return self

    def __str__(self) -> str:
        return _SCHEME + "/".join(self.parts[1:])


Place = Path | BucketPath
"""Of saved runs, or of one of them."""


def is_bucket(text: str) -> bool:
    """Whether an address is one of a bucket."""
    return text.startswith(_SCHEME)


def place_of(text: str) -> Place:
    """A folder's path, or the address of a bucket.

    Raises:
        SettingsError: It begins as an address of a bucket does, and is none.
    """
    return BucketPath.parse(text) if is_bucket(text) else Path(text)
